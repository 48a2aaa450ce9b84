"""Neural voices: Piper's, put into the voices folder by the operator and spoken by a program of their own."""

import importlib.metadata
import importlib.util
import logging
import sys
from pathlib import Path

from voxgate.speech.engines.base import Ability, Speech, Utterance, Voice
from voxgate.speech.engines.piper_voices import folder_version, read_models
from voxgate.speech.engines.pool import WorkerPool
from voxgate.speech.engines.setup import Setup
from voxgate.speech.engines.worker_process import Exchange, WorkerProcess
from voxgate.speech.errors import EngineError

SAMPLE_RATE_HZ = 22_050
MISSING = "there are Piper voices in {folder}, but what speaks them is not installed: pip install 'voxgate[piper]'"

_NAME = "piper"
_WORKER = Path(__file__).with_name("piper_worker.py")
_BYTES_PER_SAMPLE = 2
_MAX_RATE_HZ = 96_000
_CPU_MARGIN_S = 1.0

_log = logging.getLogger(__name__)


class PiperEngine:
    """Speaks with Piper, whose models and phonemizer live in worker processes only.

    Models have different sample rates; what comes out has one.
    """

    name = _NAME
    sample_rate_hz = SAMPLE_RATE_HZ
    native: frozenset[Ability] = frozenset(("speed",))

    def __init__(self, setup: Setup) -> None:
        self._program = setup.program
        self._folder = setup.voices_folder
        self._models = {} if self._folder is None else read_models(self._folder)
        if self._models and not is_installed():
            _log.warning(MISSING.format(folder=self._folder))
            self._models = {}
        self._pool = WorkerPool(self._start, size=setup.workers)

    @property
    def version(self) -> str:
        """Changes whenever the same request would sound different."""
        if not self._models or self._folder is None:
            return "0"
        return f"{importlib.metadata.version('piper-tts')}.{folder_version(self._folder)}"

    def voices(self) -> tuple[Voice, ...]:
        """Give every speaker of every model of the folder."""
        return tuple(Voice(one.name, one.language, _NAME, one.style, "neutral") for one in self._models.values())

    def speak(self, utterance: Utterance) -> Speech:
        """Speak one segment; see `Engine.speak`. Where words begin is not known."""
        model = self._models.get(utterance.voice_name)
        if model is None:
            raise EngineError("engine_refused", "no such voice")
        request = {
            "op": "speak",
            "cpu_s": utterance.deadline_s + _CPU_MARGIN_S,
            "text": utterance.text,
            "model": model.file,
            "speaker": model.speaker,
            "speed_ratio": utterance.speed_ratio,
            "max_audio_s": utterance.max_audio_s,
        }
        max_bytes = int(utterance.max_audio_s * _MAX_RATE_HZ * _BYTES_PER_SAMPLE)
        answer = self._pool.ask(Exchange(request, b"", max_bytes, utterance.deadline_s))
        rate_hz = answer.header.get("sample_rate_hz")
        if not isinstance(rate_hz, int) or not 0 < rate_hz <= _MAX_RATE_HZ:
            raise EngineError("engine_crashed", "a broken answer")
        if rate_hz == SAMPLE_RATE_HZ:
            return Speech(answer.pcm)
        deadline_s = utterance.deadline_s
        return Speech(self._program.resample(answer.pcm, from_hz=rate_hz, to_hz=SAMPLE_RATE_HZ, deadline_s=deadline_s))

    def close(self) -> None:
        """End every worker process."""
        self._pool.close()

    def _start(self) -> WorkerProcess:
        try:
            # The folder of voices is where the program works: it writes nothing, and its models are there.
            return WorkerProcess((sys.executable, "-I", str(_WORKER)), self._folder or Path("/"))
        except OSError as error:
            raise EngineError("engine_unavailable", str(error)) from error


def is_installed() -> bool:
    """Tell whether the extra ``piper`` is installed; it is not imported."""
    return importlib.util.find_spec("piper") is not None


def open_engine(setup: Setup) -> PiperEngine:
    """Open the engine; no process starts before it first speaks."""
    return PiperEngine(setup)
