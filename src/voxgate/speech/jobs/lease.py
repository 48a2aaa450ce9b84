"""Keeping hold of one running job: progress and a heartbeat renew its lease, and its loss stops the work.

A segment may take its deadline (10 s) twice, on the first worker and on a fresh one, which is longer than the lease
(15 s). The lease stays short all the same, because it is also how long a killed worker's job lies still; so a thread
renews it while a segment is spoken. The heartbeat itself ends when nothing has been spoken for `STALL_S`: a job that
hangs in spite of every deadline goes back to the queue and is not kept running for ever.
"""

import contextlib
import threading
import time
from collections.abc import Iterator

from voxgate.speech.jobs.base import IsStopping, Job, JobsUnavailableError
from voxgate.speech.jobs.pulse import Pulse
from voxgate.speech.jobs.queue import JobQueue

STALL_S = 60.0
"""Seconds without a spoken segment after which a job's heart stops."""

BEATS_PER_LEASE = 3
"""Times that a lease is renewed while it lasts."""

# A job of sixty short segments must not be written down sixty times, and a short job not at all.
_PROGRESS_EVERY_S = 0.5


class Lease:
    """The hold of one worker on one job; see the module.

    Args:
        queue: Where the job was claimed.
        job: The job as it was claimed.
        is_stopping: Tells that the work has to stop at its next segment.
        stall_s: Seconds without progress after which the lease is no longer renewed.
    """

    def __init__(self, queue: JobQueue, job: Job, is_stopping: IsStopping, *, stall_s: float = STALL_S) -> None:
        self._queue = queue
        self._job = job
        self._is_stopping = is_stopping
        self._stall_s = stall_s
        self._lost = threading.Event()
        self._ended = threading.Event()
        self._held_until = time.monotonic() + queue.lease_s
        self._progressed_at = time.monotonic()
        self._noted_at = self._progressed_at

    @property
    def is_lost(self) -> bool:
        """Tell whether the job was cancelled or is another worker's by now."""
        return self._lost.is_set() or self._ended.is_set()

    def note_progress(self, done: int, total: int) -> bool:
        """Note that `done` of `total` segments are spoken; False: stop.

        Written at most twice a second, and then it is seen what has become of the job elsewhere; what has ended in
        this process is known at once. When the last segment is spoken only a loss stops a job.
        """
        now = time.monotonic()
        self._progressed_at = now
        if now - self._noted_at >= _PROGRESS_EVERY_S:
            self._noted_at = now
            self._renew(done, total)
        return not self.is_lost and (done >= total or not self._is_stopping())

    @contextlib.contextmanager
    def beating(self, pulse: Pulse) -> Iterator[None]:
        """Renew the lease by a pulse, and hear of the job's end, while the block runs."""
        with self._queue.ends.watch(self._job.id) as self._ended, pulse.calling(self._beat):
            yield

    def _beat(self) -> bool:
        if self.is_lost or time.monotonic() - self._progressed_at > self._stall_s:
            return False
        self._renew(None, None)
        return not self.is_lost

    def _renew(self, done: int | None, total: int | None) -> None:
        began = time.monotonic()
        try:
            is_held = self._queue.renew(self._job, done=done, total=total)
        except JobsUnavailableError:
            # Nobody else can have claimed it before the lease is over, so a short trouble costs nothing.
            is_held = began < self._held_until
        else:
            self._held_until = began + self._queue.lease_s
        if not is_held:
            self._lost.set()
