"""The threads behind the service, started by the first need and stopped once."""

import threading
from collections.abc import Callable

from voxgate.speech.jobs import Sender

STOP_TIMEOUT_S = 8.0


class Background:
    """Runs the jobs of this process, or says to others that they wait; safe to share between threads.

    Args:
        open_dispatcher: Starts what is sent the ids of new jobs; None when other processes look for them unasked.
    """

    def __init__(self, open_dispatcher: Callable[[], Sender] | None) -> None:
        self._open = open_dispatcher
        self._lock = threading.Lock()
        self._dispatcher: Sender | None = None
        self._is_stopped = False

    def start(self) -> None:
        """Start what does not run yet; a served process does it at once, for the jobs that it finds waiting."""
        with self._lock:
            if self._open is not None and self._dispatcher is None and not self._is_stopped:
                self._dispatcher = self._open()

    def send(self, job_id: str) -> None:
        """Bring a job that was just submitted to a worker; returns at once."""
        self.start()
        if self._dispatcher is not None:
            self._dispatcher.send(job_id)

    def stop(self) -> None:
        """Let running jobs finish or hand them back; starts nothing any more. Stopping again is no error."""
        with self._lock:
            dispatcher, self._dispatcher, self._is_stopped = self._dispatcher, None, True
        if dispatcher is not None:
            dispatcher.stop(STOP_TIMEOUT_S)
