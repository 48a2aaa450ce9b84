"""Celery over a real broker: ids as messages, each job run once, whatever becomes of messages and broker."""

import logging
import threading

import pytest
from tests.speech.job_stage import PATIENCE_S, Stage, submit
from tests.support.servers import free_port, running
from tests.support.waiting import eventually

from voxgate.speech.jobs import open_celery_dispatcher, open_celery_sender
from voxgate.speech.jobs.base import JobState
from voxgate.speech.jobs.celery import OVERDUE_S, QUEUE, CeleryDispatcher, CelerySender
from voxgate.speech.jobs.run import JobRunner

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def broker():
    with running(port=free_port()) as server:
        yield server


@pytest.fixture
def url(broker):
    broker.call("FLUSHALL")
    return f"{broker.tcp_url}/0"


@pytest.fixture
def stage(tmp_path, jobs_url):
    stage = Stage(tmp_path, jobs_url)
    yield stage
    stage.close()


@pytest.fixture
def work(stage, url):
    """Start a worker on the broker."""

    def call(*, threads=2, poll_s=0.02, **options):
        dispatcher = CeleryDispatcher(stage.queue, url, threads=threads, poll_s=poll_s, **options)
        dispatcher.run(JobRunner(stage.queue, stage.speaker, stage.artifacts).run)
        stage.dispatchers.append(dispatcher)
        return dispatcher

    return call


@pytest.fixture
def sender(url):
    sender = CelerySender(url)
    yield sender
    sender.stop(5)


def waiting(broker):
    """Count the messages that nobody has taken."""
    return broker.call("LLEN", QUEUE)


class TestMessages:
    def test_message_is_the_id_alone(self, stage, sender, broker):
        """What the broker sees of a job is its id: no text, no owner."""
        job = submit(stage.queue, owner="ann-the-owner", text="a secret text")
        sender.send(job.id)
        eventually(lambda: waiting(broker), "the message")
        message = broker.call("LINDEX", QUEUE, 0)
        assert job.id.encode() in message
        assert b"secret" not in message
        assert b"ann-the-owner" not in message

    def test_sent_job_becomes_audio(self, stage, work, sender, broker):
        """A message of one process has a worker run the job, once; the broker then holds nothing."""
        work(poll_s=3600)
        job = submit(stage.queue, text="one two three")
        sender.send(job.id)
        stage.wait_for_ends(1)
        done = stage.queue.find(job.id, "ann")
        assert (done.state, done.attempts) == (JobState.DONE, 1)
        eventually(lambda: not broker.call("HLEN", "unacked"), "the acknowledgement")
        assert waiting(broker) == 0
        assert not [key for key in broker.call("KEYS", "*") if b"result" in key or b"meta" in key]

    def test_every_job_runs_once_whatever_is_sent(self, stage, work, sender):
        """Lost, doubled and invented messages: each job is run once, and what is no job is nothing."""
        jobs = [submit(stage.queue, text=f"job {number}", fingerprint=f"{number:064x}") for number in range(12)]
        for job in jobs[::2] * 3:
            sender.send(job.id)
        for invented in ("0" * 32, "nonsense"):
            sender.send(invented)
        work(threads=3)
        stage.wait_for_ends(12)
        assert sorted(stage.speaker.texts) == sorted(f"job {number}" for number in range(12))
        assert {stage.queue.find(job.id, "ann").attempts for job in jobs} == {1}
        assert len(stage.files()) == 12

    def test_late_duplicate_changes_nothing(self, stage, work, sender, broker):
        """The message of a job that has ended is taken, and that is all."""
        work(poll_s=3600)
        job = submit(stage.queue)
        sender.send(job.id)
        stage.wait_for_ends(1)
        before = stage.queue.find(job.id, "ann")
        sender.send(job.id)
        other = submit(stage.queue, text="later", fingerprint="cd" * 32)
        sender.send(other.id)
        stage.wait_for_ends(2)
        assert stage.queue.find(job.id, "ann") == before
        assert stage.speaker.texts == ["hello", "later"]

    def test_job_whose_message_was_lost_is_found(self, stage, work):
        """A worker without work looks at the table and sends the id again."""
        submit(stage.queue)
        stage.clock.advance(OVERDUE_S)
        work()
        stage.wait_for_ends(1)

    def test_job_of_a_killed_worker_is_taken_over(self, stage, work):
        """It is sent again once its lease is over, not after the broker's hour."""
        job = submit(stage.queue)
        stage.queue.claim("killed")
        stage.clock.advance(15 + OVERDUE_S)
        work()
        stage.wait_for_ends(1)
        assert stage.queue.find(job.id, "ann").attempts == 2

    def test_worker_that_has_enough_to_do_sends_nothing(self, stage, work, broker):
        """A long queue does not fill the broker."""
        held, free, ticks = threading.Event(), threading.Event(), threading.Semaphore(0)

        def hold(_index):
            held.set()
            assert free.wait(PATIENCE_S)

        stage.speaker.before_segment = hold
        dispatcher = work(threads=1, chores=ticks.release)
        dispatcher.send(submit(stage.queue).id)
        assert held.wait(PATIENCE_S)
        submit(stage.queue, fingerprint="cd" * 32)
        stage.clock.advance(OVERDUE_S)
        for _ in range(ticks._value + 3):
            assert ticks.acquire(timeout=PATIENCE_S)
        assert waiting(broker) == 0
        free.set()
        stage.wait_for_ends(2)


