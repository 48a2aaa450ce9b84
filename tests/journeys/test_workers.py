"""Workers that share a database: every job is spoken once, whatever becomes of the worker that has it."""

import contextlib
import json

import pytest
from tests.speech.measure import assert_is_speech, read
from tests.support.databases import Served
from tests.support.postgres import running_postgres
from tests.support.served import WIDE, Starter
from tests.support.waiting import eventually

JOBS = 10
SETTINGS = {**WIDE, "VOXGATE_JOBS": "worker"}
LONG = "The old lighthouse keeper counts the ships that pass in the night, and writes their names into a book. " * 15


@pytest.fixture
def house(serve):
    """A service that speaks nothing itself."""
    return serve(**SETTINGS)


@pytest.fixture
def member(house):
    return house.api.join()


def submit(member, count=JOBS):
    return [member.generate(f"Night {number}. {LONG}").json()["job_id"] for number in range(count)]


def events_of(house, name):
    lines = (house.data / "security.log").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == name]


def audio_of(house):
    return sorted(path.name for path in (house.data / "audio").iterdir() if path.suffix == ".wav")


def wait_for_the_first(member, jobs):
    """Wait until some job runs, and not every job has ended."""

    def look():
        states = [member.api.get(f"/api/v1/tts/status/{job_id}").json()["status"] for job_id in jobs]
        return "running" in states

    eventually(look, "a job under way")


def assert_each_is_spoken_once(house, member, jobs):
    done = [member.wait_for(job_id) for job_id in jobs]
    assert {job["status"] for job in done} == {"done"}
    assert len(audio_of(house)) == len(jobs)
    finished = [event["job_id"] for event in events_of(house, "tts_job_finished")]
    assert sorted(finished) == sorted(jobs)
    assert_is_speech(read(member.api.get(done[-1]["audio_url"]).data))


def test_the_service_leaves_jobs_to_workers_that_share_them(serve, house, member):
    """Nothing is spoken until a worker comes; two of them speak each job once."""
    jobs = submit(member)
    assert not house.engines
    assert events_of(house, "tts_job_finished") == []
    workers = [serve.work(is_typed=True) for _ in range(2)]
    assert_each_is_spoken_once(house, member, jobs)
    assert all(worker.engines for worker in workers)
    assert [worker.stop() for worker in workers] == [0, 0]
    assert not house.engines


def test_a_worker_that_is_told_to_stop_loses_nothing(serve, house, member):
    """It ends with status 0, and what it did not finish is spoken by another, without counting as a failure."""
    worker = serve.work()
    jobs = submit(member)
    wait_for_the_first(member, jobs)
    assert worker.stop() == 0
    serve.work()
    assert_each_is_spoken_once(house, member, jobs)
    assert {event["attempts"] for event in events_of(house, "tts_job_finished")} == {1}


def test_a_killed_worker_s_job_is_spoken_by_another(serve, house, member):
    """Killed with its engines in the middle of a job: the job is taken up when its lease is over, and spoken once."""
    worker = serve.work()
    jobs = submit(member)
    wait_for_the_first(member, jobs)
    worker.kill()
    serve.work()
    assert_each_is_spoken_once(house, member, jobs)


@pytest.mark.postgres
def test_a_worker_waits_for_a_database_that_is_away(tmp_path):
    """It ends neither at the start nor later, and needs nobody to start it again."""
    # A server of this test alone: others have services on the shared one meanwhile.
    with running_postgres() as postgres, contextlib.closing(Starter(tmp_path, Served(postgres))) as serve:
        house = serve(**SETTINGS)
        member = house.api.join()
        postgres.stop()
        worker = serve.work()
        eventually(lambda: "no database yet" in worker.output, "the word of a database that is away")
        postgres.start()
        jobs = submit(member, 1)
        assert_each_is_spoken_once(house, member, jobs)
        assert worker.stop() == 0
