"""One segment spoken: its sound at the wanted rate and its words; in parts when the whole of it ends the engine."""

import itertools
import unicodedata
from dataclasses import dataclass, replace

from voxgate.speech.engines.base import Speech, Utterance, Voice, Word
from voxgate.speech.engines.registry import Engines
from voxgate.speech.errors import EngineError
from voxgate.speech.formats.base import BYTES_PER_SAMPLE

_LEAST_CHARS = 2
_MOST_PARTS = 24


@dataclass(frozen=True, slots=True)
class SegmentSpeaker:
    """Speaks the segments of one request.

    Attributes:
        engines: Where the voice is.
        voice: Who speaks.
        rate_hz: Sample rate of the sound.
    """

    engines: Engines
    voice: Voice
    rate_hz: int

    def speak(self, utterance: Utterance) -> Speech:
        """Speak one segment at the sample rate of the request.

        What ends a fresh process too is often the meeting of two parts that are harmless by themselves, so each part
        is tried by itself, once.

        Raises:
            EngineError: It cannot be spoken.
        """
        try:
            return self._speak(utterance)
        except EngineError as error:
            if error.reason != "engine_crashed" or len(utterance.text) < _LEAST_CHARS:
                raise
        return self._speak_parts(utterance, _parts(utterance.text))

    def _speak_parts(self, utterance: Utterance, parts: list[str]) -> Speech:
        pcm, words, offset = bytearray(), [], 0
        for index, part in enumerate(parts):
            begun_s = len(pcm) / BYTES_PER_SAMPLE / self.rate_hz
            is_last = index == len(parts) - 1
            speech = self._speak(
                replace(
                    utterance,
                    text=part,
                    max_audio_s=utterance.max_audio_s - begun_s,
                    is_continued=utterance.is_continued if is_last else True,
                )
            )
            words += [Word(word.offset + offset, word.at_s + begun_s) for word in speech.words]
            pcm += speech.pcm
            offset += len(part)
        return Speech(bytes(pcm), tuple(words))

    def _speak(self, utterance: Utterance) -> Speech:
        speech = self.engines.speak(self.voice, replace(utterance, rate_hz=self.rate_hz))
        own_hz = speech.rate_hz or self.engines.engine_of(self.voice).sample_rate_hz
        pcm = self.engines.resample(speech.pcm, from_hz=own_hz, to_hz=self.rate_hz, deadline_s=utterance.deadline_s)
        return Speech(pcm, speech.words)


def _parts(text: str) -> list[str]:
    """Cut a text that ends the engine: around its symbols if it has a few, else in halves.

    An emoji behind a rare letter ends espeak-ng in some languages, though each of them alone does not.
    """
    runs = ["".join(run) for _, run in itertools.groupby(text, key=_is_symbol)]
    if 1 < len(runs) <= _MOST_PARTS:
        return runs
    half = len(text) // 2
    spaces = [place for place, char in enumerate(text) if char == " "]
    middle = min(spaces, key=lambda place: abs(place - half), default=half) or half
    return [text[:middle], text[middle:]]


def _is_symbol(char: str) -> bool:
    return unicodedata.category(char) == "So"
