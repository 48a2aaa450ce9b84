"""What somebody has to do now and then: give up hopeless jobs, remove old rows and old audio."""

from collections.abc import Callable

from voxgate.speech.artifacts import Artifacts
from voxgate.speech.jobs.queue import JobQueue

SWEEP_EVERY_S = 60


class Upkeep:
    """The chores of the queue; any number of processes may do them.

    Args:
        queue: The jobs.
        artifacts: Their audio.
        now_ms: Gives the milliseconds since the epoch, UTC.
    """

    def __init__(self, queue: JobQueue, artifacts: Artifacts, *, now_ms: Callable[[], int]) -> None:
        self._queue = queue
        self._artifacts = artifacts
        self._now_ms = now_ms
        self._sweep_at_ms = 0

    def tick(self) -> None:
        """Give up hopeless jobs; once a minute remove what is old. Call it about once a second.

        Raises:
            JobsUnavailableError: The database failed.
            ArtifactStorageError: The folder of the audio failed.
        """
        self._queue.give_up()
        if self._now_ms() >= self._sweep_at_ms:
            self._sweep_at_ms = self._now_ms() + SWEEP_EVERY_S * 1000
            self._queue.sweep()
            self._artifacts.sweep()
