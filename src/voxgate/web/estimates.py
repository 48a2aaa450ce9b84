"""When a job will be done: what waits and runs, divided by how fast the last jobs were spoken."""

import statistics
import threading

from voxgate.gate.clock import Clock
from voxgate.speech.jobs.base import Job
from voxgate.speech.jobs.owned import OwnedJobs
from voxgate.speech.jobs.terms import Load

KEPT_MS = 1_000
"""Milliseconds for which the load is taken as it was read, so that many who ask cost one look."""

FIRST_PACE = 2_000.0
"""Characters per second of a service that has spoken nothing yet."""


class Estimates:
    """Guesses when jobs will be done; safe to share between threads.

    Args:
        jobs: The queue.
        clock: Source of time.
    """

    def __init__(self, jobs: OwnedJobs, *, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at_ms: int | None = None
        self._load = Load(0, 0, 0)
        self._pace = FIRST_PACE

    def seconds_left(self, job: Job) -> float | None:
        """Return in how many seconds a job will have ended, as far as that can be told; None once it has."""
        if not job.is_active:
            return None
        now_ms = self._clock.now_ms()
        if job.started_at_ms is not None and job.progress_ratio > 0:
            spent_s = (now_ms - job.started_at_ms) / 1000
            return spent_s * (1 - job.progress_ratio) / job.progress_ratio
        self._look(now_ms)
        # Owners take turns, so what lies before a job is not known; everything that waits is the most that it can be.
        return max(self._load.characters, job.characters) / self._pace / max(1, self._load.running)

    def _look(self, now_ms: int) -> None:
        with self._lock:
            if self._read_at_ms is not None and 0 <= now_ms - self._read_at_ms < KEPT_MS:
                return
            self._read_at_ms = now_ms
            self._load = self._jobs.load()
            paces = self._jobs.last_paces()
            self._pace = max(1.0, statistics.median(paces)) if paces else FIRST_PACE
