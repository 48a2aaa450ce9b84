"""Every SQL statement of the queue, for SQLite and PostgreSQL; each write is one statement, hence atomic.

Those that every job needs are built once, because building one costs more than running it.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
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
from sqlalchemy.sql.expression import BindParameter, ColumnElement

from voxgate.speech.jobs.base import ACTIVE_STATES, JobState
from voxgate.speech.jobs.prepared import Prepared
from voxgate.speech.jobs.table import job

# Plain strings: what a database driver makes of an enum member is its own affair.
_QUEUED = JobState.QUEUED.value
_RUNNING = JobState.RUNNING.value
# Each a value of its own: a list as one value is only written out when it is given.
_ACTIVE = [literal(state.value) for state in ACTIVE_STATES]
# What a row that waits does not have yet.
_ONCE_SPOKEN = {"artifact", "media_type", "size_bytes", "duration_s"}
_GIVEN_LATER = _ONCE_SPOKEN | {"lease_by", "error_code", "error_detail", "started_at_ms", "finished_at_ms"}


def _moment(name: str) -> BindParameter[int]:
    # PostgreSQL has to be told that a number has 64 bits.
    return bindparam(name, type_=BigInteger)


# Any two numbers that nobody else in the database locks.
_LOCK = 0x766F78


TAKE_TURNS = Prepared(select(func.pg_advisory_xact_lock(_LOCK, func.hashtext(bindparam("name", type_=String)))))
"""On PostgreSQL, wait until nobody else is in a transaction of a ``name``: an owner's, or the empty one of the claims.

SQLite has one writer anyway.
"""


def _build_insert() -> Insert:
    waiting = select(func.count()).select_from(job).where(job.c.state == _QUEUED).scalar_subquery()
    names = [name for name in job.c.keys() if name not in _GIVEN_LATER]  # noqa: SIM118 -- columns, not a mapping
    values = select(*(bindparam(f"new_{name}", type_=job.c[name].type) for name in names))
    is_room = waiting < bindparam("queue_max", type_=Integer)
    return insert(job).from_select(names, values.where(is_room)).returning(*job.c)


INSERT_UNLESS_FULL = Prepared(_build_insert())
"""Write a row, each column given under its name behind ``new_``, if fewer than ``queue_max`` jobs wait.

