"""Speech over HTTP, under /api/v1/tts: what can be asked for, jobs, and their audio."""

import contextlib
import math
from functools import partial
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from voxgate.gate.errors import Refusal, StoreUnavailableError
from voxgate.speech.jobs.base import Cursor, Job, JobState, is_job_id
from voxgate.web.answers import answer, empty_answer
from voxgate.web.audio import send_audio
from voxgate.web.budget import headers_with, refuse_with_budget
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.limits import read_limits
from voxgate.web.problems import refuse
from voxgate.web.schemas import (
    JobAnswer,
    OverviewAnswer,
    Started,
    StatusAnswer,
)
from voxgate.web.speech_requests import read_request
from voxgate.web.submitting import submit
from voxgate.web.waiting import LONGEST_WAIT_S, wait_for_end

PAGE_JOBS = 20

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
    taken = submit(wanted)
    if isinstance(taken, Refusal):
        return refuse_with_budget(taken)
    if not taken.is_repeated:
        services().background.send(taken.job.id)
    status_url = f"{_PREFIX}/status/{taken.job.id}"
    headers = {"Location": status_url, **headers_with(taken.readings)}
    if taken.is_repeated:
        headers["Idempotency-Replayed"] = "true"
    started = Started(job_id=taken.job.id, status=JobState.QUEUED.value, status_url=status_url)
    return answer(started, 202, headers=headers)


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
    """Show one job of the caller, at once or when it has ended."""
    wait_s = _read_wait()
    if isinstance(wait_s, Refusal):
        return refuse(wait_s)
    job = wait_for_end(job_id, partial(_find_own, job_id), ends=services().jobs.ends, wait_s=wait_s)
    return refuse(Refusal("JOB_NOT_FOUND")) if job is None else answer(_describe(job))


@blueprint.delete("/jobs/<job_id>")
@gate.protect(scopes=("tts:generate",))
def end_job(job_id: str) -> Response:
    """Cancel a job of the caller that has not ended; remove one that has."""
    job = _find_own(job_id)
    if job is None:
        return refuse(Refusal("JOB_NOT_FOUND"))
    jobs, owner = services().jobs, gate.principal.subject
    if jobs.cancel(job.id, owner):
        with contextlib.suppress(StoreUnavailableError):  # given back a little later, then
            services().settlement.settle()
    elif not jobs.remove(job.id, owner):
        services().settlement.settle()
        jobs.remove(job.id, owner)
    return empty_answer()


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
    sent = send_audio(job, services().artifacts) or Refusal("AUDIO_EXPIRED")
    return refuse(sent) if isinstance(sent, Refusal) else sent


def _read_wait() -> float | Refusal:
    """Return for how many seconds the caller wants to wait for the end of a job."""
    shown = request.args.get("wait", "0")
    if not shown.isascii() or not shown.isdigit() or int(shown[:4]) > LONGEST_WAIT_S:
        return Refusal("BAD_REQUEST", f"'wait' must be whole seconds, 0 to {LONGEST_WAIT_S:.0f}.")
    return float(shown)


def _find_own(job_id: str) -> Job | None:
    """Return the caller's job; another's job and a text that is no id are as good as none."""
    return services().jobs.find(job_id, gate.principal.subject) if is_job_id(job_id) else None


def _describe(job: Job) -> JobAnswer:
    left_s = services().estimates.seconds_left(job)
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
        estimated_s=None if left_s is None else math.ceil(round(left_s, 3)),
    )
