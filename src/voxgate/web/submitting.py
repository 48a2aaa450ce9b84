"""A request to speak becomes a job: within its account's bounds, paid from its budget, once for one name."""

import secrets
from dataclasses import dataclass, replace

from flask import request

from voxgate.gate.decision import Reading
from voxgate.gate.errors import Refusal, VoxgateError
from voxgate.speech.errors import SpeechError
from voxgate.speech.jobs.base import Job, QueueFull
from voxgate.speech.jobs.terms import OwnerClosed, OwnerFull, Repeated, Terms
from voxgate.speech.request import SpeechRequest, count_characters
from voxgate.web.budget import Held, give_back_request, hold_characters
from voxgate.web.current import services
from voxgate.web.door import gate

QUEUE_RETRY_AFTER_S = 10
_MAX_KEY_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that was taken.

    Attributes:
        job: The job.
        readings: The budgets as they stand.
        is_repeated: Whether the request was taken before, under the same name.
    """

    job: Job
    readings: tuple[Reading, ...] = ()
    is_repeated: bool = False


def submit(wanted: SpeechRequest) -> Submitted | Refusal:
    """Take a request in which no fault was found; what is spent for a request that is not taken is given back.

    Raises:
        ArtifactStorageError: There is no room for its audio.
        JobsUnavailableError: The database did not take it.
        StoreUnavailableError: The budget cannot be spent.
    """
    key = _read_key()
    if isinstance(key, Refusal):
        return key
    fingerprint = services().synthesizer.fingerprint(wanted)
    try:
        taken = _take(wanted, fingerprint, key)
    except (VoxgateError, SpeechError):
        give_back_request()
        raise
    if isinstance(taken, Refusal) and taken.code == "QUEUE_FULL":
        give_back_request()
    return taken


def _take(wanted: SpeechRequest, fingerprint: str, key: str | None) -> Submitted | Refusal:
    owner, tier, settings = gate.principal.subject, gate.principal.tier, services().settings
    known = services().jobs.find_repeated(owner, key) if key else None
    if known is not None:
        return _repeat(known, fingerprint)
    services().check_storage()
    terms = Terms(
        job_id=secrets.token_hex(16),
        at_once=settings.jobs_at_once(tier),
        unfinished_max=settings.jobs_unfinished(tier),
        idempotency_key=key,
    )
    held = hold_characters(count_characters(wanted), hold_id=terms.job_id or "")
    if isinstance(held, Refusal):
        return held
    return _submit_held(wanted, fingerprint, replace(terms, reserved=held.text), held=held)


def _submit_held(wanted: SpeechRequest, fingerprint: str, terms: Terms, *, held: Held) -> Submitted | Refusal:
    try:
        answer = services().jobs.submit(wanted, owner=gate.principal.subject, fingerprint=fingerprint, terms=terms)
    except SpeechError:
        held.give_back()
        raise
    if isinstance(answer, Job):
        held.keep()
        return Submitted(answer, held.readings)
    held.give_back()
    if isinstance(answer, Repeated):
        return _repeat(answer.job, fingerprint)
    if isinstance(answer, OwnerClosed):
        return Refusal("ACCOUNT_DISABLED")  # since the gate has let the request pass
    if isinstance(answer, OwnerFull):
        told = f"You have {answer.unfinished_max} jobs that wait or run, as many as you may have."
        return Refusal("TOO_MANY_JOBS", told, retry_after_s=QUEUE_RETRY_AFTER_S)
    assert isinstance(answer, QueueFull)  # noqa: S101 -- there is no other answer, for the type checker
    return Refusal("QUEUE_FULL", retry_after_s=QUEUE_RETRY_AFTER_S)


def _repeat(known: Job, fingerprint: str) -> Submitted | Refusal:
    return Submitted(known, is_repeated=True) if known.fingerprint == fingerprint else Refusal("IDEMPOTENCY_KEY_REUSED")


def _read_key() -> str | Refusal | None:
    """Return the name of the request, with or without the quotes that the draft asks for."""
    shown = request.headers.get("Idempotency-Key")
    if shown is None:
        return None
    key = shown[1:-1] if len(shown) > 1 and shown[0] == shown[-1] == '"' else shown
    if not 1 <= len(key) <= _MAX_KEY_CHARACTERS or not key.isascii() or not key.isprintable():
        return Refusal("BAD_REQUEST", f"'Idempotency-Key' must be 1 to {_MAX_KEY_CHARACTERS} ASCII characters.")
    return key
