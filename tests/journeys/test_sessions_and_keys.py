"""Sessions, keys, limits and accounts over real HTTP, in two processes: retried, stolen, emptied, bound and deleted."""

import os
import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support.calls import PASSWORD, V1
from tests.support.served import WIDE

from voxgate.accounts.database import Database

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "sessions-and-keys.md"
ME = f"{V1}/auth/me"
KEYS = f"{V1}/auth/api-keys"
KNOCKS = 12  # each is a new connection, and the kernel spreads those over the processes


@pytest.fixture(scope="module")
def pair(serve_one):
    """Two processes of one service that nobody else uses."""
    return serve_one(workers=2, **WIDE, RATELIMIT_ACCOUNT="1000000 per minute")


@pytest.fixture
def member(pair):
    return pair.api.join()


def refresh(pair, token):
    return pair.api.shown(bearer=token).post(f"{V1}/auth/refresh")


def knock(api, path=ME):
    """Ask over several connections; gives every status or code that came, in whatever order."""
    answers = (api.get(path) for _ in range(KNOCKS))
    return {answer.code or answer.status for answer in answers}


def empty_store(pair):
    """Lose everything that the gate's store knows of accounts, sessions and keys."""
    with closing(sqlite3.connect(pair.data / "gate.db", timeout=10)) as connection, connection:
        for table in ("account", "session", "key"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 -- names of this test


class TestRefresh:
    def test_lost_answer_is_asked_for_again_and_theft_is_caught(self, pair, member):
        """Whichever process answers: one successor until it is used, and then nobody holds the old token."""
        answers = [refresh(pair, member.refresh).json() for _ in range(KNOCKS)]
        assert len({answer["refresh_token"] for answer in answers}) == 1
        new = pair.api.shown(bearer=answers[0]["access_token"])
        assert knock(new) == {200}
        assert refresh(pair, member.refresh).code == "TOKEN_REUSED"
        assert knock(new) == {"TOKEN_REVOKED"}
        assert refresh(pair, answers[0]["refresh_token"]).status == 401
        assert '"authn_token_reuse"' in (pair.data / "security.log").read_text()

    def test_of_twelve_at_once_all_get_one_successor(self, pair, member):
        """Twelve tabs of one browser stay logged in."""
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: refresh(pair, member.refresh), range(12)))
        assert {answer.status for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        assert {knock(pair.api.shown(bearer=each.json()["access_token"])) == {200} for each in answers[:3]} == {True}

    def test_emptied_store_logs_nobody_out_and_forgets_no_theft(self, pair, member):
        """Between any two steps."""
        second = refresh(pair, member.refresh).json()
        empty_store(pair)
        third = refresh(pair, second["refresh_token"]).json()
        assert knock(pair.api.shown(bearer=third["access_token"])) == {200}
        empty_store(pair)
        assert refresh(pair, member.refresh).code == "TOKEN_REUSED"
        empty_store(pair)
        assert knock(pair.api.shown(bearer=third["access_token"])) == {"TOKEN_REVOKED"}

    def test_strict_mode_takes_no_second_use(self, serve):
        """Where it is set, of twelve uses at once one succeeds, and the session has ended."""
        strict = serve(workers=2, JWT_REFRESH_STRICT="true", **WIDE)
        member = strict.api.join()
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: refresh(strict, member.refresh), range(12)))
        assert sorted(answer.status for answer in answers) == [200, *[401] * 11]
        first = next(answer.json() for answer in answers if answer.status == 200)
        assert knock(strict.api.shown(bearer=first["access_token"])) == {"TOKEN_REVOKED"}
        assert knock(member.api) == {"TOKEN_REVOKED"}


