"""Text made safe and small for an engine: cleaned first, then split into segments."""

# ruff: noqa: RUF001 - the marks of many scripts look like each other, and all of them are meant

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

MAX_SEGMENT_CHARS = 400
MAX_RUN_BYTES = 48

_KEPT_MAX = 4096  # more than the texts of a service have, few enough to remember whatever is sent

_LINE_BREAKS = frozenset("\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
_VARIATION_SELECTORS = frozenset([*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0x180B, 0x180E), 0x180F])

_FULL_WIDTH = ord("Ａ") - ord("A")

_SPACES = re.compile(" {2,}")
_SPACED_BREAK = re.compile(r" ?\n ?")
_PARAGRAPH = re.compile(r"\n{2,}")
_LONG_RUN = re.compile(rf"\S{{{MAX_RUN_BYTES // 4 + 1},}}")  # no character has more than four bytes

_CLOSERS = "\"')\\]»”’」』）】》"
_SENTENCE_END = re.compile(rf"[.!?…؟۔।॥]+[{_CLOSERS}]*(?=\s)|[。！？；．｡]+[{_CLOSERS}]*|\n\n")
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:[^\W\d_]|Mrs?|Ms|Dr|Prof|St|Jr|Sr|vs|Mt|Nos?|e\.g|i\.e)\.$")
_CLAUSE_END = re.compile(r"[,;:](?=\s)|[，、；：،؛]")


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of cleaned text that an engine speaks in one call.

    Attributes:
        offset: Where it begins in the cleaned text, in characters.
        text: 1 to 400 characters, with no white space at either end.
    """

    offset: int
    text: str


def tidy(text: str) -> str:
    """Give the text as people mean it: the form whose characters are counted.

    Unicode NFC; control, bidirectional, zero-width, private and unassigned characters and variation selectors are
    dropped; white space is one space, a line break, or the empty line between two paragraphs.
    """
    kept = text.replace("\r\n", "\n").replace("\r", "\n").translate(_KEPT)
    kept = unicodedata.normalize("NFC", kept)
    # To look first is a tenth of the work, and a text is tidied several times on its way.
    if "  " in kept:
        kept = _SPACES.sub(" ", kept)
    if "\n" in kept:
        kept = _PARAGRAPH.sub("\n\n", _SPACED_BREAK.sub("\n", kept))
    return kept.strip()


def clean(text: str) -> str:
    """Give text that is safe to hand to an engine: tidied, and with no long unbroken run.

    libespeak-ng keeps words in C buffers of fixed size and overruns them (384 characters of ``W.W.W.`` end the
    process), so no run without white space is longer than 48 bytes of UTF-8. ``[[`` would start its phoneme input.
    This lowers the number of crashes; only the process that an engine runs in makes a crash harmless.
    """
    text = re.sub(r"\[(?=\[)", "[ ", tidy(text))
    return _LONG_RUN.sub(lambda run: _broken(run[0]), text)


def plain_signs(text: str) -> str:
    """Give a text of the same length whose digits, and letters of full width, are those of ASCII.

    An engine reads ASCII's in every language, and is silent at most others, such as the wide ones of Chinese texts.
    """
    return text if text.isascii() else "".join(map(_plain, text))


def origins(tidied: str, cleaned: str) -> list[int]:
    """Give for every place in a cleaned text, and for its end, where that is in the tidied text it was made of.

    Cleaning only adds spaces, and only within a run that has none.
    """
    if cleaned == tidied:
        return list(range(len(tidied) + 1))
    places, at = [], 0
    for char in cleaned:
        places.append(at)
        at += at < len(tidied) and tidied[at] == char
    return [*places, len(tidied)]


def ends_sentence(text: str) -> bool:
    """Tell whether a text ends with the mark of a sentence's end."""
    return any(mark.end() == len(text) for mark in _SENTENCE_END.finditer(f"{text} ", 0, len(text) + 1))


def split(text: str) -> list[Segment]:
    """Cut cleaned text into segments of at most 400 characters; see `cut`."""
    return list(cut(text))


def cut(text: str) -> Iterator[Segment]:
    """Give segments of at most 400 characters of cleaned text, each when it is asked for.

    Cuts at the ends of sentences and paragraphs; a longer sentence at a comma, else at a space, else anywhere.
    Nothing but white space is lost: ``text[s.offset:s.offset + len(s.text)] == s.text``.
    """
    for start, end in _sentences(text):
        for offset, stop in _pieces(text, start, end):
            piece = text[offset:stop]
            if spoken := piece.strip():
                yield Segment(offset + len(piece) - len(piece.lstrip()), spoken)


def _plain(char: str) -> str:
    if char.isascii():
        return char
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return chr(ord(char) - _FULL_WIDTH) if "Ａ" <= char <= "Ｚ" or "ａ" <= char <= "ｚ" else char


def _keep(char: str) -> str:
    if char in _LINE_BREAKS:
        return "\n"
    if char.isspace() or char == "\u200b":  # the zero-width space stands between the words of Thai and Khmer
        return " "
    if unicodedata.category(char)[0] == "C":
        return " " if unicodedata.category(char) == "Cc" else ""
    return "" if ord(char) in _VARIATION_SELECTORS else char


class _Kept(dict[int, str]):
    """What becomes of each character, found out at the first time that it is met."""

    def __missing__(self, code: int) -> str:
        kept = _keep(chr(code))
        if len(self) < _KEPT_MAX:
            self[code] = kept
        return kept


_KEPT = _Kept()


def _broken(run: str) -> str:
    if len(run.encode()) <= MAX_RUN_BYTES:
        return run
    out, size = [], 0
    for char in run:
        bytes_ = len(char.encode())
        if size + bytes_ > MAX_RUN_BYTES:
            out.append(" ")
            size = 0
        out.append(char)
        size += bytes_
    return "".join(out)


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for mark in _SENTENCE_END.finditer(text):
        if mark[0] == "." and _ABBREVIATION.search(text[max(start, mark.end() - 8) : mark.end()]):
            continue
        yield start, mark.end()
        start = mark.end()
    yield start, len(text)


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > MAX_SEGMENT_CHARS:
        limit = start + MAX_SEGMENT_CHARS
        # A comma in the first quarter would leave a scrap before a long rest.
        clauses = [mark.end() for mark in _CLAUSE_END.finditer(text, start + MAX_SEGMENT_CHARS // 4, limit)]
        spaces = max(text.rfind(" ", start, limit), text.rfind("\n", start, limit)) + 1
        cut = clauses[-1] if clauses else spaces or limit
        yield start, cut
        start = cut
    yield start, end
