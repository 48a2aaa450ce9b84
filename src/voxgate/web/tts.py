"""Speech over HTTP, under /api/v1/tts: what can be asked for, jobs, and their audio."""

from urllib.parse import urlencode

from flask import Blueprint, Response, request

from voxgate.gate.errors import Refusal
from voxgate.speech.jobs.base import Cursor, Job, JobState, QueueFull, is_job_id
from voxgate.web.answers import answer
from voxgate.web.audio import send_audio
from voxgate.web.door import gate
from voxgate.web.limits import read_limits
from voxgate.web.problems import refuse
from voxgate.web.schemas import (
    JobAnswer,
    OverviewAnswer,
    Started,
    StatusAnswer,
)
from voxgate.web.services import services
from voxgate.web.speech_requests import read_request

PAGE_JOBS = 20
QUEUE_RETRY_AFTER_S = 10

_PREFIX = "/api/v1/tts"
_READ = ("tts:read",)

blueprint = Blueprint("tts", __name__, url_prefix=_PREFIX)


@blueprint.get("/")
@gate.protect(scopes=_READ)
def show_overview() -> Response:
    """List the caller's jobs, a page at a time, with the voices and formats."""
    before = request.args.get("before")
    cursor = None if before is None else Cursor.parse(before)
    if before is not None and cursor is None:
        return refuse(Refusal("BAD_REQUEST", "'before' must be what the 'next' of another page says."))
    page = services().jobs.list(gate.principal.subject, limit=PAGE_JOBS, before=cursor)
    synthesizer = services().synthesizer
    return answer(
        OverviewAnswer(
            jobs=[_describe(job) for job in page.jobs],
            next=f"{_PREFIX}/?{urlencode({'before': str(page.next)})}" if page.next else None,
            voices=[voice.name for voice in synthesizer.voices()],
            formats=list(synthesizer.formats),
        )
    )


@blueprint.post("/generate")
@gate.protect(scopes=("tts:generate",), policy="tts-generate")
def generate() -> Response:
    """Start a job that speaks the body's text."""
    wanted = read_request()
    if isinstance(wanted, Refusal):
        return refuse(wanted)
    services().check_storage()
    fingerprint = services().synthesizer.fingerprint(wanted)
    job = services().jobs.submit(wanted, owner=gate.principal.subject, fingerprint=fingerprint)
    if isinstance(job, QueueFull):
        return refuse(Refusal("QUEUE_FULL", retry_after_s=QUEUE_RETRY_AFTER_S))
    services().background.send(job.id)
    status_url = f"{_PREFIX}/status/{job.id}"
    started = Started(job_id=job.id, status=job.state.value, status_url=status_url)
    return answer(started, 202, headers={"Location": status_url})


@blueprint.get("/status")
@gate.protect(scopes=_READ, policy="tts-status")
def show_status() -> Response:
    """Show the caller's recent jobs and limits."""
    page = services().jobs.list(gate.principal.subject, limit=PAGE_JOBS)
    # A decision made without the store has no limits to show; the jobs are told all the same.
    limits = {} if gate.decision.is_degraded else read_limits()
    return answer(StatusAnswer(jobs=[_describe(job) for job in page.jobs], limits=limits))


@blueprint.get("/status/<job_id>")
@gate.protect(scopes=_READ, policy="tts-status")
def show_job(job_id: str) -> Response:
    """Show one job of the caller."""
    job = _find_own(job_id)
    return refuse(Refusal("JOB_NOT_FOUND")) if job is None else answer(_describe(job))


@blueprint.get("/audio/<job_id>")
@gate.protect(scopes=_READ)
def fetch_audio(job_id: str) -> Response:
    """Send the audio of one job of the caller."""
    job = _find_own(job_id)
    if job is None:
        return refuse(Refusal("JOB_NOT_FOUND"))
    if job.state is not JobState.DONE:
        return refuse(Refusal("AUDIO_NOT_READY", f"The job is {job.state}; see {_PREFIX}/status/{job.id}."))
    if job.is_expired(services().clock.now_ms()):
        return refuse(Refusal("AUDIO_EXPIRED"))
    return send_audio(job, services().artifacts) or refuse(Refusal("AUDIO_EXPIRED"))


def _find_own(job_id: str) -> Job | None:
    """Return the caller's job; another's job and a text that is no id are as good as none."""
    return services().jobs.find(job_id, gate.principal.subject) if is_job_id(job_id) else None


def _describe(job: Job) -> JobAnswer:
    has_audio = job.state is JobState.DONE and not job.is_expired(services().clock.now_ms())
    return JobAnswer(
        job_id=job.id,
        status=job.state.value,
        progress=round(job.progress_ratio, 3),
        audio_url=f"{_PREFIX}/audio/{job.id}" if has_audio else None,
        captions_url=f"{_PREFIX}/captions/{job.id}.json" if has_audio else None,
        duration_s=job.duration_s,
        characters=job.characters,
        error=job.error_detail,
    )
