"""Captions: what is heard when, word by word where the engine tells it, and sentence by sentence where it does not."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from json.encoder import encode_basestring as _quoted

from voxgate.speech.engines.base import Word

SUFFIX = "json"
"""What the name of a captions artifact ends with."""

_TOKEN = re.compile(r"\S+")
# Written without spaces between words, so a word may begin at any character.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class CaptionWord:
    """A word, or a few that are spoken as one.

    Attributes:
        text: As it was written.
        offset: Where it begins in the text of its segment, in characters.
        start_s: When it begins.
        end_s: When the next one begins, or the segment ends.
    """

    text: str
    offset: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class CaptionSegment:
    """A sentence or a part of one.

    Attributes:
        text: As it was written.
        start_s: When it begins.
        end_s: When it ends.
        words: Its words in order; none where the engine does not tell them.
    """

    text: str
    start_s: float
    end_s: float
    words: tuple[CaptionWord, ...] = ()

    def to_json(self) -> str:
        """Write it down, its times in milliseconds' precision."""
        # By hand, because to make objects of every word and round them takes three times as long.
        words, time_s, written = [], self.start_s, f"{self.start_s:.3f}"
        for word in self.words:
            # A word mostly begins when the one before it ends, and then the time stands there already.
            start = written if word.start_s == time_s else f"{word.start_s:.3f}"
            time_s, written = word.end_s, f"{word.end_s:.3f}"
            words.append(f'{{"text":{_quoted(word.text)},"offset":{word.offset},"start_s":{start},"end_s":{written}}}')
        times = f'"start_s":{self.start_s:.3f},"end_s":{self.end_s:.3f}'
        return f'{{"text":{_quoted(self.text)},{times},"words":[{",".join(words)}]}}'

    def told(self) -> dict[str, object]:
        """Give it as JSON has it."""
        told: dict[str, object] = json.loads(self.to_json())
        return told


@dataclass(frozen=True, slots=True)
class Captions:
    """The captions of one audio.

    Attributes:
        duration_s: Length of the audio.
        segments: In order; they do not overlap and lie within the audio.
    """

    duration_s: float
    segments: tuple[CaptionSegment, ...]

    @property
    def is_exact(self) -> bool:
        """Whether every word's time was told by an engine; without one, times within a segment are estimates."""
        return all(segment.words for segment in self.segments)

    def to_json(self) -> bytes:
        """Write them down."""
        is_exact = "true" if self.is_exact else "false"
        segments = ",".join([segment.to_json() for segment in self.segments])
        return f'{{"exact":{is_exact},"duration_s":{self.duration_s:.3f},"segments":[{segments}]}}'.encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Captions":
        """Read what `to_json` wrote."""
        told = json.loads(data)
        segments = (
            CaptionSegment(**(each | {"words": tuple(CaptionWord(**word) for word in each["words"])}))
            for each in told["segments"]
        )
        return cls(told["duration_s"], tuple(segments))


class CaptionTrack:
    """Collects the captions of a speech while it is made.

    Args:
        delay_s: How much later than it was made everything is heard.
    """

    def __init__(self, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s
        self._segments: list[CaptionSegment] = []

    def add(self, text: str, words: Iterable[Word], *, start_s: float, end_s: float) -> None:
        """Note one segment: the caller's own text, the words in it as the engine told them, and its time."""
        segment = CaptionSegment(text, start_s + self._delay_s, end_s + self._delay_s)
        self._segments.append(replace(segment, words=tuple(_words_of(segment, words))))

    def since(self, count: int) -> tuple[CaptionSegment, ...]:
        """Give what was noted after so many segments."""
        return tuple(self._segments[count:])

    def captions(self, duration_s: float) -> Captions:
        """Give everything that was noted, for sound of a length."""
        return Captions(duration_s + self._delay_s, tuple(self._segments))


def _words_of(segment: CaptionSegment, words: Iterable[Word]) -> Iterable[CaptionWord]:
    """Make words of what an engine tells, which merges phrases, tells numbers several times, and may be wrong.

    Each begins where a written word does; its text goes on to the next one, so nothing is lost. Times never go back
    and never leave the segment.
    """
    starts: list[tuple[int, float]] = []
    begins = _beginnings(segment.text)
    latest_s = segment.start_s
    for word in words:
        if not 0 <= word.offset < len(segment.text):
            continue
        offset = begins[word.offset]
        latest_s = min(max(latest_s, segment.start_s + word.at_s), segment.end_s)
        if not starts:
            starts.append((0, latest_s))
        elif offset > starts[-1][0]:
            starts.append((offset, latest_s))
    ends = [*starts[1:], (len(segment.text), segment.end_s)]
    for (offset, start_s), (end, end_s) in zip(starts, ends, strict=False):
        yield CaptionWord(segment.text[offset:end].strip(), offset, start_s, end_s)


def _beginnings(text: str) -> list[int]:
    """Give for every character where the word begins that it is in."""
    begins = list(range(len(text)))
    is_spaced = _UNSPACED.search(text) is None
    for token in _TOKEN.finditer(text):
        start, end = token.span()
        if is_spaced:
            begins[start:end] = [start] * (end - start)
            continue
        for place in range(start, end):
            if _UNSPACED.match(text, place):
                start = place
            begins[place] = start
    return begins
