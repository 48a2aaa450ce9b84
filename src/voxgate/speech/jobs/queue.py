"""The queue of jobs: whoever holds the fence of a running row may write to it, everyone else is told no."""

import dataclasses
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, Executable, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from voxgate.speech.jobs import statements
from voxgate.speech.jobs.base import (
    LEASE_S,
    MAX_ATTEMPTS,
    MAX_WAIT_S,
    QUEUE_MAX,
    ROW_KEEP_S,
    TTS_JOB_FAILED,
    TTS_JOB_FINISHED,
    TTS_JOB_SUBMITTED,
    Cursor,
    EventSink,
    FailureCode,
    Job,
    JobPage,
    JobState,
    JobsUnavailableError,
    QueueFull,
    SpokenAudio,
    ignore_event,
)
from voxgate.speech.request import SpeechRequest


class JobQueue:
    """Jobs in one database, for any number of threads and processes.

    A job is claimed under a lease and a fence. The lease says until when its worker is believed to be alive; once it
    has passed anyone may claim the job again. The fence says who may write: it grows with every change of hands, so a
    worker that was believed dead and comes back changes nothing.

    Args:
        engine: SQLAlchemy engine on a database that has the table ``job``.
        now_ms: Gives the milliseconds since the epoch, UTC; the only source of time.
        queue_max: Jobs that may wait at once.
        lease_s: Seconds a claim or renewal lasts.
        max_attempts: Times a job is begun before it fails.
        on_event: Told of every job that is submitted, finished or failed.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        now_ms: Callable[[], int],
        queue_max: int = QUEUE_MAX,
        lease_s: float = LEASE_S,
        max_attempts: int = MAX_ATTEMPTS,
        on_event: EventSink = ignore_event,
    ) -> None:
        self._writing = engine
        # Read by the accounts' database, which on SQLite then does not take the write lock; on PostgreSQL a question
        # that stands alone spares two trips.
        alone = {"isolation_level": "AUTOCOMMIT"} if engine.dialect.name == "postgresql" else {}
        self._reading = engine.execution_options(is_reading=True, **alone)
        self._now_ms = now_ms
        self._queue_max = queue_max
        self._lease_ms = int(lease_s * 1000)
        self._max_attempts = max_attempts
        self._on_event = on_event

    @property
    def lease_s(self) -> float:
        """Seconds a claim or renewal lasts."""
        return self._lease_ms / 1000

    def submit(self, request: SpeechRequest, *, owner: str, fingerprint: str) -> Job | QueueFull:
        """Write down a faultless request for `owner`; it waits from now on and survives a crash.

        Args:
            request: What to say and how.
            owner: Subject of the account that asks.
            fingerprint: What the synthesizer calls this request.

        Raises:
            JobsUnavailableError: The database did not take it.
        """
        now_ms = self._now_ms()
        row = {
            "id": secrets.token_hex(16),
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
            "characters": len(request.text),
            "segments_done": 0,
            "segments_total": 0,
            "attempts": 0,
            "fence": 0,
            "lease_until_ms": now_ms,
            "created_at_ms": now_ms,
            "expires_at_ms": now_ms + MAX_WAIT_S * 1000,
        }
        job = self._write_one(statements.insert_unless_full(row, queue_max=self._queue_max))
        if job is None:
            return QueueFull(self._queue_max)
        self._tell(TTS_JOB_SUBMITTED, job)
        return job

    def find(self, job_id: str, owner: str) -> Job | None:
        """Read a job of `owner`; None if there is none, or if it is another's."""
        with _connection(self._reading) as connection:
            row = connection.execute(statements.select_one(job_id, owner)).one_or_none()
        return None if row is None else _job(row)

    def list(self, owner: str, *, limit: int = 20, before: Cursor | None = None) -> JobPage:
        """Read up to `limit` jobs of `owner`, newest first, from after the place `before`."""
        with _connection(self._reading) as connection:
            rows = connection.execute(statements.select_page(owner, limit=limit + 1, before=before)).all()
        jobs = tuple(_job(row) for row in rows[:limit])
        has_more = len(rows) > limit and jobs
        return JobPage(jobs, Cursor(jobs[-1].created_at_ms, jobs[-1].id) if has_more else None)

    def claim(self, worker_id: str) -> Job | None:
        """Take the next job for a worker, for one lease; None if nothing waits.

        Owners take turns: the one with the fewest running jobs comes first, then the oldest job.
        """
        now_ms = self._now_ms()
        return self._write_one(
            statements.CLAIM_NEXT,
            worker_id=worker_id,
            now_ms=now_ms,
            until_ms=now_ms + self._lease_ms,
            max_attempts=self._max_attempts,
        )

    def renew(self, job: Job, *, done: int | None = None, total: int | None = None) -> bool:
        """Prolong the lease of a claimed job and note its progress, if given.

        Returns:
            False if the job was cancelled or is another worker's by now: stop working on it.
        """
        statement = statements.renew(job.id, job.fence, lease_until_ms=self._now_ms() + self._lease_ms)
        if done is not None:
            statement = statement.values(segments_done=done)
        if total is not None:
            statement = statement.values(segments_total=total)
        return self._count(statement) == 1

    def finish(self, job: Job, audio: SpokenAudio) -> bool:
        """End a claimed job with its audio; False, and nothing changes, if it is no longer held."""
        values = {
            **statements.ended(JobState.DONE, now_ms=self._now_ms()),
            "artifact": audio.artifact,
            "media_type": audio.media_type,
            "size_bytes": audio.size_bytes,
            "duration_s": audio.duration_s,
            "segments_done": audio.segments,
            "segments_total": audio.segments,
            "expires_at_ms": audio.expires_at_ms,
        }
        return self._end(job, values, TTS_JOB_FINISHED)

    def fail(self, job: Job, code: str, detail: str) -> bool:
        """End a claimed job that cannot be spoken; False, and nothing changes, if it is no longer held.

        Args:
            job: The job as it was claimed.
            code: A `FailureCode`.
            detail: What failed, for its owner to read; cut at 500 characters.
        """
        values = {
            **statements.ended(JobState.FAILED, now_ms=self._now_ms()),
            "error_code": str(code),
            "error_detail": detail[:500],
        }
        return self._end(job, values, TTS_JOB_FAILED)

    def release(self, job: Job, *, is_attempt: bool, pause_s: float = 0) -> bool:
        """Hand a claimed job back, for any worker to begin anew after `pause_s`; False if it is no longer held.

        Args:
            job: The job as it was claimed.
            is_attempt: Whether this attempt counts; it does not if the job was not to blame.
            pause_s: Seconds for which nobody can claim it.
        """
        values = {
            "state": JobState.QUEUED.value,
            "attempts": job.attempts if is_attempt else job.attempts - 1,
            "lease_until_ms": self._now_ms() + int(pause_s * 1000),
            "segments_done": 0,
        }
        return self._write_one(statements.end_held(job.id, job.fence, values)) is not None

    def cancel(self, job_id: str, owner: str) -> bool:
        """End a waiting or running job of `owner`; False if there is none. Its worker stops at the next segment."""
        return self._count(statements.cancel(job_id, owner, now_ms=self._now_ms())) == 1

    def remove(self, job_id: str, owner: str) -> bool:
        """Remove an ended job of `owner` from sight; False if there is no such job."""
        return self._count(statements.remove_ended(job_id, owner)) == 1

    def find_audio(self, fingerprint: str) -> SpokenAudio | None:
        """Read what an earlier job with the same fingerprint gave; None if there is none or it expired."""
        with _connection(self._reading) as connection:
            row = connection.execute(statements.select_audio(fingerprint, now_ms=self._now_ms())).one_or_none()
        if row is None:
            return None
        return SpokenAudio(
            row.artifact, row.media_type, row.size_bytes, row.duration_s, row.segments_total, row.expires_at_ms
        )

    def give_up(self) -> tuple[Job, ...]:
        """Fail every job that nobody holds and that was begun too often or waited a day; gives those jobs.

        Cheap when there is nothing to do; any process may call it about once a second.
        """
        now_ms = self._now_ms()
        exhausted = statements.give_up(
            FailureCode.ATTEMPTS_EXHAUSTED.value,
            f"The job was begun {self._max_attempts} times and never came to its end.",
            now_ms=now_ms,
            max_attempts=self._max_attempts,
        )
        too_late = statements.give_up(
            FailureCode.WAITED_TOO_LONG.value,
            "The job could not be finished within a day.",
            now_ms=now_ms,
            max_attempts=None,
        )
        with _connection(self._writing) as connection:
            jobs = tuple(
                _job(row) for statement in (exhausted, too_late) for row in connection.execute(statement).all()
            )
        for job in jobs:
            self._tell(TTS_JOB_FAILED, job)
        return jobs

    def sweep(self) -> int:
        """Remove the rows of ended jobs a week after their audio expired; gives their number."""
        return self._count(statements.remove_old(self._now_ms() - ROW_KEEP_S * 1000))

    def _end(self, job: Job, values: dict[str, object], event: str) -> bool:
        ended = self._write_one(statements.end_held(job.id, job.fence, values))
        if ended is not None:
            self._tell(event, ended)
        return ended is not None

    def _write_one(self, statement: Executable, **values: str | int) -> Job | None:
        with _connection(self._writing) as connection:
            row = connection.execute(statement, values).one_or_none()
        return None if row is None else _job(row)

    def _count(self, statement: Executable) -> int:
        with _connection(self._writing) as connection:
            return connection.execute(statement).rowcount

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


@contextmanager
def _connection(engine: Engine) -> Iterator[Connection]:
    """Open one transaction; its trouble is told without the statement's parameters, hence without anybody's text."""
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        # PostgreSQL quotes the row from the second line on.
        raise JobsUnavailableError(str(error.orig).partition("\n")[0]) from None
    except PoolTimeoutError as error:
        raise JobsUnavailableError(f"no connection: {error}") from error


def _job(row: Row[tuple[object, ...]]) -> Job:
    values = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for a row as a mapping
    return dataclasses.replace(Job(**values), state=JobState(values["state"]))
