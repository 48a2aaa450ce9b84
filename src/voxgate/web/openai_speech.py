"""Speech in OpenAI's form, under /v1: what an unchanged OpenAI client asks, answered as it expects."""

import secrets

from flask import Blueprint, Response

from voxgate.gate.errors import FieldFault, Refusal
from voxgate.speech.request import SpeechRequest, find_faults
from voxgate.speech.text import tidy
from voxgate.web.answers import answer
from voxgate.web.bodies import pointer_to, read_fields, reject_fields
from voxgate.web.budget import hold_characters, refuse_with_budget
from voxgate.web.door import gate
from voxgate.web.openai_schemas import ModelAnswer, ModelsAnswer, SpeechBody
from voxgate.web.problems import refuse
from voxgate.web.services import services
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

blueprint = Blueprint("openai_speech", __name__, url_prefix="/v1")


@blueprint.post("/audio/speech")
@gate.protect(scopes=("tts:generate",), policy="openai-speech", cookies=False)
def speak() -> Response:
    """Speak a text and send the audio while it is made."""
    read = _read_body()
    if isinstance(read, Refusal):
        return refuse(read)
    body, wanted = read
    held = hold_characters(len(wanted.text), hold_id=secrets.token_hex(16))
    if isinstance(held, Refusal):
        return refuse_with_budget(held)
    opened = open_stream(wanted)
    if isinstance(opened, Refusal):
        held.give_back()
        return refuse(opened)
    if body.stream_format == "sse":
        return send_events(opened, characters=len(wanted.text))
    sent = send_audio(opened)
    if isinstance(sent, Refusal):
        held.give_back()
        return refuse(sent)
    return sent


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
        output_format=body.response_format,
        speed_ratio=body.speed,
    )
    synthesizer = services().synthesizer
    found = find_faults(
        wanted,
        voices=synthesizer.voice_names,
        formats=synthesizer.formats,
        blocked_patterns=services().settings.blocked_patterns,
        speeds=SPEEDS,
        max_characters=max_characters(),
    )
    missing = [FieldFault(pointer_to(name), "is required") for name in ("model", "voice") if not getattr(body, name)]
    late = [FieldFault(pointer_to(_FIELDS.get(fault.field, fault.field)), fault.detail) for fault in found]
    # The first word about a field is the one that tells most.
    every = {fault.pointer: fault for fault in reversed([*faults, *missing, *late])}
    return reject_fields(list(reversed(every.values()))) if every else (body, wanted)


def _describe(name: str) -> ModelAnswer:
    return ModelAnswer(id=name, created=_CREATED_S)
