"""espeak-ng's data folder: its catalogue of voices, and a copy of links in which a worker may write."""

import re
from dataclasses import dataclass
from pathlib import Path

_WORDS = re.compile(r"^(name|language|gender|pitch)[ \t]+([^\n]*?)[ \t\r]*(?://[^\n]*)?$", re.MULTILINE)
_PUBLIC_NAME = re.compile(r"[a-z0-9-]{2,40}")

VARIANTS = "voices/!v"
DEFAULT_PITCH_LINE = (80, 118)


@dataclass(frozen=True, slots=True)
class LanguageVoice:
    """A voice of the library.

    Attributes:
        name: Its public name: the file's name in lower case, such as ``en-us``.
        identifier: What the library calls it: the path below ``lang``, such as ``gmw/en-US``.
        title: Its name for people.
        pitch_line: The two figures of its ``pitch`` line, which set base and range of the melody.
    """

    name: str
    identifier: str
    title: str
    pitch_line: tuple[int, int]


def read_catalogue(data: Path) -> dict[str, LanguageVoice]:
    """Read every language's voice below ``data``, by public name, in alphabetical order.

    The files are read, not asked of the library, so that the list costs no process. A name that a caller sends is
    only ever looked up here: the library itself takes any path for a voice.
    """
    voices = {}
    for path in sorted((data / "lang").rglob("*")):
        name = path.name.lower()
        if path.is_file() and _PUBLIC_NAME.fullmatch(name):
            text = path.read_text(encoding="utf-8", errors="replace")
            identifier = path.relative_to(data / "lang").as_posix()
            voices[name] = LanguageVoice(name, identifier, _word(text, "name") or name, _pitch_line(text))
    return dict(sorted(voices.items()))


def link_data(data: Path, folder: Path) -> None:
    """Make ``folder/espeak-ng-data`` of links to ``data``, with a real folder of variants to write in."""
    copy = folder / "espeak-ng-data"
    (copy / VARIANTS).mkdir(parents=True)
    for source in data.iterdir():
        if source.name != "voices":
            (copy / source.name).symlink_to(source)
    for variant in (data / VARIANTS).iterdir():
        (copy / VARIANTS / variant.name).symlink_to(variant)


def _word(text: str, key: str) -> str | None:
    return next((value for found, value in _WORDS.findall(text) if found == key), None)


def _pitch_line(text: str) -> tuple[int, int]:
    value = _word(text, "pitch")
    if value is None:
        return DEFAULT_PITCH_LINE
    low, high = value.split()[:2]
    return int(low), int(high)
