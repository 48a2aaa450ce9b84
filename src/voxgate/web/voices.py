"""Voices over HTTP: all of them or those of one language, and how each sounds."""

from flask import Blueprint, Response, request

from voxgate.gate.errors import Refusal
from voxgate.speech.artifacts import artifact_name
from voxgate.speech.engines.base import Voice
from voxgate.speech.errors import SynthesisFailedError
from voxgate.speech.request import SpeechRequest
from voxgate.speech.samples import sample_text
from voxgate.speech.voices import MAX_TAG_CHARS, read_tag
from voxgate.web.answers import answer
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.problems import refuse
from voxgate.web.voice_schemas import VoiceAnswer, VoicesAnswer

PREVIEW_FORMAT = "mp3"

_PREFIX = "/api/v1/tts/voices"
_READ = ("tts:read",)
_KEPT_S = 86_400
_ETAG_CHARACTERS = 32

blueprint = Blueprint("voices", __name__, url_prefix=_PREFIX)


@blueprint.get("")
@gate.protect(scopes=_READ)
def list_voices() -> Response:
    """List every voice, or those that speak one language."""
    tag = _read_language()
    if isinstance(tag, Refusal):
        return refuse(tag)
    synthesizer = services().synthesizer
    found = [voice for voice in synthesizer.voices() if not tag or synthesizer.speaks(voice, tag)]
    return answer(VoicesAnswer(voices=[_describe(voice) for voice in found]))


@blueprint.get("/<name>/preview")
@gate.protect(scopes=_READ, policy="tts-preview")
def preview(name: str) -> Response:
    """Send a sentence in one voice; it is spoken once and kept."""
    tag = _read_language()
    if isinstance(tag, Refusal):
        return refuse(tag)
    synthesizer = services().synthesizer
    voice = next((each for each in synthesizer.voices() if each.name == name), None)
    if voice is None:
        return refuse(Refusal("VOICE_NOT_FOUND"))
    if tag and not synthesizer.speaks(voice, tag):
        return refuse(Refusal("BAD_REQUEST", f"The voice {voice.name} does not speak {tag}."))
    language = synthesizer.language_of(voice, tag)
    wanted = SpeechRequest(sample_text(language), voice.name, PREVIEW_FORMAT, language=tag)
    try:
        return _send(wanted)
    except SynthesisFailedError as error:
        return refuse(Refusal("ENGINE_UNAVAILABLE" if error.reason == "engine_unavailable" else "SYNTHESIS_FAILED"))


def _read_language() -> str | Refusal:
    given = request.args.get("language", "")
    tag = read_tag(given) if given else ""
    if tag is None:
        shown = given[:MAX_TAG_CHARS]
        return Refusal("BAD_REQUEST", f"'language' must be a tag such as en, pt-BR or zh-Hans, not {shown!r}.")
    return tag


def _send(wanted: SpeechRequest) -> Response:
    synthesizer, artifacts = services().synthesizer, services().artifacts
    fingerprint = synthesizer.fingerprint(wanted)
    name = artifact_name(fingerprint, PREVIEW_FORMAT)
    opened = artifacts.open(name) if artifacts.touch(name) else None
    if opened is None:
        artifacts.write(fingerprint, PREVIEW_FORMAT, lambda out: synthesizer.synthesize(wanted, out))
        opened = artifacts.open(name)
    if opened is None:  # the quota has taken it at once
        return refuse(Refusal("STORAGE_FULL"))
    try:
        response = Response(opened.file.read(), mimetype="audio/mpeg")
    finally:
        opened.file.close()
    response.set_etag(fingerprint[:_ETAG_CHARACTERS])
    response.headers["Cache-Control"] = f"private, max-age={_KEPT_S}"
    response.make_conditional(request.environ)
    return response


def _describe(voice: Voice) -> VoiceAnswer:
    return VoiceAnswer(
        name=voice.name,
        language=voice.language,
        engine=voice.engine,
        style=voice.style,
        gender=voice.gender,
        preview_url=f"{_PREFIX}/{voice.name}/preview",
    )
