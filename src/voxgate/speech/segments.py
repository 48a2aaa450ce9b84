"""One segment spoken: its sound at the wanted rate and its words; in halves when the whole of it ends the engine."""

from dataclasses import dataclass, replace

from voxgate.speech.engines.base import Speech, Utterance, Voice, Word
from voxgate.speech.engines.registry import Engines
from voxgate.speech.errors import EngineError
from voxgate.speech.formats.base import BYTES_PER_SAMPLE

_LEAST_CHARS = 2


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

        What ends a fresh process too is often the meeting of two parts that are harmless by themselves, so each half
        has one try of its own.

        Raises:
            EngineError: It cannot be spoken.
        """
        try:
            return self._speak(utterance)
        except EngineError as error:
            if error.reason != "engine_crashed" or len(utterance.text) < _LEAST_CHARS:
                raise
        middle = _middle(utterance.text)
        first = self._speak(replace(utterance, text=utterance.text[:middle], is_continued=True))
        begun_s = self._duration_s(first)
        rest = replace(utterance, text=utterance.text[middle:], max_audio_s=utterance.max_audio_s - begun_s)
        second = self._speak(rest)
        words = tuple(Word(word.offset + middle, word.at_s + begun_s) for word in second.words)
        return Speech(first.pcm + second.pcm, first.words + words)

    def _speak(self, utterance: Utterance) -> Speech:
        speech = self.engines.speak(self.voice, utterance)
        own_hz = self.engines.engine_of(self.voice).sample_rate_hz
        pcm = self.engines.resample(speech.pcm, from_hz=own_hz, to_hz=self.rate_hz, deadline_s=utterance.deadline_s)
        return Speech(pcm, speech.words)

    def _duration_s(self, speech: Speech) -> float:
        return len(speech.pcm) / BYTES_PER_SAMPLE / self.rate_hz


def _middle(text: str) -> int:
    """Give the space that is nearest to the middle, else the middle."""
    half = len(text) // 2
    spaces = [place for place, char in enumerate(text) if char == " "]
    return min(spaces, key=lambda place: abs(place - half), default=half) or half
