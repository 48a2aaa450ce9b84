"""Captions over HTTP: what is heard when in the audio of a job."""

from flask import Blueprint, Response, request

from voxgate.gate.errors import Refusal
from voxgate.speech.artifacts import artifact_name
from voxgate.speech.captions import SUFFIX, Captions
from voxgate.speech.captions_text import to_srt, to_vtt
from voxgate.speech.jobs.base import Job, JobState, is_job_id
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.problems import refuse

MEDIA_TYPES = {"srt": "application/x-subrip", "vtt": "text/vtt", "json": "application/json"}

_ETAG_CHARACTERS = 32

blueprint = Blueprint("captions", __name__, url_prefix="/api/v1/tts")


@blueprint.get("/captions/<job_id>.<form>")
@gate.protect(scopes=("tts:read",))
def fetch_captions(job_id: str, form: str) -> Response:
    """Send the captions of one job of the caller as SubRip, WebVTT or JSON."""
    job = services().jobs.find(job_id, gate.principal.subject) if is_job_id(job_id) else None
    if job is None or form not in MEDIA_TYPES:
        return refuse(Refusal("JOB_NOT_FOUND" if job is None else "NOT_FOUND"))
    if job.state is not JobState.DONE:
        return refuse(Refusal("AUDIO_NOT_READY", f"The job is {job.state}; see /api/v1/tts/status/{job.id}."))
    data = None if job.is_expired(services().clock.now_ms()) else _read(job)
    if data is None:
        return refuse(Refusal("AUDIO_EXPIRED"))
    response = Response(_written(data, form), content_type=f"{MEDIA_TYPES[form]}; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"voxgate-{job.id[:8]}.{form}")
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(f"{form}-{job.fingerprint[:_ETAG_CHARACTERS]}")
    response.make_conditional(request.environ)
    return response


def _read(job: Job) -> bytes | None:
    opened = services().artifacts.open(artifact_name(job.fingerprint, SUFFIX))
    if opened is None:
        return None
    try:
        return opened.file.read()
    finally:
        opened.file.close()


def _written(data: bytes, form: str) -> bytes:
    if form == "json":
        return data
    captions = Captions.from_json(data)
    return (to_srt(captions) if form == "srt" else to_vtt(captions)).encode()
