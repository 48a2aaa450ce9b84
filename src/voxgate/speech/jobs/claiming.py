"""The statement that gives the next job to a worker, for SQLite and PostgreSQL; one statement, hence atomic."""

from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    String,
    Update,
    and_,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.expression import ColumnElement, FromClause, ScalarSelect

from voxgate.speech.jobs.base import ACTIVE_STATES, JobState
from voxgate.speech.jobs.prepared import Prepared
from voxgate.speech.jobs.table import job

# Plain strings: what a database driver makes of an enum member is its own affair.
_QUEUED = JobState.QUEUED.value
_RUNNING = JobState.RUNNING.value
# Each a value of its own: a list as one value is only written out when it is given.
_ENDED = [literal(state.value) for state in JobState if state not in ACTIVE_STATES]


def _count_running(row: FromClause, now_ms: ColumnElement[int]) -> ScalarSelect[int]:
    """Count the running jobs of the owner of a row; a dead worker's do not run."""
    runs = job.alias("runs")
    # Added to nothing, so that SQLite looks the owner up and not every lease.
    is_held = runs.c.lease_until_ms + 0 > now_ms
    is_running = and_(runs.c.owner == row.c.owner, runs.c.state == _RUNNING, is_held)
    return select(func.count()).where(is_running).correlate(row).scalar_subquery()


def _is_ready(row: FromClause, now_ms: ColumnElement[int]) -> ColumnElement[bool]:
    equal = job.alias("equal")
    spoken_now = select(equal.c.fingerprint).where(equal.c.state == _RUNNING, equal.c.lease_until_ms > now_ms)
    return and_(
        row.c.lease_until_ms <= now_ms,
        row.c.attempts < bindparam("max_attempts", type_=Integer),
        or_(row.c.at_once.is_(None), _count_running(row, now_ms) < row.c.at_once),
        row.c.fingerprint.not_in(spoken_now),
    )


def _select_firsts(now_ms: ColumnElement[int]) -> Select[str]:
    """Choose of each owner the first job that waits, owner by owner, so that the others are not even looked at."""
    first, later = job.alias("first"), job.alias("later")
    query = select(func.min(first.c.owner).label("owner")).where(first.c.state == _QUEUED)
    owners = query.cte("owners", recursive=True, nesting=True)
    after = select(func.min(later.c.owner)).where(later.c.state == _QUEUED, later.c.owner > owners.c.owner)
    owners = owners.union_all(select(after.correlate(owners).scalar_subquery()).where(owners.c.owner.is_not(None)))

    def oldest(row: FromClause, is_wanted: ColumnElement[bool]) -> ScalarSelect[str]:
        its_own = and_(row.c.state == _QUEUED, row.c.owner == owners.c.owner, is_wanted, _is_ready(row, now_ms))
        # Attempts stand in the order, and are bounds below, because SQLite otherwise takes an index that has no states.
        by_age = select(row.c.id).where(its_own).order_by(row.c.attempts, row.c.created_at_ms, row.c.id).limit(1)
        return by_age.correlate(owners).scalar_subquery()

    # A job that has had its turn and was not finished comes before those that were never begun.
    begun, fresh = job.alias("begun"), job.alias("fresh")
    chosen = func.coalesce(oldest(begun, begun.c.attempts > 0), oldest(fresh, fresh.c.attempts < 1))
    return select(chosen).where(owners.c.owner.is_not(None))


def _select_next(now_ms: ColumnElement[int]) -> ScalarSelect[str]:
    """Choose the job whose turn it is."""
    waiting, dropped, taken = job.alias("waiting"), job.alias("dropped"), job.alias("taken")
    last_turn = select(func.max(taken.c.started_at_ms)).where(taken.c.owner == waiting.c.owner).scalar_subquery()
    turn = case((waiting.c.attempts > 0, 0), else_=func.coalesce(last_turn, 0))
    of_dead_workers = select(dropped.c.id).where(dropped.c.state == _RUNNING, _is_ready(dropped, now_ms))
    # Said once more of the row itself, because on PostgreSQL its owner may have cancelled it meanwhile; in a form for
    # which SQLite has no index, so that it goes by the id.
    is_free = and_(waiting.c.state.not_in(_ENDED), waiting.c.lease_until_ms + 0 <= now_ms)
    return (
        select(waiting.c.id)
        .where(waiting.c.id.in_(union_all(_select_firsts(now_ms), of_dead_workers)), is_free)
        .order_by(_count_running(waiting, now_ms), turn, waiting.c.created_at_ms, waiting.c.id)
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
        .returning(*job.c, _has_equal(now_ms).label("has_equal"))
    )


def _has_equal(now_ms: ColumnElement[int]) -> ColumnElement[bool]:
    """Tell whether an equal job has given its audio; most have none, and need not look for it in a second statement."""
    done = job.alias("done")
    # Literally, because for SQLite the columns of what is returned are named without their table.
    claimed: ColumnElement[str] = literal_column("job.fingerprint", String)
    is_equal = and_(done.c.fingerprint == claimed, done.c.state == JobState.DONE.value)
    return select(done.c.id).where(is_equal, done.c.expires_at_ms > now_ms).exists()


CLAIM_NEXT = Prepared(_build_claim())
"""Give the next job to ``worker_id``: of the owner whose turn it is, the oldest, see ``JobQueue.claim``.

Takes ``now_ms``, ``until_ms`` (end of the lease) and ``max_attempts``. Claims are made one after the other, so that
each sees what runs.
"""
