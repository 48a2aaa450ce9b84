"""Any program of the operator's as an engine: text goes into it, and a WAV file comes out.

The program and its arguments come from the settings alone; nothing of a request is ever an argument.
"""

import hashlib
import shutil
import threading

from voxgate.speech.engines.base import Ability, Speech, Utterance, Voice
from voxgate.speech.engines.command_run import run_command
from voxgate.speech.engines.setup import CommandVoice, Setup
from voxgate.speech.engines.wav_input import read_wav
from voxgate.speech.errors import EngineError

SAMPLE_RATE_HZ = 22_050

_NAME = "command"
_MAX_RATE_HZ = 96_000
_BYTES_PER_SAMPLE = 2
_HEADER_BYTES = 1 << 16


class CommandEngine:
    """Speaks each segment by one run of a program, a few at once."""

    name = _NAME
    sample_rate_hz = SAMPLE_RATE_HZ
    native: frozenset[Ability] = frozenset()

    def __init__(self, setup: Setup) -> None:
        self._program = setup.program
        self._voices = {voice.name: voice for voice in setup.command_voices}
        self._places = threading.BoundedSemaphore(setup.workers)

    @property
    def version(self) -> str:
        """Changes with the commands; a program that is changed itself needs another argument or name."""
        return hashlib.sha256(repr(sorted(self._voices.items())).encode()).hexdigest()[:12]

    def voices(self) -> tuple[Voice, ...]:
        """Give the voices of the settings."""
        return tuple(Voice(one.name, one.language, _NAME, one.style, one.gender) for one in self._voices.values())

    def speak(self, utterance: Utterance) -> Speech:
        """Speak one segment; see `Engine.speak`. Where words begin is not known."""
        voice = self._voices.get(utterance.voice_name)
        if voice is None:
            raise EngineError("engine_refused", "no such voice")
        most = int(utterance.max_audio_s * _MAX_RATE_HZ * _BYTES_PER_SAMPLE) + _HEADER_BYTES
        if not self._places.acquire(timeout=utterance.deadline_s):
            raise EngineError("deadline_exceeded", "all programs are busy")
        try:
            data = run_command(_filled(voice), utterance.text.encode(), max_bytes=most, deadline_s=utterance.deadline_s)
        finally:
            self._places.release()
        pcm, rate_hz = read_wav(data, max_rate_hz=_MAX_RATE_HZ)
        if len(pcm) > utterance.max_audio_s * rate_hz * _BYTES_PER_SAMPLE:
            raise EngineError("audio_too_long")
        if rate_hz != SAMPLE_RATE_HZ:
            deadline_s = utterance.deadline_s
            pcm = self._program.resample(pcm, from_hz=rate_hz, to_hz=SAMPLE_RATE_HZ, deadline_s=deadline_s)
        return Speech(pcm)

    def close(self) -> None:
        """Do nothing: a run ends with its segment."""


def open_engine(setup: Setup) -> CommandEngine:
    """Open the engine; no process starts before it first speaks."""
    return CommandEngine(setup)


def _filled(voice: CommandVoice) -> tuple[str, ...]:
    """Give the program's full path, and its arguments with what the settings say of the voice."""
    program = shutil.which(voice.argv[0])
    if program is None:
        raise EngineError("engine_unavailable", f"there is no program {voice.argv[0]}")
    filled = (
        argument.replace("{language}", voice.language).replace("{voice}", voice.name) for argument in voice.argv[1:]
    )
    return (program, *filled)
