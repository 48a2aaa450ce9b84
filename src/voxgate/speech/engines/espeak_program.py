"""The worker program as the engines see it: three questions, answered by a pool of its processes."""

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voxgate.speech.engines.base import Speech, Word
from voxgate.speech.engines.espeak_workplace import Workplace
from voxgate.speech.engines.pool import WorkerPool
from voxgate.speech.engines.worker_process import Answer, Exchange, WorkerProcess
from voxgate.speech.errors import EngineError

SAMPLE_RATE_HZ = 22_050
BYTES_PER_SAMPLE = 2
_WORKER = Path(__file__).with_name("espeak_worker.py")
_CPU_MARGIN_S = 1.0  # the deadline ends what hangs; the limit of processor time only what outlives its parent
_RETIME_SLACK = 4  # shorter than a quarter of speed is never asked for


@dataclass(frozen=True, slots=True)
class EspeakUtterance:
    """One segment in the library's own terms.

    Attributes:
        text: Cleaned text, at most 400 characters.
        identifier: The language's voice, from the catalogue.
        variant: The file that gives the timbre, or empty.
        pitch_line: Base and top of the melody, as in a voice file.
        rate_ratio: Pace of the voice at speed 1, where 1.0 is 175 words a minute.
        speed_ratio: How much faster than that.
        is_continued: Whether the pause at the end of a sentence is left out.
        rate_hz: Sample rate of the audio.
    """

    text: str
    identifier: str
    variant: str
    pitch_line: tuple[int, int]
    rate_ratio: float
    speed_ratio: float
    is_continued: bool = False
    rate_hz: int = SAMPLE_RATE_HZ


class EspeakProgram:
    """The worker processes and the folder in which they work; both are made at first use."""

    def __init__(self, *, workers: int) -> None:
        self._lock = threading.Lock()
        self._workplace: Workplace | None = None
        self.pool = WorkerPool(self._start, size=workers)

    def speak(self, utterance: EspeakUtterance, *, max_audio_s: float, deadline_s: float) -> Speech:
        """Give the audio of one segment as 16-bit mono PCM, and where its words begin.

        Raises:
            EngineError: As `WorkerPool.ask` says.
        """
        return _speech(self.pool.ask(_exchange(utterance, max_audio_s, deadline_s)), utterance)

    def speak_as_made(self, utterance: EspeakUtterance, *, max_audio_s: float, deadline_s: float) -> Iterator[Speech]:
        """Give the same in two parts at most: what is there first, and the rest, with the words.

        Raises:
            EngineError: As `WorkerPool.ask_in_parts` says.
        """
        for answer in self.pool.ask_in_parts(_exchange(utterance, max_audio_s, deadline_s, in_parts=True)):
            yield _speech(answer, utterance)

    def retime(
        self, pcm: bytes, *, sample_rate_hz: int, speed_ratio: float, pitch_semitones: float, deadline_s: float
    ) -> bytes:
        """Give finished audio of any engine another speed and pitch.

        Raises:
            EngineError: As `WorkerPool.ask` says.
        """
        request = {
            "op": "retime",
            "cpu_s": deadline_s + _CPU_MARGIN_S,
            "pcm_bytes": len(pcm),
            "sample_rate_hz": sample_rate_hz,
            "speed_ratio": speed_ratio,
            "pitch_ratio": 2 ** (pitch_semitones / 12),
        }
        return self.pool.ask(Exchange(request, pcm, len(pcm) * _RETIME_SLACK + sample_rate_hz, deadline_s)).pcm

    def resample(self, pcm: bytes, *, from_hz: int, to_hz: int, deadline_s: float) -> bytes:
        """Give finished audio of any engine another sample rate, of exactly the same duration.

        Raises:
            EngineError: As `WorkerPool.ask` says.
        """
        request = {
            "op": "resample",
            "cpu_s": deadline_s + _CPU_MARGIN_S,
            "pcm_bytes": len(pcm),
            "from_hz": from_hz,
            "to_hz": to_hz,
        }
        return self.pool.ask(Exchange(request, pcm, len(pcm) * to_hz // from_hz + BYTES_PER_SAMPLE, deadline_s)).pcm

    def close(self) -> None:
        """End every worker process and remove their folder."""
        self.pool.close()
        with self._lock:
            workplace, self._workplace = self._workplace, None
        if workplace is not None:
            workplace.remove()

    def _start(self) -> WorkerProcess:
        try:
            with self._lock:
                if self._workplace is None:
                    self._workplace = Workplace()
                folder = self._workplace.path
            # Isolated mode: neither the environment nor the working folder adds code to the program.
            return WorkerProcess((sys.executable, "-I", str(_WORKER)), folder)
        except OSError as error:  # no room for the folder, or no more processes
            raise EngineError("engine_unavailable", str(error)) from error


def _exchange(utterance: EspeakUtterance, max_audio_s: float, deadline_s: float, *, in_parts: bool = False) -> Exchange:
    request = {
        "op": "speak",
        "cpu_s": deadline_s + _CPU_MARGIN_S,
        "text": utterance.text,
        "identifier": utterance.identifier,
        "variant": utterance.variant,
        "pitch_line": utterance.pitch_line,
        "rate_ratio": utterance.rate_ratio,
        "speed_ratio": utterance.speed_ratio,
        "has_end_pause": not utterance.is_continued,
        "max_samples": int(max_audio_s * SAMPLE_RATE_HZ),
        "to_hz": utterance.rate_hz,
        "in_parts": in_parts,
    }
    max_bytes = int(max_audio_s * utterance.rate_hz * BYTES_PER_SAMPLE * 2) + BYTES_PER_SAMPLE
    return Exchange(request, b"", max_bytes, deadline_s)


def _speech(answer: Answer, utterance: EspeakUtterance) -> Speech:
    words = read_words(answer.header.get("words"), sample_rate_hz=SAMPLE_RATE_HZ)
    return Speech(answer.pcm, words, utterance.rate_hz)


def read_words(told: object, *, sample_rate_hz: int) -> tuple[Word, ...]:
    """Read pairs of offset and sample as a worker program tells them; what is no such pair is left out."""
    if not isinstance(told, list):
        return ()
    pairs = [pair for pair in told if isinstance(pair, list) and [type(part) for part in pair] == [int, int]]
    return tuple(Word(offset, at / sample_rate_hz) for offset, at in pairs)
