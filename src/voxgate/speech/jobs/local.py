"""The embedded dispatcher: threads of this process that claim jobs from the table.

Of the threads that have nothing to do one looks at the table now and then, and wakes another when it has found a job:
so an idle process asks the database equally seldom, however many threads it has.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable

from voxgate.speech.jobs.base import Job, JobHandler, JobsUnavailableError
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.jobs.trouble import Trouble

POLL_S = 1.0
"""Seconds after which the table is looked at unasked, for the jobs of other processes and of killed workers."""

# Of the time that a stop is given, this much is for jobs to finish; the rest is for handing back those that did not.
_FINISHING_SHARE = 0.7
# So many times longer than the thread that watches do the others wait, should nobody wake them.
_OTHERS_WAIT = 10
_logger = logging.getLogger("voxgate.speech.jobs")


def do_nothing() -> None:
    """Do no chores."""


class LocalDispatcher:
    """Runs jobs in threads of this process, each from claim to end.

    Args:
        queue: Where the jobs are claimed.
        threads: Jobs that run at once.
        chores: Called about once a second in a thread of its own.
        poll_s: Seconds after which the table is looked at unasked.
        logger: Told once when the service is in trouble, and once when it is over.
    """

    def __init__(
        self,
        queue: JobQueue,
        *,
        threads: int,
        chores: Callable[[], None] = do_nothing,
        poll_s: float = POLL_S,
        logger: logging.Logger = _logger,
    ) -> None:
        self._queue = queue
        self._threads_max = threads
        self._chores = chores
        self._poll_s = poll_s
        self._logger = logger
        self._worker_id = f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._changed = threading.Condition()
        self._sent = 0
        self._watch = threading.Lock()
        self._trouble = Trouble("jobs", logger)
        self._running: dict[str, Job] = {}
        self._is_closing = threading.Event()
        self._is_stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def send(self, job_id: str) -> None:  # noqa: ARG002 -- the table says which job is next
        """Wake a thread; returns at once."""
        self._wake()

    def _wake(self) -> None:
        with self._changed:
            self._sent += 1
            self._changed.notify()

    def run(self, handler: JobHandler) -> None:
        """Start the threads; each claimed job goes to `handler`. Once only."""
        self._threads = [
            threading.Thread(target=self._work, args=(handler,), name=f"voxgate-job-{number}", daemon=True)
            for number in range(self._threads_max)
        ]
        self._threads.append(threading.Thread(target=self._tend, name="voxgate-chores", daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float) -> None:
        """Claim no more, let running jobs finish, and hand back those that cannot within `timeout_s`."""
        end = time.monotonic() + timeout_s
        self._is_closing.set()
        with self._changed:
            self._changed.notify_all()
        self._join(time.monotonic() + timeout_s * _FINISHING_SHARE)
        self._is_stopping.set()
        self._join(end - timeout_s * (1 - _FINISHING_SHARE) / 2)
        # What still runs sits in one long segment. Its fence is taken away, so whatever it writes later is void.
        for job in list(self._running.values()):
            self._release(job)

    def _join(self, end: float) -> None:
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _release(self, job: Job) -> None:
        try:
            self._queue.release(job, is_attempt=False)
        except Exception as error:  # noqa: BLE001 -- a stop must not fail; the job comes back when its lease is over
            self._logger.warning("jobs: a running job was not handed back: %s", error)

    def _work(self, handler: JobHandler) -> None:
        while not self._is_closing.is_set():
            try:
                self._work_once(handler)
            except Exception as error:  # noqa: BLE001 -- a broken database or a full disk must not end the thread
                self._is_closing.wait(self._trouble.begin(error))

    def _work_once(self, handler: JobHandler) -> None:
        sent = self._sent
        if not self._run_next(handler):
            self._wait(sent)

    def _run_next(self, handler: JobHandler) -> bool:
        """Claim one job and run it to its end; False when none waits."""
        job = self._queue.claim(self._worker_id)
        self._trouble.end(JobsUnavailableError)
        if job is None:
            return False
        self._wake()  # there may be more
        self._running[job.id] = job
        try:
            handler(job, self._is_stopping.is_set)
        finally:
            del self._running[job.id]
        self._trouble.end()
        return True

    def _wait(self, sent: int) -> None:
        """Wait for a job that was sent after the table was last looked at, or for the turn to look unasked."""
        is_watching = self._watch.acquire(blocking=False)
        try:
            with self._changed:
                wait_s = self._poll_s if is_watching else self._poll_s * _OTHERS_WAIT
                self._changed.wait_for(lambda: self._sent != sent or self._is_closing.is_set(), wait_s)
        finally:
            if is_watching:
                self._watch.release()

    def _tend(self) -> None:
        trouble = Trouble("chores", self._logger)
        while not self._is_closing.is_set():
            try:
                self._chores()
            except Exception as error:  # noqa: BLE001 -- as above
                self._is_closing.wait(trouble.begin(error))
            else:
                trouble.end()
                self._is_closing.wait(self._poll_s)
