"""Celery over RabbitMQ, where one is named: its packages are 60 MB, too much to fetch for every run of the tests."""

import os

import pytest
from tests.speech.job_stage import Stage, submit

from voxgate.speech.jobs.celery import OVERDUE_S, CeleryDispatcher, CelerySender
from voxgate.speech.jobs.run import JobRunner

URL = os.environ.get("AMQP_URL")
pytestmark = pytest.mark.skipif(
    URL is None, reason="needs a RabbitMQ in AMQP_URL; `python -m tests.support.rabbitmq` fetches and starts one"
)


@pytest.fixture
def stage(tmp_path, jobs_url):
    stage = Stage(tmp_path, jobs_url)
    yield stage
    stage.close()


def test_jobs_run_once_over_rabbitmq(stage):
    """Sent, sent twice or not at all: each job is run once, and a dead worker's is taken over after its lease."""
    dead = submit(stage.queue, fingerprint="ef" * 32)
    stage.queue.claim("killed")
    jobs = [submit(stage.queue, text=f"job {number}", fingerprint=f"{number:064x}") for number in range(6)]
    stage.clock.advance(15 + OVERDUE_S)
    sender = CelerySender(URL)
    for job in jobs[::2] * 2:
        sender.send(job.id)
    dispatcher = CeleryDispatcher(stage.queue, URL, threads=2, poll_s=0.02)
    dispatcher.run(JobRunner(stage.queue, stage.speaker, stage.artifacts).run)
    stage.dispatchers.append(dispatcher)
    stage.wait_for_ends(7)
    assert len(stage.speaker.texts) == 7
    assert {stage.queue.find(job.id, "ann").attempts for job in jobs} == {1}
    assert stage.queue.find(dead.id, "ann").attempts == 2
    sender.stop(5)
