"""Jobs: requests to speak that survive a crash, and the dispatchers that bring them to workers."""

from collections.abc import Callable
from typing import Protocol

from voxgate.speech.artifacts import Artifacts
from voxgate.speech.jobs.local import POLL_S, LocalDispatcher
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.jobs.run import JobRunner, Speaker
from voxgate.speech.jobs.upkeep import Upkeep


class Sender(Protocol):
    """Says that a job waits."""

    def send(self, job_id: str) -> None:
        """Say it; returns at once."""
        ...

    def stop(self, timeout_s: float) -> None:
        """Stop saying it, within `timeout_s`."""
        ...


def open_dispatcher(
    queue: JobQueue,
    speaker: Speaker,
    *,
    artifacts: Artifacts,
    now_ms: Callable[[], int],
    threads: int,
    poll_s: float = POLL_S,
) -> LocalDispatcher:
    """Start to run the jobs of `queue` in threads of this process.

    Args:
        queue: The jobs.
        speaker: The synthesizer.
        artifacts: Where their audio goes.
        now_ms: Gives the milliseconds since the epoch, UTC.
        threads: Jobs that run at once.
        poll_s: Seconds after which the table is looked at unasked.

    Returns:
        The running dispatcher: `send` it the id of each new job, and `stop` it at the end.
    """
    upkeep = Upkeep(queue, artifacts, now_ms=now_ms)
    dispatcher = LocalDispatcher(queue, threads=threads, chores=upkeep.tick, poll_s=poll_s)
    dispatcher.run(JobRunner(queue, speaker, artifacts).run)
    return dispatcher


def open_celery_dispatcher(
    queue: JobQueue, speaker: Speaker, *, artifacts: Artifacts, now_ms: Callable[[], int], threads: int, broker_url: str
) -> LocalDispatcher:
    """Start to run the jobs that a broker tells of; otherwise as `open_dispatcher`.

    Raises:
        ModuleNotFoundError: Celery is not installed.
    """
    from voxgate.speech.jobs.celery import CeleryDispatcher  # noqa: PLC0415 -- its library is an extra

    upkeep = Upkeep(queue, artifacts, now_ms=now_ms)
    dispatcher = CeleryDispatcher(queue, broker_url, threads=threads, chores=upkeep.tick)
    dispatcher.run(JobRunner(queue, speaker, artifacts).run)
    return dispatcher


def check_celery_broker(broker_url: str) -> None:
    """Return when a broker answers.

    Raises:
        ModuleNotFoundError: Celery is not installed.
        BrokerUnavailableError: It does not answer.
    """
    from voxgate.speech.jobs.celery import check_broker  # noqa: PLC0415 -- as above

    check_broker(broker_url)


def open_celery_sender(broker_url: str) -> Sender:
    """Start to tell a broker of jobs.

    Raises:
        ModuleNotFoundError: Celery is not installed.
    """
    from voxgate.speech.jobs.celery import CelerySender  # noqa: PLC0415 -- as above

    return CelerySender(broker_url)
