"""Every SQL statement of the queue, for SQLite and PostgreSQL; each write is one statement, hence atomic."""

from collections.abc import Mapping

from sqlalchemy import (
    BigInteger,
    Delete,
    Insert,
    Integer,
    Select,
    String,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.sql.expression import ColumnElement

from voxgate.speech.jobs.base import ACTIVE_STATES, Cursor, JobState
from voxgate.speech.jobs.table import job

# Plain strings: what a database driver makes of an enum member is its own affair.
_QUEUED = JobState.QUEUED.value
_RUNNING = JobState.RUNNING.value
_ACTIVE = tuple(state.value for state in ACTIVE_STATES)


def _build_claim() -> Update:
    now_ms = bindparam("now_ms", type_=BigInteger)
    running = (
        select(job.c.owner, func.count().label("jobs"))
        .where(job.c.state == _RUNNING, job.c.lease_until_ms > now_ms)
        .group_by(job.c.owner)
        .subquery("running")
    )
    waiting = job.alias("waiting")
    chosen = (
        select(waiting.c.id)
        .select_from(waiting.outerjoin(running, running.c.owner == waiting.c.owner))
        .where(
            waiting.c.state.in_(_ACTIVE),
            waiting.c.lease_until_ms <= now_ms,
            waiting.c.attempts < bindparam("max_attempts", type_=Integer),
        )
        .order_by(func.coalesce(running.c.jobs, 0), waiting.c.created_at_ms, waiting.c.id)
        .limit(1)
        .with_for_update(of=waiting, skip_locked=True)
        .scalar_subquery()
    )
    return (
        update(job)
        .where(job.c.id == chosen)
        .values(
            state=_RUNNING,
            lease_by=bindparam("worker_id", type_=String),
            lease_until_ms=bindparam("until_ms", type_=BigInteger),
            attempts=job.c.attempts + 1,
            fence=job.c.fence + 1,
            started_at_ms=func.coalesce(job.c.started_at_ms, now_ms),
        )
        .returning(*job.c)
    )


CLAIM_NEXT = _build_claim()
"""Give the next job to ``worker_id``: of the owner with the fewest running jobs, and of those the oldest.

Takes ``now_ms``, ``until_ms`` (end of the lease) and ``max_attempts``. PostgreSQL skips the rows that another worker is
just claiming; SQLite has one writer. Built once, because building it costs more than running it.
"""


def insert_unless_full(row: Mapping[str, object], *, queue_max: int) -> Insert:
    """Write `row` if fewer than `queue_max` jobs wait.

    On PostgreSQL two inserts at the same instant do not see each other, so the bound can be passed by the number of
    connections; on SQLite it is exact.
    """
    waiting = select(func.count()).select_from(job).where(job.c.state == _QUEUED).scalar_subquery()
    values = select(*(literal(value, job.c[name].type) for name, value in row.items())).where(waiting < queue_max)
    return insert(job).from_select(list(row), values).returning(*job.c)


def _is_held(job_id: str, fence: int) -> ColumnElement[bool]:
    return and_(job.c.id == job_id, job.c.fence == fence, job.c.state == _RUNNING)


def renew(job_id: str, fence: int, *, lease_until_ms: int) -> Update:
    """Prolong the lease of a job that is still held under `fence`."""
    return update(job).where(_is_held(job_id, fence)).values(lease_until_ms=lease_until_ms)


def end_held(job_id: str, fence: int, values: Mapping[str, object]) -> Update:
    """End a job, or hand it back, if it is still held under `fence`; nobody can write under that fence again."""
    return (
        update(job).where(_is_held(job_id, fence)).values(fence=job.c.fence + 1, lease_by=None, **values)
    ).returning(*job.c)


def cancel(job_id: str, owner: str, *, now_ms: int) -> Update:
    """End an active job of `owner` at the owner's wish."""
    values = {"fence": job.c.fence + 1, "lease_by": None, **ended(JobState.CANCELLED, now_ms=now_ms)}
    return update(job).where(job.c.id == job_id, job.c.owner == owner, job.c.state.in_(_ACTIVE)).values(values)


def ended(state: JobState, *, now_ms: int) -> dict[str, object]:
    """List the columns that change when a job ends without audio; the text is forgotten."""
    return {"state": state.value, "text": "", "finished_at_ms": now_ms, "expires_at_ms": now_ms}


def give_up(code: str, detail: str, *, now_ms: int, max_attempts: int | None) -> Update:
    """Fail the jobs nobody holds that were begun `max_attempts` times or, without a number, waited too long."""
    is_hopeless = job.c.expires_at_ms <= now_ms if max_attempts is None else job.c.attempts >= max_attempts
    return (
        update(job)
        .where(job.c.state.in_(_ACTIVE), job.c.lease_until_ms <= now_ms, is_hopeless)
        .values(
            fence=job.c.fence + 1,
            lease_by=None,
            error_code=code,
            error_detail=detail,
            **ended(JobState.FAILED, now_ms=now_ms),
        )
        .returning(*job.c)
    )


def remove_ended(job_id: str, owner: str) -> Delete:
    """Remove the row of a job of `owner` that has ended."""
    return delete(job).where(job.c.id == job_id, job.c.owner == owner, job.c.state.not_in(ACTIVE_STATES))


def remove_old(expired_before_ms: int) -> Delete:
    """Remove the rows of ended jobs whose audio expired before the given time."""
    return delete(job).where(job.c.expires_at_ms <= expired_before_ms, job.c.state.not_in(ACTIVE_STATES))


def select_one(job_id: str, owner: str) -> Select[tuple[object, ...]]:
    """Read one job of one owner."""
    return select(*job.c).where(job.c.id == job_id, job.c.owner == owner)


def select_page(owner: str, *, limit: int, before: Cursor | None) -> Select[tuple[object, ...]]:
    """Read up to `limit` jobs of one owner, newest first, those after `before`."""
    query = select(*job.c).where(job.c.owner == owner)
    if before is not None:
        is_older = job.c.created_at_ms < before.created_at_ms
        is_same_instant = and_(job.c.created_at_ms == before.created_at_ms, job.c.id < before.job_id)
        query = query.where(or_(is_older, is_same_instant))
    return query.order_by(job.c.created_at_ms.desc(), job.c.id.desc()).limit(limit)


def select_audio(fingerprint: str, *, now_ms: int) -> Select[tuple[object, ...]]:
    """Read the newest finished job whose audio sounds the same and has not expired."""
    return (
        select(*job.c)
        .where(job.c.fingerprint == fingerprint, job.c.state == JobState.DONE.value, job.c.expires_at_ms > now_ms)
        .order_by(job.c.expires_at_ms.desc())
        .limit(1)
    )
