"""Budgets and jobs under real processes: on one machine's files, and on PostgreSQL with Valkey."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.calls import V1
from tests.support.served import WIDE
from tests.support.servers import running
from tests.support.waiting import eventually

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "jobs-and-budgets.md"
LONG = "The old lighthouse keeper counts the ships that pass in the night, and writes their names into a book. " * 15
DAY = "characters per calendar day"
DAY_S = 86_400
JOBS = 8


@pytest.fixture
def settings(database_kind):
    """The settings of a service; beside PostgreSQL the gate counts in Valkey."""
    if database_kind == "sqlite":
        yield WIDE
        return
    with running() as valkey:
        yield {**WIDE, "VOXGATE_REDIS_URL": valkey.url}


@pytest.fixture(autouse=True)
def _same_day():
    """Begin no test so late that the day, whose budget it spends, ends before it."""
    eventually(lambda: time.time() % DAY_S < DAY_S - 120, "the next day", deadline_s=150)


@pytest.fixture
def start(serve, settings):
    """Start a service with a budget, on the same data each time."""

    def call(budget, **given):
        return serve("data", workers=2, **{**settings, "TTS_CHARACTERS_STANDARD": budget, **given})

    return call


def used(member):
    return member.api.get(f"{V1}/limits").json()[DAY]["current_count"]


def audio_of(served):
    return sorted(path.name for path in (served.data / "audio").iterdir() if path.suffix == ".wav")


def status_of(member, job_id):
    return member.api.get(f"{V1}/tts/status/{job_id}").json()["status"]


def test_jobs_of_a_killed_tree_are_spoken_and_paid_once(start):
    """Killed with kill -9 mid-job: back within the lease, one audio each; equal requests are paid by one of them."""
    before = start("1000000 per calendar day")
    member = before.api.join()
    # So long that the first still runs when the last is taken, on whatever machine.
    texts = [f"Night {number}. {LONG * 3}" for number in range(JOBS)]
    jobs = [member.generate(text).json()["job_id"] for text in (*texts, *texts[:2])]
    eventually(lambda: "running" in {status_of(member, job_id) for job_id in jobs}, "a job under way")
    before.kill()

    after = start("1000000 per calendar day")
    member = member.at(after.url)
    assert {member.wait_for(job_id)["status"] for job_id in jobs} == {"done"}
    assert len(audio_of(after)) == JOBS
    eventually(lambda: used(member) == sum(len(text.strip()) for text in texts), "every text paid once")


def test_cancelled_job_ends_within_its_segment(start):
    """The next job is spoken by the same engine, and the cancelled one leaves no audio."""
    served = start("1000000 per calendar day", VOXGATE_ENGINE_WORKERS="1")
    member = served.api.join()
    # So long that the first still runs when it is cancelled, on whatever machine.
    first, second = (member.generate(text).json()["job_id"] for text in (f"One {LONG * 3}", f"Two {LONG}"))
    member.api.ask("DELETE", f"{V1}/tts/jobs/{first}")
    assert status_of(member, first) == "cancelled"
    assert member.wait_for(second)["status"] == "done"
    assert len(audio_of(served)) == 1
    assert member.api.get(f"{V1}/tts/audio/{first}").status == 409


def test_fifty_parallel_submits_at_a_budget_of_ten(start):
    """Two server processes take exactly what fits, and no character more is spent."""
    served = start("100 per calendar day")
    member = served.api.join()
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda number: member.generate(f"{number:010d}", patience=60).status, range(50)))
    assert sorted(answers) == [202] * 10 + [429] * 40
    assert used(member) == 100


def test_waiting_requests_leave_threads_for_others(start):
    """However many ask to wait, everybody else is answered at once."""
    served = start("1000000 per calendar day", VOXGATE_JOBS="worker")
    member = served.api.join()
    job_id = member.generate("Nobody speaks this.").json()["job_id"]
    with ThreadPoolExecutor(12) as pool:
        waits = [pool.submit(member.api.get, f"{V1}/tts/status/{job_id}?wait=30") for _ in range(12)]
        assert all(member.api.get(f"{V1}/tts/status/{job_id}").status == 200 for _ in range(20))
        assert not all(wait.done() for wait in waits)
        assert member.api.ask("DELETE", f"{V1}/tts/jobs/{job_id}").status < 300  # nobody waits for the rest
        assert {wait.result().status for wait in waits} == {200}


def test_every_line_of_the_guide_runs(start, tmp_path):
    """As a reader would type it, in order."""
    served = start("100000 per calendar day; 1000000 per calendar month", RATELIMIT_TTS_GENERATE="10 per minute")
    script = "\n".join(re.findall(r"^```bash\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:5000", served.url)],
        cwd=tmp_path,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
