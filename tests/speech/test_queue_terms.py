"""What binds a job beside its request: its owner's bounds and turn, its name for repeats, what was reserved for it."""

import pytest
from tests.speech.job_stage import FINGERPRINT, GivenClock, Stage, audio, create_database, submit
from tests.speech.test_queue_races import run_at_once

from voxgate.speech.jobs.base import FailureCode, JobState, QueueFull
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.jobs.terms import Load, OwnerFull, Repeated, Terms
from voxgate.speech.request import SpeechRequest

HELLO = SpeechRequest("hello")


@pytest.fixture
def stage(tmp_path, jobs_url):
    stage = Stage(tmp_path, jobs_url)
    yield stage
    stage.close()


@pytest.fixture
def clock():
    return GivenClock()


@pytest.fixture
def queue(jobs_url, clock):
    engine = create_database(jobs_url)
    yield JobQueue(engine, now_ms=clock.now_ms, queue_max=50)
    engine.dispose()


def ask(queue, **terms):
    """Submit a job that may be refused."""
    return queue.submit(HELLO, owner="ann", fingerprint="0" * 64, terms=Terms(**terms))


class TestTurns:
    def test_owners_take_turns_on_a_single_worker(self, queue, clock):
        """Whoever has a hundred jobs waiting is served as often as who has three."""
        for owner, number in [("ann", number) for number in range(6)] + [("bob", number) for number in range(3)]:
            submit(queue, owner=owner, text=f"{owner} {number}")
            clock.advance(1)
        order = []
        for _ in range(9):
            clock.advance(1)
            job = queue.claim("w")
            order.append(job.text)
            queue.finish(job, audio())
        assert order == ["ann 0", "bob 0", "ann 1", "bob 1", "ann 2", "bob 2", "ann 3", "ann 4", "ann 5"]

    def test_job_of_a_dead_worker_need_not_wait_for_another_turn(self, queue, clock):
        """It was begun already, and comes before the first of another who is served as seldom."""
        first = submit(queue, owner="ann")
        queue.claim("dead")
        clock.advance(16)
        submit(queue, owner="bob")
        assert queue.claim("w").id == first.id


class TestAtOnce:
    def test_owner_runs_no_more_than_the_bound(self, queue):
        """The third waits, while another owner's job runs."""
        for owner in ("ann", "ann", "ann", "bob"):
            submit(queue, owner=owner, at_once=2)
        claimed = [queue.claim("w") for _ in range(4)]
        assert sorted(job.owner for job in claimed if job) == ["ann", "ann", "bob"]
        queue.finish(next(job for job in claimed if job.owner == "ann"), audio())
        assert queue.claim("w").owner == "ann"

    def test_dead_workers_hold_nothing(self, queue, clock):
        """Once their leases are over the bound is free for the same jobs, and not leaked."""
        for _ in range(3):
            submit(queue, at_once=1)
        first = queue.claim("dead")
        assert queue.claim("w") is None
        clock.advance(15)
        assert queue.claim("w").id == first.id
        assert queue.claim("w") is None

    def test_racing_workers_keep_to_the_bound(self, stage):
        """However many claim at the same moment."""
        for _ in range(12):
            submit(stage.queue, at_once=3)
        claimed = run_at_once(lambda: stage.queue.claim("w"), 8)
        assert sum(job is not None for job in claimed) == 3


class TestUnfinished:
    def test_owner_has_no_more_than_the_bound(self, queue):
        """Waiting and running jobs count; an ended one makes room."""
        for _ in range(2):
            submit(queue, unfinished_max=2)
        assert ask(queue, unfinished_max=2) == OwnerFull(2)
        queue.fail(queue.claim("w"), FailureCode.SYNTHESIS_FAILED, "no")
        submit(queue, unfinished_max=2)
        submit(queue, owner="bob", unfinished_max=2)

    def test_racing_submits_keep_to_the_bound(self, stage):
        """Exactly as many as fit are taken."""
        answers = run_at_once(lambda: ask(stage.queue, unfinished_max=4), 10)
        assert sum(isinstance(answer, OwnerFull) for answer in answers) == 6
        assert len(stage.queue.list("ann").jobs) == 4

    def test_full_queue_is_told_apart(self, queue):
        """The bound of all comes after the owner's."""
        for number in range(50):
            submit(queue, owner=f"o{number}")
        assert ask(queue, unfinished_max=2) == QueueFull(50)


