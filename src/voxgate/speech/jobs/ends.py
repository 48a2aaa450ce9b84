"""Who waits in this process for the end of a job, so that nobody has to ask the table again and again."""

import contextlib
import threading
from collections.abc import Iterator

from voxgate.speech.jobs.base import Job


class End(threading.Event):
    """Set once a job has ended.

    Attributes:
        job: The job as it is then, where whoever has ended it has read it.
    """

    job: Job | None = None


class Ends:
    """Wakes those who wait for the end of a job; safe to share between threads.

    It knows of what ends through this process alone: whoever waits still looks at the table now and then.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[End]] = {}

    @contextlib.contextmanager
    def watch(self, job_id: str) -> Iterator[End]:
        """Give what is set once a job has ended; look at the job after this and before the first wait."""
        ended = End()
        with self._lock:
            self._waiting.setdefault(job_id, []).append(ended)
        try:
            yield ended
        finally:
            with self._lock:
                self._waiting[job_id].remove(ended)
                if not self._waiting[job_id]:
                    del self._waiting[job_id]

    def tell(self, job_id: str, job: Job | None = None) -> None:
        """Wake who waits for a job that has ended, and give it to them if it is at hand; returns at once."""
        with self._lock:
            for ended in self._waiting.get(job_id, ()):
                ended.job = job
                ended.set()
