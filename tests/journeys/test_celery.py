"""Servers and workers that a broker connects: every job is spoken once, also when a worker's whole tree is killed."""

import pytest
from tests.journeys.test_workers import assert_each_is_spoken_once, events_of, submit, wait_for_the_first
from tests.support.served import WIDE
from tests.support.servers import free_port, running

pytestmark = pytest.mark.redis


@pytest.fixture
def settings():
    """What servers and workers of one broker share."""
    with running(port=free_port()) as broker:
        yield {**WIDE, "VOXGATE_JOBS": "celery", "VOXGATE_BROKER_URL": f"{broker.tcp_url}/0"}


@pytest.fixture
def house(serve, settings):
    return serve(**settings)


@pytest.fixture
def member(house):
    return house.api.join()


def test_killed_worker_tree_loses_nothing(serve, settings, house, member):
    """Killed with its engines mid-job: the job is taken up when its lease is over, and each has one audio file."""
    first = serve.work(**settings)
    jobs = submit(member)
    assert not house.engines
    wait_for_the_first(member, jobs)
    first.kill()
    second = serve.work(**settings)
    assert_each_is_spoken_once(house, member, jobs)
    assert max(event["attempts"] for event in events_of(house, "tts_job_finished")) <= 2
    assert second.stop() == 0
    assert "Traceback" not in second.output
