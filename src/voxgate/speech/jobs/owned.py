"""What the owner of jobs asks: submitted, listed, cancelled and removed; and what is known of all jobs together."""

import secrets
from collections.abc import Callable, Mapping

from sqlalchemy import ColumnElement, Connection, Engine, true

from voxgate.speech.jobs import statements
from voxgate.speech.jobs.base import (
    MAX_WAIT_S,
    QUEUE_MAX,
    REPEAT_WITHIN_S,
    TTS_JOB_SUBMITTED,
    Cursor,
    EventSink,
    FailureCode,
    Job,
    JobPage,
    JobState,
    QueueFull,
    ignore_event,
)
from voxgate.speech.jobs.ends import Ends
from voxgate.speech.jobs.prepared import Prepared
from voxgate.speech.jobs.rows import Transaction, job_of, open_transaction
from voxgate.speech.jobs.terms import NO_TERMS, Load, OwnerClosed, OwnerFull, Repeated, Terms
from voxgate.speech.request import SpeechRequest, count_characters

EVERYBODY = true()
"""Lets every owner have requests spoken."""

_DISABLED = "The account was disabled before the job came to its end."


class OwnedJobs:
    """The owner's side of the queue, see ``JobQueue``.

    Args:
        engine: SQLAlchemy engine on a database that has the table ``job``.
        now_ms: Gives the milliseconds since the epoch, UTC; the only source of time.
        queue_max: Jobs that may wait at once.
        is_open: SQL that tells whether the owner ``of`` a request may have it spoken.
        on_event: Told of every job that is submitted, finished or failed.

    Attributes:
        ends: Tells of the jobs that this process brings to their end, or cancels.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        now_ms: Callable[[], int],
        queue_max: int = QUEUE_MAX,
        is_open: ColumnElement[bool] = EVERYBODY,
        on_event: EventSink = ignore_event,
    ) -> None:
        self._engine = engine
        self._now_ms = now_ms
        self._queue_max = queue_max
        self._count_unfinished = statements.count_unfinished(is_open)
        self._on_event = on_event
        self.ends = Ends()

    def submit(
        self, request: SpeechRequest, *, owner: str, fingerprint: str, terms: Terms = NO_TERMS
    ) -> Job | Repeated | OwnerClosed | OwnerFull | QueueFull:
        """Write down a faultless request for `owner`; it waits from now on and survives a crash.

        The bounds of one owner are exact, and one name gives one job, however many ask at once.

        Args:
            request: What to say and how.
            owner: Subject of the account that asks.
            fingerprint: What the synthesizer calls this request.
            terms: What binds it beside.

        Raises:
            JobsUnavailableError: The database did not take it.
        """
        row = _row_of(request, owner, fingerprint, terms=terms, now_ms=self._now_ms())
        row["queue_max"] = self._queue_max
        with open_transaction(self._engine) as transaction:
            take_turns(transaction, owner)
            known = self._find_repeated(transaction, owner, terms.idempotency_key)
            if known is not None:
                return Repeated(known)
            [(unfinished, is_open)] = transaction.read(self._count_unfinished, {"of": owner})
            if not is_open:
                return OwnerClosed()
            if terms.unfinished_max is not None and unfinished >= terms.unfinished_max:
                return OwnerFull(terms.unfinished_max)
            found = transaction.read(statements.INSERT_UNLESS_FULL, row)
        if not found:
            return QueueFull(self._queue_max)
        job = job_of(found[0])
        self._tell(TTS_JOB_SUBMITTED, job)
        return job

    def find_repeated(self, owner: str, idempotency_key: str) -> Job | None:
        """Read the job that `owner` gave this name within the last day; None if there is none."""
        with open_transaction(self._engine, is_reading=True) as transaction:
            return self._find_repeated(transaction, owner, idempotency_key)

    def find(self, job_id: str, owner: str) -> Job | None:
        """Read a job of `owner`; None if there is none, or if it is another's."""
        with open_transaction(self._engine, is_reading=True) as transaction:
            found = transaction.read(statements.SELECT_ONE, {"job_id": job_id, "of": owner})
        return job_of(found[0]) if found else None

    def has(self, job_id: str) -> bool:
        """Tell whether there is a job of this id, whosever it is."""
        with open_transaction(self._engine, is_reading=True) as transaction:
            return bool(transaction.read(statements.SELECT_ANY, {"job_id": job_id}))

    def list(self, owner: str, *, limit: int = 20, before: Cursor | None = None) -> JobPage:
        """Read up to `limit` jobs of `owner`, newest first, from after the place `before`."""
        statement, given = statements.SELECT_PAGE, {"of": owner, "count": limit + 1}
        if before is not None:
            statement = statements.SELECT_NEXT_PAGE
            given |= {"before_ms": before.created_at_ms, "before_id": before.job_id}
        with open_transaction(self._engine, is_reading=True) as transaction:
            rows = transaction.read(statement, given)
        jobs = tuple(job_of(row) for row in rows[:limit])
        has_more = len(rows) > limit and jobs
        return JobPage(jobs, Cursor(jobs[-1].created_at_ms, jobs[-1].id) if has_more else None)

    def cancel(self, job_id: str, owner: str) -> bool:
        """End a waiting or running job of `owner`; False if there is none. Its worker stops at the next segment."""
        is_cancelled = self._count(statements.CANCEL, {"job_id": job_id, "of": owner, "now_ms": self._now_ms()}) == 1
        if is_cancelled:
            self.ends.tell(job_id)
        return is_cancelled

    def cancel_all(self, connection: Connection, owner: str) -> None:
        """End every job of `owner` that waits or runs, in the transaction that disables the account.

        Whatever is submitted meanwhile waits for that transaction, and is refused after it.
        """
        if connection.dialect.name == "postgresql":
            connection.execute(statements.TAKE_TURNS.statement, {"name": owner})
        reason = {"error_code": FailureCode.ACCOUNT_DISABLED.value, "error_detail": _DISABLED}
        given = {"of": owner, "now_ms": self._now_ms()}
        connection.execute(statements.CANCEL_ALL.statement.values(reason), given)

    def remove(self, job_id: str, owner: str) -> bool:
        """Remove an ended job of `owner` from sight; False if there is none for which nothing is reserved any more."""
        return self._count(statements.REMOVE_ENDED, {"job_id": job_id, "of": owner}) == 1

    def load(self, owner: str | None = None) -> Load:
        """Read how much waits and runs, of one owner or of all."""
        now_ms = self._now_ms()
        with open_transaction(self._engine, is_reading=True) as transaction:
            if owner is None:
                [row] = transaction.read(statements.SELECT_LOAD, {"now_ms": now_ms})
            else:
                [row] = transaction.read(statements.SELECT_OWN_LOAD, {"now_ms": now_ms, "of": owner})
        unfinished, running, characters = row
        return Load(unfinished=unfinished, running=running or 0, characters=characters or 0)

    def last_paces(self, count: int = 20) -> tuple[float, ...]:
        """Read how fast the last jobs were spoken, in characters per second."""
        with open_transaction(self._engine, is_reading=True) as transaction:
            rows = transaction.read(statements.SELECT_PACES, {"count": count})
        return tuple(characters * 1000 / max(1, spent_ms) for characters, spent_ms in rows)

    def list_reserved(self, count: int = 100) -> tuple[Job, ...]:
        """Read ended jobs for which what was reserved has to be given back; none is the usual answer."""
        with open_transaction(self._engine, is_reading=True) as transaction:
            rows = transaction.read(statements.SELECT_RESERVED, {"count": count})
        return tuple(job_of(row) for row in rows)

    def note_given_back(self, job_id: str) -> None:
        """Note that what was reserved for an ended job was given back."""
        self._count(statements.CLEAR_RESERVED, {"job_id": job_id})

    def _find_repeated(self, transaction: Transaction, owner: str, idempotency_key: str | None) -> Job | None:
        if idempotency_key is None:
            return None
        given = {"of": owner, "key": idempotency_key, "since_ms": self._now_ms() - REPEAT_WITHIN_S * 1000}
        found = transaction.read(statements.SELECT_REPEATED, given)
        return job_of(found[0]) if found else None

    def _count(self, statement: Prepared, given: Mapping[str, object], *, is_lasting: bool = True) -> int:
        with open_transaction(self._engine, is_lasting=is_lasting) as transaction:
            return transaction.count(statement, given)

    def _tell(self, event: str, job: Job) -> None:
        fields = {
            "job_id": job.id,
            "subject": job.owner,
            "characters": job.characters,
            "attempts": job.attempts,
            "segments": job.segments_total,
            "duration_s": job.duration_s,
            "size_bytes": job.size_bytes,
            "code": job.error_code,
        }
        self._on_event(event, {name: value for name, value in fields.items() if value is not None})


