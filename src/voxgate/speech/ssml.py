"""A safe part of SSML, read by us into lines of plain text: no engine ever sees markup, and nothing is fetched.

What is not taken is named, not ignored: ``<audio>``, ``<lexicon>`` and ``<mark>`` hold addresses or names, and a text
that was written for them would not be heard as its author meant. Document types and entities are refused before they
are read (defusedxml).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from voxgate.speech import ssml_values as values
from voxgate.speech.script import Line, Script
from voxgate.speech.text import ends_sentence, tidy

MAX_DEPTH = 16
MAX_ELEMENTS = 2000
MAX_PAUSES_S = 600.0

PARAGRAPH_S = 0.5
_NAMESPACE = "{http://www.w3.org/2001/10/synthesis}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_ATTRIBUTES = {
    "speak": ("version", _LANGUAGE),
    "p": (_LANGUAGE,),
    "s": (_LANGUAGE,),
    "break": ("time", "strength"),
    "prosody": ("rate", "pitch"),
    "emphasis": ("level",),
    "say-as": ("interpret-as",),
    "lang": (_LANGUAGE,),
    "sub": ("alias",),
}
_MOST_FAULTS = 20
_ECHO_CHARS = 40

_Check = Callable[[str], object]
_CHECKS: Mapping[tuple[str, str], _Check] = {
    ("break", "time"): values.read_break_s,
    ("break", "strength"): values.BREAKS_S.get,
    ("prosody", "rate"): values.read_rate,
    ("prosody", "pitch"): values.read_pitch,
    ("emphasis", "level"): values.EMPHASES.get,
    ("say-as", "interpret-as"): lambda manner: manner in values.MANNERS or None,
}


@dataclass(frozen=True, slots=True)
class SsmlFaults:
    """Why a document is not taken.

    Attributes:
        details: Every reason, for the caller; at most twenty.
    """

    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Manner:
    """How the text of an element is spoken."""

    language: str = ""
    speed_ratio: float = 1.0
    pitch_semitones: float = 0.0
    said_as: str = ""


def read_ssml(text: str) -> Script | SsmlFaults:
    """Read a document into lines of plain text, or tell everything that is wrong with it."""
    try:
        root = fromstring(text, forbid_dtd=True)
    except DefusedXmlException:
        return SsmlFaults(("SSML may have no document type and no entities",))
    except (ParseError, ValueError) as error:
        place = getattr(error, "position", (1, 0))
        return SsmlFaults((f"SSML is not well-formed XML, in line {place[0]}, column {place[1] + 1}",))
    if _name(root) != "speak":
        return SsmlFaults(("SSML must be one <speak> element",))
    faults = list(dict.fromkeys(_find_faults(root)))
    if faults:
        return SsmlFaults(tuple(faults[:_MOST_FAULTS]))
    writer = _Writer()
    writer.write(root, _Manner())
    script = writer.script()
    if sum(line.pause_s for line in script.lines) > MAX_PAUSES_S:
        return SsmlFaults((f"SSML may have pauses of {MAX_PAUSES_S:g} seconds in all",))
    return script


def _name(element: Element) -> str:
    return str(element.tag).removeprefix(_NAMESPACE)


def _shown(name: str) -> str:
    return name.replace(_LANGUAGE, "xml:lang").rpartition("}")[2][:_ECHO_CHARS]


def _find_faults(root: Element) -> Iterable[str]:
    waiting, seen = [(root, 1)], 0
    while waiting:
        element, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_ELEMENTS:
            yield f"SSML may be {MAX_DEPTH} elements deep and have {MAX_ELEMENTS} elements"
            return
        yield from _element_faults(element)
        waiting += [(child, depth + 1) for child in reversed(element)]
        if element is not root and _name(element) == "speak":
            yield "<speak> stands only around everything"


def _element_faults(element: Element) -> Iterable[str]:
    name = _name(element)
    known = _ATTRIBUTES.get(name)
    if known is None:
        yield f"<{_shown(name)}> is not taken; what is: {', '.join(sorted(_ATTRIBUTES))}"
        return
    for attribute, value in element.attrib.items():
        check = _CHECKS.get((name, attribute))
        if attribute not in known:
            yield f"<{name}> takes no attribute {_shown(attribute)}"
        elif check and check(value) is None:
            yield f"<{name} {attribute}> cannot be {value[:_ECHO_CHARS]!r}"
    if name in {"say-as", "sub", "lang"} and (missing := set(known) - set(element.attrib)):
        yield f"<{name}> needs {_shown(missing.pop())}"
    if name == "break" and (len(element) or (element.text or "").strip()):
        yield "<break> holds nothing"


class _Writer:
    """Collects what is spoken; neighbours that are spoken alike become one line."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, _Manner]] = []
        self._lines: list[Line] = []
        self._pause_s = 0.0

    def write(self, element: Element, around: _Manner) -> None:
        """Write an element and everything in it."""
        name = _name(element)
        manner = _manner_of(element, name, around)
        if name in {"p", "s"}:
            self._end(PARAGRAPH_S if name == "p" and (self._parts or self._lines) else 0.0)
        if name == "break":
            time, strength = element.get("time"), element.get("strength", "medium")
            self._end(values.BREAKS_S[strength] if time is None else values.read_break_s(time) or 0.0)
        elif name == "sub":
            self._add(element.get("alias", ""), manner)
        else:
            self._add(element.text or "", manner)
            for child in element:
                self.write(child, manner)
                self._add(child.tail or "", manner)
        if name in {"p", "s"}:
            self._end(0.0)

    def script(self) -> Script:
        """Give everything that was written."""
        self._end(0.0)
        if self._pause_s:
            self._lines.append(Line("", pause_s=self._pause_s))
        return Script(tuple(self._lines))

    def _add(self, text: str, manner: _Manner) -> None:
        text = values.said_as(text, manner.said_as) if manner.said_as else text
        manner = replace(manner, said_as="")
        if self._parts and self._parts[-1][1] == manner:
            text = self._parts.pop()[0] + text
        if text:
            self._parts.append((text, manner))

    def _end(self, pause_s: float) -> None:
        """End the sentence, and let silence follow."""
        spoken: list[tuple[str, _Manner]] = []
        for part, manner in self._parts:
            text = tidy(part)
            if spoken and not any(char.isalnum() for char in text):
                spoken[-1] = (spoken[-1][0] + text, spoken[-1][1])  # a full stop belongs to the word before it
            elif text:
                spoken.append((text, manner))
        for index, (text, manner) in enumerate(spoken):
            goes_on = index + 1 < len(spoken) and not ends_sentence(text)
            line = Line(text, manner.language, manner.speed_ratio, manner.pitch_semitones, self._pause_s, goes_on)
            self._lines.append(line)
            self._pause_s = 0.0
        self._parts = []
        self._pause_s += pause_s


def _manner_of(element: Element, name: str, around: _Manner) -> _Manner:
    manner = replace(around, language=element.get(_LANGUAGE, around.language))
    speed, pitch = 1.0, 0.0
    if name == "prosody":
        speed = values.read_rate(element.get("rate", "medium")) or 1.0
        pitch = values.read_pitch(element.get("pitch", "medium")) or 0.0
    elif name == "emphasis":
        speed, pitch = values.EMPHASES[element.get("level", "moderate")]
    elif name == "say-as":
        manner = replace(manner, said_as=element.get("interpret-as", ""))
    return replace(manner, speed_ratio=manner.speed_ratio * speed, pitch_semitones=manner.pitch_semitones + pitch)
