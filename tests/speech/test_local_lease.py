"""The hold on a running job: renewed while it lives, given up when it hangs, noticed when it is lost."""

import threading

import pytest
from tests.speech.job_stage import PATIENCE_S, GivenClock, create_database, submit

from voxgate.speech.jobs.base import JobsUnavailableError
from voxgate.speech.jobs.lease import Lease
from voxgate.speech.jobs.queue import JobQueue


class WatchedQueue(JobQueue):
    """A queue that tells of each renewal, and can be made to fail."""

    renewals = 0
    is_broken = False
    renewed = None

    def renew(self, job, *, done=None, total=None):
        if self.is_broken:
            raise JobsUnavailableError
        is_held = super().renew(job, done=done, total=total)
        self.renewals += 1
        if self.renewed:
            self.renewed.set()
        return is_held


@pytest.fixture
def clock():
    return GivenClock()


@pytest.fixture
def open_queue(jobs_url, clock):
    engine = create_database(jobs_url)
    yield lambda lease_s: WatchedQueue(engine, now_ms=clock.now_ms, lease_s=lease_s)
    engine.dispose()


@pytest.fixture
def at_once(monkeypatch):
    """Have each segment's progress written, as if each took long."""
    monkeypatch.setattr("voxgate.speech.jobs.lease._PROGRESS_EVERY_S", 0)


def claim(queue):
    """Submit a job and claim it."""
    submit(queue)
    return queue.claim("w")


def never():
    """Tell that nobody wants to stop."""
    return False


def find_hearts(job):
    """Find the thread that keeps a job's lease; none if it has stopped already."""
    return [thread for thread in threading.enumerate() if thread.name == f"voxgate-lease-{job.id[:8]}"]


def wait_for_heart_to_stop(job):
    """Wait until nothing keeps a job's lease any more."""
    for heart in find_hearts(job):
        heart.join(PATIENCE_S)
    assert find_hearts(job) == []


class TestHeartbeat:
    def test_lease_is_renewed_while_a_segment_is_spoken(self, open_queue, clock):
        """A segment longer than the lease does not lose the job."""
        queue = open_queue(0.03)
        job = claim(queue)
        queue.renewed = threading.Event()
        with Lease(queue, job, never).beating():
            clock.advance(1)
            queue.renewed.clear()
            assert queue.renewed.wait(PATIENCE_S)
        assert queue.find(job.id, "ann").lease_until_ms >= clock.now_ms() + 30

    def test_heart_stops_with_the_block(self, open_queue):
        """Nothing renews a job that is no longer run."""
        queue = open_queue(15)
        job = claim(queue)
        with Lease(queue, job, never).beating():
            assert len(find_hearts(job)) == 1
        assert find_hearts(job) == []

    def test_heart_stops_when_nothing_is_spoken_for_long(self, open_queue):
        """A job that hangs is not kept running for ever."""
        queue = open_queue(0.003)
        job = claim(queue)
        with Lease(queue, job, never, stall_s=0).beating():
            wait_for_heart_to_stop(job)
            assert queue.renewals == 0

    def test_heart_notices_that_the_job_was_cancelled(self, open_queue):
        """A job cancelled within a long segment stops after it, without another word."""
        queue = open_queue(0.003)
        job = claim(queue)
        queue.cancel(job.id, "ann")
        lease = Lease(queue, job, never)
        with lease.beating():
            wait_for_heart_to_stop(job)
        assert lease.is_lost
        assert lease.note_progress(1, 9) is False


class TestProgress:
    def test_progress_is_not_written_for_each_of_many_segments(self, open_queue, monkeypatch):
        """A short job waits for the disk at its end only."""
        monkeypatch.setattr("voxgate.speech.jobs.lease._PROGRESS_EVERY_S", 60)  # short even on a busy machine
        queue = open_queue(15)
        lease = Lease(queue, claim(queue), never)
        assert all(lease.note_progress(done, 200) for done in range(201))
        assert queue.renewals < 10

    def test_progress_of_a_longer_job_is_shown(self, open_queue, at_once):
        """The owner sees how far the job is."""
        queue = open_queue(15)
        job = claim(queue)
        assert Lease(queue, job, never).note_progress(1, 4)
        assert queue.find(job.id, "ann").progress_ratio == 0.25

    def test_stopping_ends_the_work_except_after_the_last_segment(self, open_queue):
        """What is spoken to the end is also finished."""
        queue = open_queue(15)
        lease = Lease(queue, claim(queue), lambda: True)
        assert lease.note_progress(1, 2) is False
        assert lease.note_progress(2, 2) is True

    def test_lost_job_is_stopped_even_after_the_last_segment(self, open_queue, clock, at_once):
        """A job that another worker has by now is not finished here."""
        queue = open_queue(15)
        lease = Lease(queue, claim(queue), never)
        clock.advance(15)
        queue.claim("w2")
        assert lease.note_progress(2, 2) is False


class TestTrouble:
    def test_short_trouble_of_the_database_costs_nothing(self, open_queue, at_once):
        """Nobody can take the job before its lease is over, so the work goes on."""
        queue = open_queue(60)
        lease = Lease(queue, claim(queue), never)
        queue.is_broken = True
        assert lease.note_progress(1, 2) is True

    def test_trouble_longer_than_the_lease_ends_the_work(self, open_queue, at_once):
        """Whoever cannot know whether the job is still theirs stops."""
        queue = open_queue(0)
        lease = Lease(queue, claim(queue), never)
        queue.is_broken = True
        assert lease.note_progress(1, 2) is False
