"""The segments of a script, each with what is needed to speak it and to find its words in what the caller wrote."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from voxgate.speech.engines.base import Word
from voxgate.speech.engines.languages import Context
from voxgate.speech.script import Line, Script
from voxgate.speech.text import clean, cut, origins, plain_signs


@dataclass(frozen=True, slots=True)
class Piece:
    """One segment of a line.

    Attributes:
        text: Cleaned text for the engine, 1 to 400 characters; empty for a pause alone.
        written: The same as the caller wrote it.
        places: For every character of ``text`` where it stands in ``written``.
        line: The line that it is of.
        context: The whole text, for guessing its language.
        pause_s: Silence before it.
        is_continued: The sentence goes on after it.
    """

    text: str
    written: str
    places: tuple[int, ...]
    line: Line
    context: Context
    pause_s: float
    is_continued: bool

    def placed(self, words: Iterable[Word]) -> tuple[Word, ...]:
        """Give the words that an engine told with their places in what the caller wrote."""
        return tuple(Word(self.places[word.offset], word.at_s) for word in words if 0 <= word.offset < len(self.places))


def pieces_of(script: Script) -> Iterator[Piece]:
    """Cut every line into segments, each when it is asked for; a line without text is one piece of silence."""
    context = Context(script.text)
    return (piece for line in script.lines for piece in _line_pieces(line, context))


def _line_pieces(line: Line, context: Context) -> Iterator[Piece]:
    cleaned = clean(line.text)
    segments = cut(cleaned)
    segment = next(segments, None)
    if segment is None:
        if line.pause_s:
            yield Piece("", "", (), line, context, line.pause_s, is_continued=False)
        return
    places = origins(line.text, cleaned)
    is_first = True
    while segment is not None:
        following = next(segments, None)
        start, end = places[segment.offset], places[segment.offset + len(segment.text)]
        yield Piece(
            text=plain_signs(segment.text),
            written=line.text[start:end].rstrip(),
            places=tuple(place - start for place in places[segment.offset : segment.offset + len(segment.text)]),
            line=line,
            context=context,
            pause_s=line.pause_s if is_first else 0.0,
            is_continued=line.is_continued and following is None,
        )
        segment, is_first = following, False
