"""The hold on a running job: renewed while it lives, given up when it hangs, noticed when it is lost."""

import contextlib
import threading

import pytest
from tests.speech.job_stage import PATIENCE_S, GivenClock, create_database, submit
from tests.support.waiting import eventually

from voxgate.speech.jobs.base import JobsUnavailableError
from voxgate.speech.jobs.lease import Lease
from voxgate.speech.jobs.pulse import Pulse
from voxgate.speech.jobs.queue import JobQueue


class WatchedQueue(JobQueue):
    """A queue that tells of each renewal, and can be made to fail."""

    is_broken = False
    renewed = None

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.renewed_ids = []

    @property
    def renewals(self):
        return len(self.renewed_ids)

    def renew(self, job, *, done=None, total=None):
        if self.is_broken:
            raise JobsUnavailableError
        is_held = super().renew(job, done=done, total=total)
        self.renewed_ids.append(job.id)
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


@pytest.fixture
def find_hearts():
    """Find the threads that renew leases; those of earlier tests, which rest for a while, are none of this one's."""

    def find():
        return [thread for thread in threading.enumerate() if thread.name == "voxgate-leases"]

    earlier = find()
    return lambda: [thread for thread in find() if thread not in earlier]


@pytest.fixture
def pulse():
    """A pulse as quick as it can be."""
    return Pulse(0.001)


class TestHeartbeat:
    def test_lease_is_renewed_while_a_segment_is_spoken(self, open_queue, clock, pulse):
        """A segment longer than the lease does not lose the job."""
        queue = open_queue(0.03)
        job = claim(queue)
        queue.renewed = threading.Event()
        with Lease(queue, job, never).beating(pulse):
            clock.advance(1)
            queue.renewed.clear()
            assert queue.renewed.wait(PATIENCE_S)
        assert queue.find(job.id, "ann").lease_until_ms >= clock.now_ms() + 30

    def test_every_lease_of_a_process_is_renewed_by_one_thread(self, open_queue, pulse, find_hearts):
        """However many jobs run, there is one thread more, and none once they have ended."""
        queue = open_queue(15)
        leases = [Lease(queue, claim(queue), never) for _ in range(3)]
        with contextlib.ExitStack() as running:
            for lease in leases:
                running.enter_context(lease.beating(pulse))
            assert pulse.held == 3
            eventually(lambda: len(set(queue.renewed_ids)) == 3, "a renewal of each")
            hearts = find_hearts()
            assert len(hearts) == 1
        hearts[0].join(PATIENCE_S)
        assert not hearts[0].is_alive()

    def test_heart_stops_with_the_block(self, open_queue, pulse):
        """Nothing renews a job that is no longer run, though others are."""
        queue = open_queue(15)
        first, second = claim(queue), claim(queue)
        with Lease(queue, second, never).beating(pulse):
            with Lease(queue, first, never).beating(pulse):
                eventually(lambda: first.id in queue.renewed_ids, "a renewal")
            queue.renewed_ids.clear()
            eventually(lambda: len(queue.renewed_ids) > 2, "renewals of the other")
        assert set(queue.renewed_ids) == {second.id}

    def test_heart_beats_again_after_a_rest(self, open_queue, pulse, find_hearts):
        """A thread that has ended for want of jobs is no reason to renew none later."""
        queue = open_queue(15)
        for _ in range(2):
            job = claim(queue)
            with Lease(queue, job, never).beating(pulse):
                eventually(lambda job=job: job.id in queue.renewed_ids, "a renewal")
            eventually(lambda: not find_hearts(), "the end of the thread")

    def test_heart_stops_when_nothing_is_spoken_for_long(self, open_queue, pulse):
        """A job that hangs is not kept running for ever."""
        queue = open_queue(15)
        with Lease(queue, claim(queue), never, stall_s=0).beating(pulse):
            eventually(lambda: pulse.held == 0, "the end of the beats")
            assert queue.renewals == 0

    def test_heart_notices_that_the_job_was_cancelled_elsewhere(self, open_queue, pulse):
        """A job cancelled within a long segment stops after it, without another word."""
        queue, elsewhere = open_queue(15), open_queue(15)
        job = claim(queue)
        elsewhere.cancel(job.id, "ann")
        lease = Lease(queue, job, never)
        with lease.beating(pulse):
            eventually(lambda: pulse.held == 0, "the end of the beats")
        assert lease.is_lost
        assert lease.note_progress(1, 9) is False

    def test_job_cancelled_in_this_process_stops_at_its_next_segment(self, open_queue):
        """Nobody has to look at the table for it."""
        queue = open_queue(15)
        job = claim(queue)
        lease = Lease(queue, job, never)
        with lease.beating(Pulse(60)):
            assert lease.note_progress(1, 9) is True
            queue.cancel(job.id, "ann")
            assert lease.note_progress(2, 9) is False
        assert queue.renewals == 0


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