class TestRepeats:
    def test_one_name_gives_one_job(self, queue):
        """Asked again it is the same job, also once that has ended; another owner's name is another name."""
        job = submit(queue, idempotency_key="k")
        assert ask(queue, idempotency_key="k") == Repeated(job)
        assert queue.find_repeated("ann", "k") == job
        assert queue.find_repeated("bob", "k") is None
        assert queue.find_repeated("ann", "other") is None
        queue.finish(queue.claim("w"), audio())
        assert ask(queue, idempotency_key="k").job.state is JobState.DONE
        submit(queue, owner="bob", idempotency_key="k")

    def test_name_is_known_for_a_day(self, queue, clock):
        """Then it names a new job."""
        submit(queue, idempotency_key="k")
        clock.advance(86_400)
        submit(queue, idempotency_key="k")

    def test_racing_repeats_give_one_job(self, stage):
        """Twelve at the same moment: one is taken, and the others are told which."""
        answers = run_at_once(lambda: ask(stage.queue, idempotency_key="k"), 12)
        jobs = {answer.job.id if isinstance(answer, Repeated) else answer.id for answer in answers}
        assert len(jobs) == 1
        assert sum(isinstance(answer, Repeated) for answer in answers) == 11


class TestReserved:
    def reserved(self, queue):
        return [(job.id, job.reserved) for job in queue.list_reserved()]

    def test_spoken_job_has_spent_what_was_reserved(self, queue):
        """Nothing is to be given back."""
        job = submit(queue, job_id="a" * 32, reserved="what")
        assert (job.id, job.reserved) == ("a" * 32, "what")
        assert "what" not in repr(job)
        queue.finish(queue.claim("w"), audio())
        assert self.reserved(queue) == []

    def test_unspoken_jobs_are_listed_until_it_is_given_back(self, queue, clock):
        """Served from what is there, failed, cancelled while it waited, or given up."""
        jobs = [submit(queue, reserved=f"r{number}") for number in range(4)]
        assert self.reserved(queue) == []
        queue.finish(queue.claim("w"), audio(), is_spoken=False)
        queue.fail(queue.claim("w"), FailureCode.SYNTHESIS_FAILED, "no")
        queue.cancel(jobs[2].id, "ann")
        clock.advance(86_400)
        queue.give_up()
        assert sorted(self.reserved(queue)) == sorted((job.id, job.reserved) for job in jobs)
        for job in jobs:
            assert not queue.remove(job.id, "ann")
            queue.note_given_back(job.id)
            assert queue.remove(job.id, "ann")
        assert self.reserved(queue) == []

    def test_cancelled_job_has_spent_it_once_something_was_spoken(self, queue):
        """The work is done."""
        job = submit(queue, reserved="r")
        queue.renew(queue.claim("w"), done=1, total=3)
        queue.cancel(job.id, "ann")
        assert self.reserved(queue) == []


class TestEqualJobs:
    def test_equal_job_waits_for_the_one_that_runs(self, stage):
        """Three equal requests of three owners are spoken once, and the other two share the audio."""
        for owner in ("ann", "bob", "eve"):
            submit(stage.queue, owner=owner, text="one two", fingerprint=FINGERPRINT, reserved="r")
        stage.start(threads=3)
        stage.wait_for_ends(3)
        assert stage.speaker.texts == ["one two"]
        ended = [stage.queue.list(owner).jobs[0] for owner in ("ann", "bob", "eve")]
        assert {job.state for job in ended} == {JobState.DONE}
        assert sorted(str(job.reserved) for job in ended) == ["None", "r", "r"]

    def test_racing_workers_begin_one_of_equal_jobs(self, stage):
        """The others are free for what differs."""
        for _ in range(5):
            submit(stage.queue, fingerprint=FINGERPRINT)
        claimed = run_at_once(lambda: stage.queue.claim("w"), 5)
        assert sum(job is not None for job in claimed) == 1

    def test_equal_job_of_a_dead_worker_holds_nobody_up(self, queue, clock):
        """Once its lease is over."""
        for _ in range(2):
            submit(queue, fingerprint=FINGERPRINT)
        queue.claim("dead")
        assert queue.claim("w") is None
        clock.advance(15)
        assert queue.claim("w") is not None


class TestLoad:
    def test_load_counts_what_waits_and_runs(self, queue, clock):
        """Of one owner and of all; a dead worker's job waits."""
        for owner, text in (("ann", "one"), ("ann", "three"), ("bob", "seven")):
            submit(queue, owner=owner, text=text)
        assert queue.load("ann") == Load(unfinished=2, running=0, characters=8)
        queue.claim("w")
        assert queue.load() == Load(unfinished=3, running=1, characters=13)
        clock.advance(15)
        assert queue.load().running == 0
        assert queue.load("eve") == Load(unfinished=0, running=0, characters=0)

    def test_pace_is_that_of_the_last_jobs(self, queue, clock):
        """Characters per second, from the begin to the end."""
        assert queue.last_paces() == ()
        submit(queue, text="a" * 100)
        job = queue.claim("w")
        clock.advance(2)
        queue.finish(job, audio(clock.now_ms() + 1000))
        assert queue.last_paces() == (50.0,)