def take_turns(transaction: Transaction, name: str) -> None:
    """Wait until nobody else is in a transaction of this name: an owner's, or the empty one of the claims."""
    if transaction.is_postgres:
        transaction.read(statements.TAKE_TURNS, {"name": name})


def _row_of(request: SpeechRequest, owner: str, fingerprint: str, *, terms: Terms, now_ms: int) -> dict[str, object]:
    columns = {
        "id": terms.job_id or secrets.token_hex(16),
        "owner": owner,
        "state": JobState.QUEUED.value,
        "text": request.text,
        "voice_name": request.voice_name,
        "output_format": request.output_format,
        "speed_ratio": request.speed_ratio,
        "pitch_semitones": request.pitch_semitones,
        "sample_rate_hz": request.sample_rate_hz,
        "language": request.language,
        "input_format": request.input_format,
        "fingerprint": fingerprint,
        "characters": count_characters(request),
        "segments_done": 0,
        "segments_total": 0,
        "attempts": 0,
        "fence": 0,
        "lease_until_ms": now_ms,
        "created_at_ms": now_ms,
        "expires_at_ms": now_ms + MAX_WAIT_S * 1000,
        "at_once": terms.at_once,
        "reserved": terms.reserved,
        "idempotency_key": terms.idempotency_key,
    }
    return {f"new_{name}": value for name, value in columns.items()}
