"""Every process killed in the middle of the work and started anew: nothing that was answered with 2xx is lost."""

import http.client
import json
import os
import signal
import time
from contextlib import suppress

import pytest
from tests.speech.measure import assert_is_speech, read
from tests.support.calls import V1
from tests.support.served import WIDE
from tests.support.waiting import eventually

JOBS = 12
LONG = "The old lighthouse keeper counts the ships that pass in the night, and writes their names into a book. " * 15
SETTINGS = {**WIDE, "RATELIMIT_TTS_GENERATE": "1000 per hour", "RATELIMIT_PROTECTED": "5 per hour"}


@pytest.fixture
def start(serve):
    """Start the service on the same data; the time that it takes is shown and not judged."""

    def call(*, workers=1):
        began = time.monotonic()
        served = serve("data", workers=workers, **SETTINGS)
        print(f"{served.url} answers after {time.monotonic() - began:.1f} s")  # noqa: T201 -- shown by pytest -s
        return served

    return call


def status_of(member, job_id):
    return member.api.get(f"{V1}/tts/status/{job_id}").json()["status"]


def read_finishes(served):
    """Return every event that tells of a finished job."""
    lines = (served.data / "security.log").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == "tts_job_finished"]


def test_every_accepted_job_is_finished_once(start):
    """Killed between the acceptance and the end: each job is done, with one audio file, and was counted once."""
    before = start(workers=2)
    member = before.api.join()
    texts = [f"Night {number}. {LONG * 3}" for number in range(JOBS)]
    # What a busy database did not take costs nothing, and is asked for again.
    accepted = [member.generate(text, patience=60).json()["job_id"] for text in texts]
    eventually(lambda: "running" in {status_of(member, job_id) for job_id in accepted}, "a job under way")
    before.kill()
    assert len(read_finishes(before)) < JOBS  # otherwise nothing was left to be lost

    after = start(workers=2)
    member = member.at(after.url)
    jobs = [member.wait_for(job_id) for job_id in accepted]
    assert {job["status"] for job in jobs} == {"done"}
    audio = sorted(path.name for path in (after.data / "audio").iterdir() if path.suffix == ".wav")
    assert len(audio) == JOBS
    finishes = read_finishes(after)
    assert len({event["job_id"] for event in finishes}) == len(finishes)
    assert max(event["attempts"] for event in finishes) == 2  # the jobs that were under way were begun again
    assert_is_speech(read(member.api.get(jobs[-1]["audio_url"]).data))
    listed = [job["job_id"] for job in member.api.get(f"{V1}/tts/").json()["jobs"]]
    assert sorted(listed) == sorted(accepted)
    spent = member.api.get(f"{V1}/limits").json()[f"{V1}/tts/generate"]
    assert spent["current_count"] == JOBS


def test_ended_stays_ended_and_spent_stays_spent(start):
    """Sessions, accounts, keys and limits are after the cut as they were told before it."""
    before = start()
    gone, disabled, live = (before.api.join() for _ in range(3))
    new = before.run("keys", "new", live.username)
    key_id, key = (line.split(":")[1].strip() for line in new.splitlines())
    before.run("keys", "revoke", live.username, key_id)
    before.run("users", "disable", disabled.username)
    before.run("users", "set-tier", live.username, "premium")
    assert [live.api.get("/protected").status for _ in range(6)] == [200] * 5 + [429]
    assert gone.api.post(f"{V1}/auth/logout").status == 200
    before.kill()

    api = start().api
    assert api.shown(bearer=gone.access).get(f"{V1}/tts/").code == "TOKEN_REVOKED"
    assert api.shown(bearer=gone.refresh).post(f"{V1}/auth/refresh").code == "TOKEN_REVOKED"
    assert api.shown(bearer=disabled.access).get(f"{V1}/tts/").code == "ACCOUNT_DISABLED"
    assert api.shown(key=disabled.key).get(f"{V1}/tts/").code == "ACCOUNT_DISABLED"
    assert api.shown(key=key).get(f"{V1}/tts/").code == "API_KEY_INVALID"
    assert api.shown(bearer=live.access).get("/protected").code == "RATE_LIMITED"
    assert api.shown(bearer=live.access).get(f"{V1}/auth/me").json()["tier"] == "premium"
    assert api.shown(bearer=live.refresh).post(f"{V1}/auth/refresh").status == 200
    assert api.shown(key=live.key).get(f"{V1}/tts/").status == 200


def test_one_killed_process_is_replaced(start):
    """A server process that dies is started anew; no lock is left behind and no counter is stuck or forgotten."""
    served = start(workers=2)
    member = served.api.join()
    assert [member.api.get("/protected").status for _ in range(3)] == [200] * 3
    workers = served.workers
    os.kill(min(workers), signal.SIGKILL)
    eventually(lambda: len(served.workers) == len(workers) and served.workers != workers, "another process")
    statuses = [eventually(lambda: answer_of(member.api), "an answer").status for _ in range(3)]
    assert statuses == [200, 200, 429]


def answer_of(api):
    """Return an answer, or None when the connection had been waiting for the process that was killed."""
    with suppress(ConnectionError, http.client.HTTPException):
        return api.get("/protected")
    return None


def test_stop_leaves_no_job_behind(start):
    """Told to stop while jobs run, it ends with status 0 and no process; the next start finishes what is left."""
    before = start()
    member = before.api.join()
    accepted = [member.generate(f"Day {number}. {LONG}").json()["job_id"] for number in range(JOBS)]
    assert before.stop() == 0
    member = member.at(start().url)
    assert {member.wait_for(job_id)["status"] for job_id in accepted} == {"done"}