class TestTrouble:
    def test_broker_that_is_away_delays_no_request(self, stage, broker, work, caplog):
        """Sending returns at once and is told once; the job is spoken when the broker is back."""
        sender = CelerySender(f"redis://127.0.0.1:{free_port()}/0", logger=logging.getLogger("voxgate.speech.jobs"))
        with caplog.at_level(logging.ERROR, "voxgate.speech.jobs"):
            for _ in range(3):
                sender.send(submit(stage.queue).id)
            sender.stop(20)
        told = [record.getMessage() for record in caplog.records if "broker" in record.getMessage()]
        assert len(told) == 1
        assert "redis://" not in told[0]
        stage.clock.advance(OVERDUE_S)
        work()
        stage.wait_for_ends(3)

    def test_more_ids_than_can_wait_are_left_to_the_table(self, url, monkeypatch):
        """Nobody waits for the broker, and memory is bounded."""
        monkeypatch.setattr("voxgate.speech.jobs.celery._UNSENT_MAX", 1)
        monkeypatch.setattr("voxgate.speech.jobs.celery.CelerySender._send_all", lambda _self: None)
        sender = CelerySender(url)
        sender.send("0" * 32)
        sender.send("1" * 32)
        sender.stop(0.01)

    def test_handler_in_trouble_costs_the_worker_nothing(self, stage, work, sender, monkeypatch):
        """A fault of ours hands the job back; the next attempt ends it."""
        failed = []

        def fail_once(index):
            if not failed:
                failed.append(index)
                raise KeyError

        stage.speaker.before_segment = fail_once
        work()
        job = submit(stage.queue)
        sender.send(job.id)
        eventually(lambda: failed, "the fault")
        eventually(lambda: stage.queue.find(job.id, "ann").state is JobState.QUEUED, "the job handed back")
        stage.clock.advance(OVERDUE_S)
        stage.wait_for_ends(1)
        assert stage.queue.find(job.id, "ann").attempts == 2


class TestOpening:
    def test_opened_dispatcher_and_sender_work_together(self, stage, url):
        """What the service and the worker open is all that is needed."""
        dispatcher = open_celery_dispatcher(
            stage.queue,
            stage.speaker,
            artifacts=stage.artifacts,
            now_ms=stage.clock.now_ms,
            threads=1,
            broker_url=url,
        )
        stage.dispatchers.append(dispatcher)
        sender = open_celery_sender(url)
        sender.send(submit(stage.queue).id)
        stage.wait_for_ends(1)
        sender.stop(5)
