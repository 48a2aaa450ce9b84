"""What a caller may ask to have spoken, with its bounds and every fault at once."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from voxgate.speech.engines.base import MAX_SPEED_RATIO, MIN_SPEED_RATIO
from voxgate.speech.formats.registry import FORMATS
from voxgate.speech.script import Line, Script
from voxgate.speech.ssml import SsmlFaults, read_ssml
from voxgate.speech.text import tidy

InputFormat = Literal["text", "ssml"]

DEFAULT_VOICE = "Alnilam"
DEFAULT_FORMAT = "wav"
MAX_TEXT_CHARS = 5_000
MIN_PITCH_SEMITONES, MAX_PITCH_SEMITONES = -10.0, 10.0

TEXT_EMPTY = "Text cannot be empty"
TEXT_TOO_LONG = "Text too long"
TEXT_BLOCKED = "Text contains potentially harmful content"

MARKUP_RATIO = 4
"""How much longer than the text that may be spoken an SSML document may be."""

_ECHO_CHARS = 64  # an unknown name is repeated in the answer, but never a long one


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One text to speak.

    Attributes:
        text: As the caller sent it; 1 to 5000 characters once tidied, more where the tier allows it.
        voice_name: A name of the voice list.
        output_format: A name of the registry of formats.
        speed_ratio: 0.5 to 2.0; the audio lasts 1/speed_ratio as long as at 1.0.
        pitch_semitones: -10 to 10.
        sample_rate_hz: One of the format's rates; None for the engine's, or the format's own.
        language: The language to speak, as BCP 47 has it; empty to guess it from the text.
        input_format: Whether the text is plain or SSML.
    """

    text: str
    voice_name: str = DEFAULT_VOICE
    output_format: str = DEFAULT_FORMAT
    speed_ratio: float = 1.0
    pitch_semitones: float = 0.0
    sample_rate_hz: int | None = None
    language: str = ""
    input_format: InputFormat = "text"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request.

    Attributes:
        field: The field as the HTTP interface names it.
        detail: What is wrong, for the caller.
    """

    field: str
    detail: str


def read_script(request: SpeechRequest) -> Script | SsmlFaults:
    """Read what is spoken, line by line; plain text is one line."""
    if request.input_format == "ssml":
        return read_ssml(request.text)
    return Script((Line(tidy(request.text)),))


def count_characters(request: SpeechRequest) -> int:
    """Count the characters that are spoken: without SSML's markup, and with what stands in for a written text."""
    script = read_script(request)
    return len(request.text) if isinstance(script, SsmlFaults) else script.characters


def find_faults(
    request: SpeechRequest,
    *,
    voices: Collection[str],
    formats: Collection[str],
    blocked_patterns: Collection[str],
    speeds: tuple[float, float] = (MIN_SPEED_RATIO, MAX_SPEED_RATIO),
    max_characters: int = MAX_TEXT_CHARS,
) -> list[Fault]:
    """Find everything wrong with a request, in the order of its fields; an empty list lets it pass.

    Args:
        request: What the caller asks.
        voices: Every known voice name.
        formats: Every installed output format.
        blocked_patterns: Texts that the operator does not want spoken, matched without regard to case.
        speeds: The least and the greatest speed that the interface promises.
        max_characters: The longest text, without the markup of SSML.
    """
    faults = _text_faults(request, blocked_patterns, max_characters)
    if request.voice_name not in voices:
        faults.append(Fault("voice_name", _unknown("voice", request.voice_name, voices)))
    faults += _form_faults(request, formats)
    slowest, fastest = speeds
    # Written as what is allowed, because no comparison with NaN is true.
    if not slowest <= request.speed_ratio <= fastest:
        faults.append(Fault("speed", f"Speed must be between {slowest} and {fastest}"))
    if not MIN_PITCH_SEMITONES <= request.pitch_semitones <= MAX_PITCH_SEMITONES:
        faults.append(
            Fault("pitch", f"Pitch must be between {MIN_PITCH_SEMITONES:g} and {MAX_PITCH_SEMITONES:g} semitones")
        )
    return faults


def _text_faults(request: SpeechRequest, blocked_patterns: Collection[str], max_characters: int) -> list[Fault]:
    is_ssml = request.input_format == "ssml"
    tidied = tidy(request.text)
    if not tidied:
        return [Fault("text", TEXT_EMPTY)]
    if is_ssml and len(tidied) > max_characters * MARKUP_RATIO:
        return [Fault("text", TEXT_TOO_LONG)]  # and is not even read
    script = read_script(request)
    if isinstance(script, SsmlFaults):
        return [Fault("text", detail) for detail in script.details]
    if not script.characters:
        return [Fault("text", TEXT_EMPTY)]
    faults = []
    if script.characters > max_characters:
        faults.append(Fault("text", TEXT_TOO_LONG))
    folded = f"{tidied}\n{script.text}".casefold() if is_ssml else tidied.casefold()
    if any(pattern.casefold() in folded for pattern in blocked_patterns):
        faults.append(Fault("text", TEXT_BLOCKED))
    return faults


def _form_faults(request: SpeechRequest, installed: Collection[str]) -> list[Fault]:
    form = FORMATS.get(request.output_format)
    if form is None:
        return [Fault("output_format", f"Unknown format; one of {', '.join(sorted(installed))}")]
    if form.name not in installed:
        needed = f"it needs the extra {form.extra!r}: pip install 'voxgate[{form.extra}]'"
        return [Fault("output_format", f"Format {form.name} is not installed; {needed}")]
    if request.sample_rate_hz not in (None, *form.rates_hz):
        known = ", ".join(str(rate) for rate in form.rates_hz)
        return [Fault("sample_rate", f"Sample rate of {form.name} must be one of {known}")]
    return []


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    name = name[:_ECHO_CHARS]
    by_folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    hint = f"; did you mean {by_folded[near[0]]}?" if near else ""
    return f"Unknown {what}: {name}{hint}"
