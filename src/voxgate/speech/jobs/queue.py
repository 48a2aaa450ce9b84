"""The queue of jobs: whoever holds the fence of a running row may write to it, everyone else is told no."""

from collections.abc import Callable, Mapping

from sqlalchemy import ColumnElement, Engine

from voxgate.speech.jobs import statements
from voxgate.speech.jobs.base import (
    LEASE_S,
    MAX_ATTEMPTS,
    QUEUE_MAX,
    ROW_KEEP_S,
    TTS_JOB_FAILED,
    TTS_JOB_FINISHED,
    EventSink,
    FailureCode,
    Job,
    SpokenAudio,
    ignore_event,
)
from voxgate.speech.jobs.claiming import CLAIM_NEXT
from voxgate.speech.jobs.owned import EVERYBODY, OwnedJobs, take_turns
from voxgate.speech.jobs.prepared import Prepared
from voxgate.speech.jobs.rows import job_of, open_transaction


class JobQueue(OwnedJobs):
    """Jobs in one database, for any number of threads and processes.

    A job is claimed under a lease and a fence. The lease says until when its worker is believed to be alive; once it
    has passed anyone may claim the job again. The fence says who may write: it grows with every change of hands, so a
    worker that was believed dead and comes back changes nothing.

    Args:
        engine: SQLAlchemy engine on a database that has the table ``job``.
        now_ms: Gives the milliseconds since the epoch, UTC; the only source of time.
        queue_max: Jobs that may wait at once.
        lease_s: Seconds a claim or renewal lasts.
        is_open: SQL that tells whether the owner ``of`` a request may have it spoken.
        on_event: Told of every job that is submitted, finished or failed.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        now_ms: Callable[[], int],
        queue_max: int = QUEUE_MAX,
        lease_s: float = LEASE_S,
        is_open: ColumnElement[bool] = EVERYBODY,
        on_event: EventSink = ignore_event,
    ) -> None:
        super().__init__(engine, now_ms=now_ms, queue_max=queue_max, is_open=is_open, on_event=on_event)
        self._lease_ms = int(lease_s * 1000)

    @property
    def lease_s(self) -> float:
        """Seconds a claim or renewal lasts."""
        return self._lease_ms / 1000

    def claim(self, worker_id: str) -> Job | None:
        """Take the next job for a worker, for one lease; None if nothing waits.

        Owners take turns: first comes the one with the fewest running jobs, of these the one whose last job was begun
        the longest ago, and of its jobs the oldest. Passed over are owners with as many running jobs as they may have,
        which dead workers' are not, and jobs that are equal to a running one and will share its audio.
        """
        now_ms = self._now_ms()
        given = {
            "worker_id": worker_id,
            "now_ms": now_ms,
            "until_ms": now_ms + self._lease_ms,
            "max_attempts": MAX_ATTEMPTS,
        }
        # Whoever knows of a claim on SQLite dies with it in a power cut, so it need not wait for the disk.
        with open_transaction(self._engine, is_lasting=False) as transaction:
            take_turns(transaction, "")
            found = transaction.read(CLAIM_NEXT, given)
        if not found:
            return None
        *columns, has_equal = found[0]
        return job_of([*columns, bool(has_equal)])

    def renew(self, job: Job, *, done: int | None = None, total: int | None = None) -> bool:
        """Prolong the lease of a claimed job and note its progress, if both its parts are given.

        Returns:
            False if the job was cancelled or is another worker's by now: stop working on it.
        """
        given = {**_held(job), "until_ms": self._now_ms() + self._lease_ms}
        if done is None or total is None:
            return self._count(statements.RENEW, given, is_lasting=False) == 1
        given |= {"done": done, "total": total}
        return self._count(statements.RENEW_PROGRESS, given, is_lasting=False) == 1

    def finish(self, job: Job, audio: SpokenAudio, *, is_spoken: bool = True) -> bool:
        """End a claimed job with its audio; False, and nothing changes, if it is no longer held.

        Args:
            job: The job as it was claimed.
            audio: Its audio.
            is_spoken: Whether it was spoken for this job; what was reserved for it then stays spent.
        """
        given = {
            **_held(job),
            "new_artifact": audio.artifact,
            "new_media_type": audio.media_type,
            "new_size_bytes": audio.size_bytes,
            "new_duration_s": audio.duration_s,
            "new_segments_done": audio.segments,
            "new_segments_total": audio.segments,
            "new_finished_at_ms": self._now_ms(),
            "new_expires_at_ms": audio.expires_at_ms,
        }
        statement = statements.FINISH_SPOKEN if is_spoken else statements.FINISH_KNOWN
        return self._end(statement, given, TTS_JOB_FINISHED)

    def fail(self, job: Job, code: str, detail: str) -> bool:
        """End a claimed job that cannot be spoken; False, and nothing changes, if it is no longer held.

        Args:
            job: The job as it was claimed.
            code: A `FailureCode`.
            detail: What failed, for its owner to read; cut at 500 characters.
        """
        now_ms = self._now_ms()
        given = {
            **_held(job),
            "new_error_code": str(code),
            "new_error_detail": detail[:500],
            "new_finished_at_ms": now_ms,
            "new_expires_at_ms": now_ms,
        }
        return self._end(statements.FAIL, given, TTS_JOB_FAILED)

    def release(self, job: Job, *, is_attempt: bool, pause_s: float = 0) -> bool:
        """Hand a claimed job back, for any worker to begin anew after `pause_s`; False if it is no longer held.

        Args:
            job: The job as it was claimed.
            is_attempt: Whether this attempt counts; it does not if the job was not to blame.
            pause_s: Seconds for which nobody can claim it.
        """
        given = {
            **_held(job),
            "new_attempts": job.attempts if is_attempt else job.attempts - 1,
            "new_lease_until_ms": self._now_ms() + int(pause_s * 1000),
        }
        return self._change(statements.RELEASE, given) is not None

    def find_audio(self, fingerprint: str) -> SpokenAudio | None:
        """Read what an earlier job with the same fingerprint gave; None if there is none or it expired."""
        with open_transaction(self._engine, is_reading=True) as transaction:
            given = {"sound": fingerprint, "now_ms": self._now_ms()}
            found = transaction.read(statements.SELECT_AUDIO, given)
        if not found:
            return None
        artifact, media_type, size_bytes, duration_s, segments, expires_at_ms = found[0]
        return SpokenAudio(artifact, media_type, size_bytes, duration_s, segments, expires_at_ms)

    def find_overdue(self, waiting_s: float) -> str | None:
        """Read the id of the job that nobody has begun for the longest, `waiting_s` after anybody could have."""
        before_ms = self._now_ms() - int(waiting_s * 1000)
        with open_transaction(self._engine, is_reading=True) as transaction:
            found = transaction.read(statements.SELECT_OVERDUE, {"before_ms": before_ms})
        return found[0][0] if found else None

    def give_up(self) -> tuple[Job, ...]:
        """Fail every job that nobody holds and that was begun too often or waited a day; gives those jobs.

        Cheap when there is nothing to do; any process may call it about once a second.
        """
        now_ms = self._now_ms()
        exhausted = {
            "code": FailureCode.ATTEMPTS_EXHAUSTED.value,
            "detail": f"The job was begun {MAX_ATTEMPTS} times and never came to its end.",
            "now_ms": now_ms,
            "max_attempts": MAX_ATTEMPTS,
        }
        late = {
            "code": FailureCode.WAITED_TOO_LONG.value,
            "detail": "The job could not be finished within a day.",
            "now_ms": now_ms,
        }
        with open_transaction(self._engine) as transaction:
            rows = [
                *transaction.read(statements.GIVE_UP_EXHAUSTED, exhausted),
                *transaction.read(statements.GIVE_UP_LATE, late),
            ]
        jobs = tuple(job_of(row) for row in rows)
        for job in jobs:
            self._tell(TTS_JOB_FAILED, job)
        return jobs

    def sweep(self) -> int:
        """Remove the rows of ended jobs a week after their audio expired; gives their number."""
        return self._count(statements.REMOVE_OLD, {"before_ms": self._now_ms() - ROW_KEEP_S * 1000})

    def _change(self, statement: Prepared, given: Mapping[str, object]) -> Job | None:
        with open_transaction(self._engine) as transaction:
            found = transaction.read(statement, given)
        return job_of(found[0]) if found else None

    def _end(self, statement: Prepared, given: Mapping[str, object], event: str) -> bool:
        ended = self._change(statement, given)
        if ended is not None:
            self.ends.tell(ended.id, ended)
            self._tell(event, ended)
        return ended is not None


def _held(job: Job) -> dict[str, object]:
    return {"job_id": job.id, "held": job.fence}
