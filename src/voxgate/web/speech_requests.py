"""What is to be said, read from a body: what its types allow is judged together with what they do not."""

from collections.abc import Sequence

from flask import request

from voxgate.gate.errors import FieldFault, Refusal
from voxgate.speech.request import Fault, SpeechRequest, find_faults
from voxgate.speech.text import tidy
from voxgate.web.bodies import pointer_to, read_fields, reject_fields
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.schemas import GenerateBody


def max_characters() -> int:
    """Return how long a text the caller's tier may have spoken."""
    return services().settings.max_characters_of(gate.principal.tier)


def allow_body() -> None:
    """Take a body that is long enough for the texts of the caller's tier; routes without texts take no longer ones."""
    request.max_content_length = services().settings.body_bytes_of(gate.principal.tier)


def read_request() -> SpeechRequest | Refusal:
    """Return what the body asks for, or every field that is wrong with it."""
    allow_body()
    read = read_fields(GenerateBody, instead={"text": ""})
    if isinstance(read, Refusal):
        return read
    body, faults = read
    wanted = SpeechRequest(
        text=tidy(body.text),
        voice_name=body.voice_name,
        output_format=body.output_format,
        speed_ratio=body.speed,
        pitch_semitones=body.pitch,
        sample_rate_hz=body.sample_rate,
        language=body.language or "",
        input_format=body.input_format,
    )
    every = _with_late(faults, _find_faults(wanted))
    return reject_fields(every) if every else wanted


def _find_faults(wanted: SpeechRequest) -> list[Fault]:
    synthesizer = services().synthesizer
    found = find_faults(
        wanted,
        voices=synthesizer.voice_names,
        formats=synthesizer.formats,
        blocked_patterns=services().settings.blocked_patterns,
        max_characters=max_characters(),
    )
    return [*found, *synthesizer.find_language_faults(wanted)]


def _with_late(faults: Sequence[FieldFault], found: Sequence[Fault]) -> list[FieldFault]:
    """Add what was found late, but no second word about a field that has one."""
    told = {fault.pointer for fault in faults}
    late = [FieldFault(pointer_to(fault.field), fault.detail) for fault in found]
    return [*faults, *(fault for fault in late if fault.pointer not in told)]
