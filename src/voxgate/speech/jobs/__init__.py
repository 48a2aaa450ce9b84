"""Jobs: requests to speak that survive a crash, and the dispatchers that bring them to workers."""

from collections.abc import Callable

from voxgate.speech.artifacts import Artifacts
from voxgate.speech.jobs.local import POLL_S, LocalDispatcher
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.jobs.run import JobRunner, Speaker
from voxgate.speech.jobs.upkeep import Upkeep


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
