"""Captions as files that players read: SubRip and WebVTT."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from voxgate.speech.captions import Captions, CaptionSegment

MAX_CUE_CHARS = 84  # two lines of 42, as broadcasters have it
MAX_CUE_S = 7.0
_LEAST_MS = 1
_TOKEN = re.compile(r"\S+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown at once.

    Attributes:
        text: One line.
        start_ms: When it appears.
        end_ms: When it goes.
    """

    text: str
    start_ms: int
    end_ms: int


def cues_of(captions: Captions) -> list[Cue]:
    """Cut captions into what can be read at once: at most 84 characters and about seven seconds.

    Where the engine told no words, a long segment is cut by its number of characters, which is an estimate.
    """
    cues: list[Cue] = []
    for segment in captions.segments:
        for text, start_s, end_s in _pieces(segment):
            start_ms = max(round(start_s * 1000), cues[-1].end_ms if cues else 0)
            end_ms = max(round(end_s * 1000), start_ms + _LEAST_MS)
            cues.append(Cue(" ".join(text.split()), start_ms, end_ms))
    return cues


def to_srt(captions: Captions) -> str:
    """Write SubRip."""
    blocks = [
        f"{number}\n{_time(cue.start_ms, ',')} --> {_time(cue.end_ms, ',')}\n{_without_arrow(cue.text)}\n"
        for number, cue in enumerate(cues_of(captions), 1)
    ]
    return "\n".join(blocks)


def to_vtt(captions: Captions) -> str:
    """Write WebVTT; what would be markup is escaped (WebVTT, section 4.2.2)."""
    blocks = [
        f"{_time(cue.start_ms, '.')} --> {_time(cue.end_ms, '.')}\n{_escaped(cue.text)}\n" for cue in cues_of(captions)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _pieces(segment: CaptionSegment) -> Iterable[tuple[str, float, float]]:
    parts = [(word.text, word.start_s, word.end_s) for word in segment.words] or list(_estimated(segment))
    text, start_s, end_s = "", 0.0, 0.0
    for word, word_start_s, word_end_s in parts:
        joined = f"{text}{_gap(text, word)}{word}"
        if text and (len(joined) > MAX_CUE_CHARS or word_end_s - start_s > MAX_CUE_S):
            yield text, start_s, end_s
            text = ""
        if not text:
            joined, start_s = word, word_start_s
        text, end_s = joined, word_end_s
    if text:
        yield text, start_s, end_s


def _gap(before: str, after: str) -> str:
    """Join words as their script does; a script without spaces has none here either."""
    return " " if before and not _UNSPACED.search(before[-1] + after[:1]) else ""


def _estimated(segment: CaptionSegment) -> Iterable[tuple[str, float, float]]:
    pace_s = (segment.end_s - segment.start_s) / max(1, len(segment.text))
    for token in _TOKEN.finditer(segment.text):
        yield token[0], segment.start_s + token.start() * pace_s, segment.start_s + token.end() * pace_s


def _time(ms: int, mark: str) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{mark}{ms % 1000:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _without_arrow(text: str) -> str:
    """Keep a text from looking like a line of times."""
    return text.replace("-->", "→")
