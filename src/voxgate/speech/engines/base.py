"""What an engine is: voices, and audio for one segment."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

MIN_SPEED_RATIO, MAX_SPEED_RATIO = 0.5, 2.0
"""What an engine that has that ability is asked for; what lies beyond is done to its finished audio."""

Gender = Literal["female", "male", "neutral"]
Ability = Literal["speed", "pitch"]


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice as callers see it.

    Attributes:
        name: What a request names; unique among all engines.
        language: A language code such as ``en-us``; empty when the voice speaks the language of the text.
        engine: The engine's name.
        style: How it sounds, in a few words.
        gender: What most people hear.
    """

    name: str
    language: str
    engine: str
    style: str
    gender: Gender


@dataclass(frozen=True, slots=True)
class Utterance:
    """One segment to be spoken, and the bounds within which it must be done.

    Attributes:
        text: Cleaned text, at most 400 characters.
        voice_name: The name of one of the engine's voices.
        language: The language to speak; an engine that does not know it speaks its default.
        speed_ratio: 0.5 to 2.0; an engine without that ability is always asked for 1.
        pitch_semitones: -10 to 10; an engine without that ability is always asked for 0.
        max_audio_s: More audio than this is refused with ``audio_too_long``.
        deadline_s: Longer work than this is ended with ``deadline_exceeded``.
        is_continued: The sentence goes on in the next utterance, so no pause is wanted after this one.
        rate_hz: The sample rate that is wanted in the end; an engine may give its audio at this one, or at its own.
    """

    text: str
    voice_name: str
    language: str
    speed_ratio: float
    pitch_semitones: float
    max_audio_s: float
    deadline_s: float
    is_continued: bool = False
    rate_hz: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """Where a word begins.

    Attributes:
        offset: In the utterance's text, in characters.
        at_s: In its audio.
    """

    offset: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Speech:
    """One segment as it was spoken.

    Attributes:
        pcm: The whole audio: 16-bit mono PCM, little-endian.
        words: Where words begin, as far as the engine knows; empty when it does not.
        rate_hz: Its sample rate; 0 for the engine's own.
    """

    pcm: bytes
    words: tuple[Word, ...] = ()
    rate_hz: int = 0


class Engine(Protocol):
    """Makes audio of segments; called from many threads at once."""

    @property
    def name(self) -> str:
        """The engine's name in the registry."""

    @property
    def version(self) -> str:
        """Changes whenever the same request would sound different."""

    @property
    def sample_rate_hz(self) -> int:
        """Of the audio that the engine makes."""

    @property
    def native(self) -> frozenset[Ability]:
        """What the engine changes by itself; the rest is done to its finished audio."""

    def voices(self) -> tuple[Voice, ...]:
        """Give every voice of the engine, in the order to be listed."""

    def speak(self, utterance: Utterance) -> Speech:
        """Speak one segment.

        Returns:
            Its audio and, if the engine knows them, its words; a text that has no sound gives none.

        Raises:
            EngineError: The segment cannot be spoken within its bounds.
        """

    def close(self) -> None:
        """End what the engine started; it is not asked again."""


@runtime_checkable
class GradualEngine(Protocol):
    """What an engine can do that has the beginning of a segment before its end; nobody must."""

    def speak_as_made(self, utterance: Utterance) -> Iterator[Speech]:
        """Speak one segment and give its audio, part after part, while it is made; words with any part.

        A part is asked for when the one before has been sent, however slowly that is taken: an engine that holds
        something others wait for gives two parts only, a short one and the rest, because those are asked for at once.

        Raises:
            EngineError: As `Engine.speak` says; also after the first part.
        """
