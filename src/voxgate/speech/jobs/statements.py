"""Every SQL statement of the queue, for SQLite and PostgreSQL; each write is one statement, hence atomic."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Delete,
    Insert,
    Integer,
    Select,
    String,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.sql.expression import ColumnElement, ScalarSelect

from voxgate.speech.jobs.base import ACTIVE_STATES, Cursor, JobState
from voxgate.speech.jobs.table import job

# Plain strings: what a database driver makes of an enum member is its own affair.
_QUEUED = JobState.QUEUED.value
_RUNNING = JobState.RUNNING.value
_ACTIVE = tuple(state.value for state in ACTIVE_STATES)


def _select_next(now_ms: ColumnElement[int]) -> ScalarSelect[str]:
    """Choose the job whose turn it is."""
    running = (
        select(job.c.owner, func.count().label("jobs"))
        .where(job.c.state == _RUNNING, job.c.lease_until_ms > now_ms)
        .group_by(job.c.owner)
        .subquery("running")
    )
    equal, waiting, begun = job.alias("equal"), job.alias("waiting"), job.alias("begun")
    spoken_now = select(equal.c.fingerprint).where(equal.c.state == _RUNNING, equal.c.lease_until_ms > now_ms)
    last_turn = select(func.max(begun.c.started_at_ms)).where(begun.c.owner == waiting.c.owner).scalar_subquery()
    # A job that has had its turn and was not finished need not wait for another.
    turn = case((waiting.c.attempts > 0, 0), else_=func.coalesce(last_turn, 0))
    jobs = func.coalesce(running.c.jobs, 0)
    return (
        select(waiting.c.id)
        .select_from(waiting.outerjoin(running, running.c.owner == waiting.c.owner))
        .where(
            waiting.c.state.in_(_ACTIVE),
            waiting.c.lease_until_ms <= now_ms,
            waiting.c.attempts < bindparam("max_attempts", type_=Integer),
            or_(waiting.c.at_once.is_(None), jobs < waiting.c.at_once),
            waiting.c.fingerprint.not_in(spoken_now),
        )
        .order_by(jobs, turn, waiting.c.created_at_ms, waiting.c.id)
        .limit(1)
        .with_for_update(of=waiting, skip_locked=True)
        .scalar_subquery()
    )


def _build_claim() -> Update:
    now_ms = bindparam("now_ms", type_=BigInteger)
    return (
        update(job)
        .where(job.c.id == _select_next(now_ms))
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
"""Give the next job to ``worker_id``: of the owner whose turn it is, the oldest, see ``JobQueue.claim``.

Takes ``now_ms``, ``until_ms`` (end of the lease) and ``max_attempts``. Claims are made one after the other, so that
each sees what runs. Built once, because building it costs more than running it.
"""

# Any two numbers that nobody else in the database locks.
_LOCK = 0x766F78


def take_turns(connection: Connection, name: str) -> None:
    """Wait until nobody else is in a transaction of this name: an owner's, or without one that of the claims.

    SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK, func.hashtext(literal(name)))))


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
    # What was spoken stays spent.
    values["reserved"] = case((job.c.segments_done > 0, None), else_=job.c.reserved)
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
    """Remove the row of a job of `owner` that has ended, once nothing is reserved for it."""
    return delete(job).where(
        job.c.id == job_id, job.c.owner == owner, job.c.state.not_in(ACTIVE_STATES), job.c.reserved.is_(None)
    )


def remove_old(expired_before_ms: int) -> Delete:
    """Remove the rows of ended jobs whose audio expired before the given time."""
    return delete(job).where(job.c.expires_at_ms <= expired_before_ms, job.c.state.not_in(ACTIVE_STATES))


def count_unfinished(owner: str) -> Select[int]:
    """Count the jobs of one owner that wait or run."""
    return select(func.count()).where(job.c.owner == owner, job.c.state.in_(_ACTIVE))


def select_load(owner: str | None, *, now_ms: int) -> Select[int, Any, Any]:
    """Sum up what waits and runs, of one owner or of all."""
    is_running = and_(job.c.state == _RUNNING, job.c.lease_until_ms > now_ms)
    counted = func.count().label("unfinished")
    running = func.sum(case((is_running, 1), else_=0)).label("running")
    query = select(counted, running, func.sum(job.c.characters).label("characters")).where(job.c.state.in_(_ACTIVE))
    return query if owner is None else query.where(job.c.owner == owner)


def select_paces(count: int) -> Select[tuple[object, ...]]:
    """Read the length and duration of the jobs that were spoken last."""
    return (
        select(job.c.characters, (job.c.finished_at_ms - job.c.started_at_ms).label("spent_ms"))
        .where(job.c.state == JobState.DONE.value)
        .order_by(job.c.expires_at_ms.desc())
        .limit(count)
    )


def select_repeated(owner: str, idempotency_key: str, *, since_ms: int) -> Select[tuple[object, ...]]:
    """Read the job that was submitted under a name since a moment."""
    return (
        select(*job.c)
        .where(job.c.owner == owner, job.c.idempotency_key == idempotency_key, job.c.created_at_ms > since_ms)
        .limit(1)
    )


def select_reserved(count: int) -> Select[tuple[object, ...]]:
    """Read ended jobs for which something is still reserved."""
    return select(*job.c).where(job.c.reserved.is_not(None), job.c.state.not_in(_ACTIVE)).limit(count)


def clear_reserved(job_id: str) -> Update:
    """Forget what was reserved for an ended job."""
    return update(job).where(job.c.id == job_id, job.c.state.not_in(_ACTIVE)).values(reserved=None)


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


def select_overdue(before_ms: int) -> Select[str]:
    """Read the id of the job that can be claimed for the longest, if it could be before the given time."""
    return (
        select(job.c.id)
        .where(job.c.state.in_(_ACTIVE), job.c.lease_until_ms <= before_ms)
        .order_by(job.c.lease_until_ms, job.c.id)
        .limit(1)
    )