On PostgreSQL two inserts at the same instant do not see each other, so the bound can be passed by the number of
connections; on SQLite it is exact.
"""

_JOB_ID = job.c.id == bindparam("job_id", type_=String)
_IS_HELD = and_(_JOB_ID, job.c.fence == bindparam("held", type_=Integer), job.c.state == _RUNNING)

_RENEW = update(job).where(_IS_HELD).values(lease_until_ms=_moment("until_ms"))

RENEW = Prepared(_RENEW)
"""Prolong until ``until_ms`` the lease of the job ``job_id`` that is still ``held`` under this fence."""

RENEW_PROGRESS = Prepared(
    _RENEW.values(segments_done=bindparam("done", type_=Integer), segments_total=bindparam("total", type_=Integer))
)
"""The same, and note ``done`` and ``total`` segments."""


def _end_held(*names: str, **values: object) -> Prepared:
    """End a job, or hand it back, if it is still held; nobody can write under that fence again."""
    given = {name: bindparam(f"new_{name}", type_=job.c[name].type) for name in names}
    changes = {"fence": job.c.fence + 1, "lease_by": None, **given, **values}
    return Prepared(update(job).where(_IS_HELD).values(changes).returning(*job.c))


_OF_AUDIO = ("artifact", "media_type", "size_bytes", "duration_s", "segments_done", "segments_total")
_AT_END = ("finished_at_ms", "expires_at_ms")

FINISH_SPOKEN = _end_held(*_OF_AUDIO, *_AT_END, state=JobState.DONE.value, text="", reserved=None)
"""End a held job with its audio; the columns are given under their names behind ``new_``. Nothing is given back."""

FINISH_KNOWN = _end_held(*_OF_AUDIO, *_AT_END, state=JobState.DONE.value, text="")
"""The same with the audio of another job: what was reserved is to be given back."""

FAIL = _end_held("error_code", "error_detail", *_AT_END, state=JobState.FAILED.value, text="")
"""End a held job without audio."""

RELEASE = _end_held("attempts", "lease_until_ms", state=_QUEUED, segments_done=0)
"""Hand a held job back."""


_OWNER = job.c.owner == bindparam("of", type_=String)


def _build_cancel() -> Update:
    values = {"state": JobState.CANCELLED.value, "text": "", "fence": job.c.fence + 1, "lease_by": None}
    values |= {"finished_at_ms": _moment("now_ms"), "expires_at_ms": _moment("now_ms")}
    # What was spoken stays spent.
    values["reserved"] = case((job.c.segments_done > 0, None), else_=job.c.reserved)
    return update(job).where(_OWNER, job.c.state.in_(_ACTIVE)).values(values)


_CANCEL = _build_cancel()

CANCEL_ALL = Prepared(_CANCEL)
"""End every active job ``of`` an owner at ``now_ms``."""

CANCEL = Prepared(_CANCEL.where(_JOB_ID))
"""End the job ``job_id`` ``of`` an owner at ``now_ms``, if it is active."""


def _give_up(is_hopeless: ColumnElement[bool]) -> Prepared:
    """Fail the jobs that nobody holds at ``now_ms`` for a ``code`` and a ``detail``."""
    changes = {
        "fence": job.c.fence + 1,
        "lease_by": None,
        "error_code": bindparam("code", type_=String),
        "error_detail": bindparam("detail", type_=String),
        "finished_at_ms": _moment("now_ms"),
        "expires_at_ms": _moment("now_ms"),
    }
    is_free = and_(job.c.state.in_(_ACTIVE), job.c.lease_until_ms <= _moment("now_ms"))
    failed = {"state": JobState.FAILED.value, "text": "", **changes}
    return Prepared(update(job).where(is_free, is_hopeless).values(failed).returning(*job.c))


GIVE_UP_EXHAUSTED = _give_up(job.c.attempts >= bindparam("max_attempts", type_=Integer))
"""Fail those that were begun ``max_attempts`` times."""

GIVE_UP_LATE = _give_up(job.c.expires_at_ms <= _moment("now_ms"))
"""Fail those that waited too long."""


REMOVE_ENDED = Prepared(delete(job).where(_JOB_ID, _OWNER, job.c.state.not_in(_ACTIVE), job.c.reserved.is_(None)))
"""Remove the row of the job ``job_id`` ``of`` an owner that has ended, once nothing is reserved for it."""

REMOVE_OLD = Prepared(delete(job).where(job.c.expires_at_ms <= _moment("before_ms"), job.c.state.not_in(_ACTIVE)))
"""Remove the rows of ended jobs whose audio expired ``before_ms``."""


def count_unfinished(is_open: ColumnElement[bool]) -> Prepared:
    """Count as ``unfinished`` the jobs ``of`` one owner that wait or run, and tell whether anything `is_open` to it."""
    counted = func.count().label("unfinished")
    return Prepared(select(counted, is_open.label("is_open")).where(_OWNER, job.c.state.in_(_ACTIVE)))


def _build_load() -> Select[int, Any, Any]:
    is_running = and_(job.c.state == _RUNNING, job.c.lease_until_ms > _moment("now_ms"))
    counted = func.count().label("unfinished")
    running = func.sum(case((is_running, 1), else_=0)).label("running")
    return select(counted, running, func.sum(job.c.characters).label("characters")).where(job.c.state.in_(_ACTIVE))


_LOAD = _build_load()

SELECT_LOAD = Prepared(_LOAD)
"""Sum up what waits and runs at ``now_ms``."""

SELECT_OWN_LOAD = Prepared(_LOAD.where(_OWNER))
"""The same ``of`` one owner."""

SELECT_PACES = Prepared(
    select(job.c.characters, (job.c.finished_at_ms - job.c.started_at_ms).label("spent_ms"))
    # An expression is no column of an index: SQLite would look up every job that is done, and sort them.
    .where(job.c.state.concat("") == JobState.DONE.value, job.c.expires_at_ms.is_not(None))
    .order_by(job.c.expires_at_ms.desc())
    .limit(bindparam("count", type_=Integer))
)
"""Read the length and duration of the ``count`` jobs that were spoken last."""

SELECT_REPEATED = Prepared(
    select(*job.c)
    .where(_OWNER, job.c.idempotency_key == bindparam("key", type_=String), job.c.created_at_ms > _moment("since_ms"))
    .limit(1)
)
"""Read the job ``of`` an owner that was submitted under a ``key`` since ``since_ms``."""

SELECT_RESERVED = Prepared(
    select(*job.c)
    .where(job.c.reserved.is_not(None), job.c.state.not_in(_ACTIVE))
    .limit(bindparam("count", type_=Integer))
)
"""Read up to ``count`` ended jobs for which something is still reserved."""


CLEAR_RESERVED = Prepared(update(job).where(_JOB_ID, job.c.state.not_in(_ACTIVE)).values(reserved=None))
"""Forget what was reserved for the ended job ``job_id``."""


SELECT_ONE = Prepared(select(*job.c).where(_JOB_ID, _OWNER))
"""Read the job ``job_id`` ``of`` one owner."""

SELECT_ANY = Prepared(select(job.c.id).where(_JOB_ID))
"""Read the id of the job ``job_id``, whosever it is."""


_PAGE = (
    select(*job.c)
    .where(_OWNER)
    .order_by(job.c.created_at_ms.desc(), job.c.id.desc())
    .limit(bindparam("count", type_=Integer))
)

SELECT_PAGE = Prepared(_PAGE)
"""Read up to ``count`` jobs ``of`` one owner, newest first."""

_BEFORE = _moment("before_ms")
_IS_OLDER = or_(
    job.c.created_at_ms < _BEFORE,
    and_(job.c.created_at_ms == _BEFORE, job.c.id < bindparam("before_id", type_=String)),
)

SELECT_NEXT_PAGE = Prepared(_PAGE.where(_IS_OLDER))
"""The same of those after the one of ``before_ms`` and ``before_id``."""

SELECT_AUDIO = Prepared(
    select(*(job.c[name] for name in (*_OF_AUDIO[:4], "segments_total", "expires_at_ms")))
    .where(
        job.c.fingerprint == bindparam("sound", type_=String),
        job.c.state == JobState.DONE.value,
        job.c.expires_at_ms > _moment("now_ms"),
    )
    .order_by(job.c.expires_at_ms.desc())
    .limit(1)
)
"""Read the audio of the newest finished job with the fingerprint ``sound`` that has not expired at ``now_ms``."""

SELECT_OVERDUE = Prepared(
    select(job.c.id)
    .where(job.c.state.in_(_ACTIVE), job.c.lease_until_ms <= _moment("before_ms"))
    .order_by(job.c.lease_until_ms, job.c.id)
    .limit(1)
)
"""Read the id of the job that can be claimed for the longest, if it could be before ``before_ms``."""
