"""Speech in OpenAI's form, under /v1: what an unchanged OpenAI client asks, answered as it expects."""

import difflib
import secrets
from collections.abc import Iterator
from typing import TypeVar

from flask import Blueprint, Response

from voxgate.gate.errors import FieldFault, Refusal
from voxgate.speech.request import SpeechRequest, count_characters, find_faults
from voxgate.speech.text import tidy
from voxgate.web.answers import answer
from voxgate.web.bodies import pointer_to, read_fields, reject_fields
from voxgate.web.budget import Held, give_back_request, hold_characters, refuse_with_budget
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.openai_schemas import ModelAnswer, ModelsAnswer, SpeechBody
from voxgate.web.problems import refuse
from voxgate.web.speech_requests import allow_body, max_characters
from voxgate.web.speech_streams import open_stream, send_audio, send_events

SPEEDS = (0.25, 4.0)
MODELS = (
    "voxgate",
    "tts-1",
    "tts-1-hd",
    "gpt-4o-mini-tts",
    "gpt-4o-mini-tts-2025-03-20",
    "gpt-4o-mini-tts-2025-12-15",
)
"""Names of the one thing that speaks here; the others are those that clients send."""

_CREATED_S = 1_763_683_200  # clients want a number; it means nothing
# What the speech room calls otherwise.
_FIELDS = {"text": "input", "voice_name": "voice", "output_format": "response_format"}
_NAMES = tuple(name for name in SpeechBody.model_fields if name != "instructions")  # which change nothing anyway
_NEAR = 0.8
_ECHO_CHARACTERS = 32
_OURS = frozenset(("STREAMS_FULL", "ENGINE_UNAVAILABLE"))

Value = TypeVar("Value")

blueprint = Blueprint("openai_speech", __name__, url_prefix="/v1")


@blueprint.post("/audio/speech")
@gate.protect(scopes=("tts:generate",), policy="openai-speech", cookies=False)
def speak() -> Response:
    """Speak a text and send the audio while it is made."""
    read = _read_body()
    if isinstance(read, Refusal):
        return refuse(read)
    body, wanted = read
    characters = count_characters(wanted)
    held = hold_characters(characters, hold_id=secrets.token_hex(16))
    if isinstance(held, Refusal):
        return refuse_with_budget(held)
    opened = open_stream(wanted, with_captions=bool(body.captions))
    if isinstance(opened, Refusal):
        return _refuse_held(opened, held)
    held.keep()
    if body.stream_format == "sse":
        return send_events(opened, characters=characters, with_captions=bool(body.captions))
    sent = send_audio(opened)
    return _refuse_held(sent, held) if isinstance(sent, Refusal) else sent


@blueprint.get("/models")
@gate.protect(cookies=False)
def list_models() -> Response:
    """List every name that a request may give as its model."""
    return answer(ModelsAnswer(data=[_describe(name) for name in MODELS]))


@blueprint.get("/models/<model>")
@gate.protect(cookies=False)
def show_model(model: str) -> Response:
    """Show one of them."""
    return answer(_describe(model)) if model in MODELS else refuse(Refusal("MODEL_NOT_FOUND"))


def _read_body() -> tuple[SpeechBody, SpeechRequest] | Refusal:
    """Read what is to be said; what the types allow is judged together with what they do not."""
    allow_body()
    read = read_fields(SpeechBody, instead={"model": "", "input": "", "voice": ""})
    if isinstance(read, Refusal):
        return read
    body, faults = read
    if body.model and body.model not in MODELS:
        return Refusal("MODEL_NOT_FOUND")
    wanted = SpeechRequest(
        text=tidy(body.input),
        voice_name=body.voice,
        output_format=_or(body.response_format, "mp3"),
        speed_ratio=_or(body.speed, 1.0),
        pitch_semitones=_or(body.pitch, 0.0),
        sample_rate_hz=body.sample_rate,
        language=body.language or "",
        input_format=_or(body.input_format, "text"),
    )
    missing = [FieldFault(pointer_to(name), "is required") for name in ("model", "voice") if not getattr(body, name)]
    # The first word about a field is the one that tells most.
    told = [*faults, *missing, *_find_mistyped(body), *_find_faults(wanted)]
    every = {fault.pointer: fault for fault in reversed(told)}
    return reject_fields(list(reversed(every.values()))) if every else (body, wanted)


def _find_faults(wanted: SpeechRequest) -> list[FieldFault]:
    synthesizer = services().synthesizer
    found = find_faults(
        wanted,
        voices=synthesizer.voice_names,
        formats=synthesizer.formats,
        blocked_patterns=services().settings.blocked_patterns,
        speeds=SPEEDS,
        max_characters=max_characters(),
    )
    late = [*found, *synthesizer.find_language_faults(wanted)]
    return [FieldFault(pointer_to(_FIELDS.get(fault.field, fault.field)), fault.detail) for fault in late]


def _find_mistyped(body: SpeechBody) -> Iterator[FieldFault]:
    """Tell of fields that are not known and nearly those that are, and of one that asks for what will not come.

    Other servers have fields of their own, and their clients send them here too; a slip of the pen is not among them.
    """
    for name in body.model_extra or ():
        meant = difflib.get_close_matches(name[:_ECHO_CHARACTERS].casefold(), _NAMES, n=1, cutoff=_NEAR)
        if meant:
            yield FieldFault(pointer_to(name), f"is not a known field; did you mean {meant[0]}?")
    if body.captions and body.stream_format != "sse":
        yield FieldFault(pointer_to("captions"), "come among events: stream_format must be sse")


def _or(given: Value | None, otherwise: Value) -> Value:
    return otherwise if given is None else given


def _refuse_held(refusal: Refusal, held: Held) -> Response:
    """Give back what was spent: the characters, and the request too where the fault is ours."""
    held.give_back()
    if refusal.code in _OURS:
        give_back_request()
    return refuse(refusal)


def _describe(name: str) -> ModelAnswer:
    return ModelAnswer(id=name, created=_CREATED_S)
