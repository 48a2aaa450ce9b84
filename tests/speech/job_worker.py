"""A process of its own for the tests: claims jobs of a database, or begins one and never ends it."""

import sys
import threading
from pathlib import Path

from tests.speech.job_stage import START_MS, FakeSpeaker, open_engine

from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.jobs.run import JobRunner
from voxgate.speech.storage.folder import FolderArtifacts


def now_ms() -> int:
    """Give the time at which every such process lives."""
    return START_MS


def say(line: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def claim_all(queue: JobQueue, name: str) -> None:
    """Print the id of every job that this process gets."""
    say("ready")
    sys.stdin.readline()
    while (job := queue.claim(name)) is not None:
        say(job.id)


def hang(queue: JobQueue, folder: Path) -> None:
    """Claim a job, speak half of it into a file, say so, and hang."""

    def before_segment(index: int) -> None:
        if index == 1:
            say("half")
            threading.Event().wait()

    artifacts = FolderArtifacts(folder / "audio", now_ms=now_ms, ttl_s=600, quota_bytes=10**6)
    job = queue.claim("doomed")
    assert job is not None
    JobRunner(queue, FakeSpeaker(before_segment), artifacts).run(job, lambda: False)


if __name__ == "__main__":
    _, what, where, url, name = sys.argv
    jobs = JobQueue(open_engine(url), now_ms=now_ms)
    if what == "claim":
        claim_all(jobs, name)
    else:
        hang(jobs, Path(where))
