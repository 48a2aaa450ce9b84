"""One segment spoken: its sound at the wanted rate and its words; in parts when the whole of it ends the engine."""

import itertools
import unicodedata
from collections.abc import Iterator
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
            if not _may_be_cut(utterance, error):
                raise
        return self._speak_parts(utterance, _parts(utterance.text))

    def speak_as_made(self, utterance: Utterance) -> Iterator[Speech]:
        """Speak one segment and give its sound while it is made; what ends the engine in its midst costs a moment.

        Raises:
            EngineError: It cannot be spoken, or not to its end.
        """
        given = 0
        try:
            for speech in self._speak_as_made(utterance):
                given += len(speech.pcm)
                yield speech
        except EngineError as error:
            if not _may_be_cut(utterance, error):
                raise
        else:
            return
        speech = self._speak_parts(utterance, _parts(utterance.text))
        yield Speech(speech.pcm[given:], speech.words)

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
        return self._resampled(speech, utterance)

    def _speak_as_made(self, utterance: Utterance) -> Iterator[Speech]:
        """Give parts at the wanted rate as they come; those at another rate are brought to it as one."""
        pcm, rate_hz = bytearray(), 0
        words: list[Word] = []
        for speech in self.engines.speak_as_made(self.voice, replace(utterance, rate_hz=self.rate_hz)):
            rate_hz = self._rate_of(speech)
            if rate_hz == self.rate_hz:
                yield speech
            else:
                pcm += speech.pcm
                words += speech.words
        if pcm:
            yield self._resampled(Speech(bytes(pcm), tuple(words), rate_hz), utterance)

    def _resampled(self, speech: Speech, utterance: Utterance) -> Speech:
        from_hz, deadline_s = self._rate_of(speech), utterance.deadline_s
        pcm = self.engines.resample(speech.pcm, from_hz=from_hz, to_hz=self.rate_hz, deadline_s=deadline_s)
        return Speech(pcm, speech.words)

    def _rate_of(self, speech: Speech) -> int:
        return speech.rate_hz or self.engines.engine_of(self.voice).sample_rate_hz


def _may_be_cut(utterance: Utterance, error: EngineError) -> bool:
    return error.reason == "engine_crashed" and len(utterance.text) >= _LEAST_CHARS


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
