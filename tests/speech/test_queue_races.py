"""The queue under threads and processes that race, and under a worker that is killed."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.speech.job_stage import PATIENCE_S, Stage, audio, submit

from voxgate.speech.jobs.base import JobState, QueueFull
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.request import SpeechRequest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stage(tmp_path, jobs_url):
    stage = Stage(tmp_path, jobs_url)
    yield stage
    stage.close()


def start_worker(what, stage, name="w"):
    """Start a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.speech.job_worker", what, str(stage.folder), stage.url, name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run_at_once(target, count):
    """Run `target` in threads that begin together; gives what each returned."""
    barrier = threading.Barrier(count)
    results = []

    def run():
        barrier.wait(PATIENCE_S)
        results.append(target())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(results) == count
    return results


class TestThreads:
    def test_each_job_is_claimed_by_one_thread(self, stage):
        """Racing claimers share the jobs out: none twice, none forgotten."""
        jobs = {submit(stage.queue, owner=f"owner {number % 3}").id for number in range(40)}

        def claim_all():
            return [job.id for job in iter(lambda: stage.queue.claim("w"), None)]

        claimed = sorted(job_id for ids in run_at_once(claim_all, 6) for job_id in ids)
        assert claimed == sorted(jobs)

    def test_one_of_many_finishes_counts(self, stage):
        """The same job finished by racing threads is finished once."""
        submit(stage.queue)
        job = stage.queue.claim("w")
        assert sorted(run_at_once(lambda: stage.queue.finish(job, audio()), 6)) == [False] * 5 + [True]
        assert stage.ends() == ["tts_job_finished"]

    def test_finish_and_cancel_exclude_each_other(self, stage):
        """A job that is cancelled while it finishes ends one way, and both sides know which."""
        for _ in range(10):
            submit(stage.queue)
            job = stage.queue.claim("w")
            turns = iter(
                [lambda job=job: stage.queue.finish(job, audio()), lambda job=job: stage.queue.cancel(job.id, "ann")]
            )
            turn = threading.Lock()

            def take_turn(turns=turns, turn=turn):
                with turn:
                    act = next(turns)
                return act()

            assert sorted(run_at_once(take_turn, 2)) == [False, True]

    @pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
    def test_queue_never_holds_more_than_it_may(self, stage):
        """Racing submits do not pass the bound of a file; on PostgreSQL at most by the number of connections."""
        queue = JobQueue(stage.engine, now_ms=stage.clock.now_ms, queue_max=3)
        answers = run_at_once(lambda: queue.submit(SpeechRequest("x"), owner="ann", fingerprint="0" * 64), 8)
        assert sum(isinstance(answer, QueueFull) for answer in answers) == 5
        assert len(queue.list("ann").jobs) == 3


class TestProcesses:
    def test_each_job_is_claimed_by_one_process(self, stage):
        """The database alone keeps processes apart."""
        jobs = [submit(stage.queue, owner=f"owner {number % 2}").id for number in range(60)]
        workers = [start_worker("claim", stage, f"w{number}") for number in range(3)]
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        claimed = [worker.communicate("go\n", timeout=PATIENCE_S)[0].split() for worker in workers]
        assert sorted(job_id for ids in claimed for job_id in ids) == sorted(jobs)

    def test_job_of_a_killed_process_gives_one_artifact(self, stage):
        """Kill -9 in the middle of a job: it is run again after its lease, and leaves one whole file."""
        job = submit(stage.queue, text="one two three")
        with start_worker("hang", stage) as doomed:
            assert doomed.stdout.readline() == "half\n"
            assert stage.queue.claim("early") is None
            doomed.kill()
        assert [name.rpartition(".")[2] for name in stage.files()] == ["part"]
        stage.clock.advance(15)
        stage.start(threads=2)
        stage.wait_for_ends(1)
        stage.artifacts.sweep()
        done = stage.queue.find(job.id, "ann")
        assert (done.state, done.attempts) == (JobState.DONE, 2)
        assert stage.files() == [done.artifact]
        assert stage.artifacts.find(done.artifact).read_bytes() == b"onetwothree"
        assert stage.ends() == ["tts_job_finished"]