class TestKeys:
    def test_key_is_bound_to_its_networks_and_limits(self, pair, member):
        """From elsewhere it opens nothing and spends nothing; its own limit binds before the account's."""
        here = {"name": "here", "allowed_networks": ["127.0.0.0/8"], "limits": {"*": "3 per hour"}}
        there = {"name": "there", "allowed_networks": ["192.0.2.0/24", "2001:db8::/32"]}
        made = [member.api.post(KEYS, json=terms).json() for terms in (here, there)]
        keyed = [pair.api.shown(key=each["api_key"]) for each in made]
        assert knock(keyed[1]) == {"API_KEY_NETWORK"}
        assert [keyed[0].get(ME).status for _ in range(4)] == [200, 200, 200, 429]
        assert member.api.get(ME).status == 200
        rotated = member.api.post(f"{KEYS}/{made[0]['id']}/rotate").json()
        assert (rotated["limits"], rotated["allowed_networks"]) == ({"*": "3 per 1 hour"}, ["127.0.0.0/8"])
        assert member.api.ask("PATCH", f"{KEYS}/{made[1]['id']}", json={"allowed_networks": []}).status == 200
        assert knock(keyed[1]) == {200}

    def test_limits_that_a_key_meets_are_shown(self, pair, member):
        """The smaller of the account's and its own."""
        made = member.api.post(KEYS, json={"name": "few", "limits": {"tts-generate": "2 per hour"}}).json()
        key = pair.api.shown(key=made["api_key"])
        key.get(ME)
        assert key.get(f"{V1}/limits").json()[f"{V1}/tts/generate"]["limit"] == 2
        assert member.api.get(f"{V1}/limits").json()[f"{V1}/tts/generate"]["limit"] == 1_000_000


def test_operator_sets_limits_that_hold_in_every_process(pair, member):
    """For one account, for a tier, and back; by command, beside the running service."""
    quota = lambda: {member.api.get(f"{V1}/limits").json()["*"]["limit"] for _ in range(KNOCKS)}  # noqa: E731
    pair.run("limits", "set", member.username, "*", "500 per minute")
    assert quota() == {500}
    pair.run("limits", "set", "--tier", "gold", "*", "700 per minute")
    pair.run("users", "set-tier", member.username, "gold")
    assert quota() == {500}
    pair.run("limits", "unset", member.username)
    assert quota() == {700}
    pair.run("limits", "set", "--tier", "gold", "*", "800 per minute")
    assert quota() == {800}


def test_deleted_account_leaves_nothing_that_opens_anything(pair, member):
    """Tokens, keys, jobs and names are gone, in every process and for an emptied store; the name is free again."""
    job_id = member.generate().json()["job_id"]
    member.wait_for(job_id)
    wrong = member.api.ask("DELETE", ME, json={"password": "something else"})
    assert (wrong.status, wrong.code) == (403, "WRONG_PASSWORD")
    assert member.api.ask("DELETE", ME, json={"password": PASSWORD}).status == 204
    for _ in range(2):
        assert knock(member.api) == {"TOKEN_REVOKED"}
        assert knock(pair.api.shown(key=member.key)) == {"API_KEY_INVALID"}
        assert refresh(pair, member.refresh).status == 401
        empty_store(pair)
    again = pair.api.join(member.username)
    assert again.subject != member.subject
    assert again.api.get(f"{V1}/tts/audio/{job_id}").code == "JOB_NOT_FOUND"
    with closing(Database(pair.database_url)) as database, database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM job WHERE owner = :subject"), {"subject": member.subject}) == 0


def test_last_seen_is_written_at_the_end_at_the_latest(serve):
    """A service that stops loses no time that it has noted."""
    first = serve()
    member = first.api.join()
    first.api.shown(key=member.key).get(ME)
    assert member.api.get(KEYS).json()["api_keys"][0]["last_used_at"] is None
    first.stop()
    second = serve()
    (key,) = member.at(second.url).api.get(KEYS).json()["api_keys"]
    assert key["last_used_at"] is not None


def test_guide_runs_as_it_is_written(serve, tmp_path):
    """Every line of shell on the page, in order, beside a fresh service with its defaults."""
    served = serve()
    script = "\n".join(re.findall(r"^```bash\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:5000", served.url)],
        cwd=tmp_path,
        env={"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8", "VOXGATE_DATA": str(served.data)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
