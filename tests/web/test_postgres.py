"""PostgreSQL in trouble under the service: refused in time, and what needs no SQL goes on."""

import contextlib
import time

import pytest
from tests.support.postgres import running_postgres
from tests.support.service import ANN, BOB, V1
from tests.support.silence import waits  # noqa: F401 -- a fixture is found by its name

from voxgate.accounts.database import Database

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def server():
    """A server of this file alone, which may hang."""
    with running_postgres() as started:
        yield started


@pytest.fixture
def app(make_app, server):
    url = server.url(server.create())
    with contextlib.closing(Database(url)) as database:
        database.migrate()
    yield make_app(database_url=url)
    server.resume()


@pytest.fixture
def locked(server, services):
    """Another program holds the tables against writing and does not end."""
    name = services.database.engine.url.database
    with server.connect(name) as holder:
        holder.autocommit = False
        holder.execute("LOCK TABLE users, user_sessions, job IN EXCLUSIVE MODE")
        yield holder
        holder.rollback()


def timed(call):
    """Return what a call answers, and the seconds that it took."""
    began = time.monotonic()
    answer = call()
    return answer, time.monotonic() - began


def keeps_to(bound_s, refused):
    """Say whether a refusal came in time in one of five tries: a wait is in each of them, a busy machine in some."""
    for _ in range(5):
        answer, took_s = timed(refused)
        assert (answer.status_code, answer.get_json()["code"]) == (503, "DATABASE_UNAVAILABLE")
        if took_s < bound_s:
            return True
    return False


def say(client, headers):
    return client.post(f"{V1}/tts/generate", headers=headers, json={"text": "Hello."})


def test_503_within_two_seconds_while_locked(client, auth_headers, locked):
    """A write waits a second and is then refused; nothing of it remains, and reading goes on."""
    for call in (lambda: client.post(f"{V1}/auth/register", json=BOB), lambda: say(client, auth_headers)):
        assert keeps_to(2.5, call)  # 1 s by the server's clock; the rest is for a machine that is busy
    for path in (f"{V1}/tts/", f"{V1}/auth/me", "/readyz"):
        assert client.get(path, headers=auth_headers).status_code == 200
    locked.rollback()
    assert client.post(f"{V1}/auth/register", json=BOB).status_code == 201
    assert client.get(f"{V1}/tts/", headers=auth_headers).get_json()["jobs"] == []


def test_503_and_no_hang_while_the_server_hangs(client, auth_headers, server, waits):  # noqa: F811 -- the fixture
    """The first caller waits a bounded time, the others none; tokens go on where no SQL is asked."""

    def ask():
        answer = say(client, auth_headers)
        assert (answer.status_code, answer.get_json()["code"]) == (503, "DATABASE_UNAVAILABLE")
        return list(waits)

    server.pause()
    first = ask()
    assert sum(first) < 5
    assert [ask() for _ in range(4)] == [first] * 4
    for path in (f"{V1}/tts/voices", f"{V1}/limits", "/healthz"):
        assert client.get(path, headers=auth_headers).status_code == 200
    assert client.get("/readyz").get_json()["checks"]["database"] == "unavailable"
    assert waits == first


def test_restart_is_met_by_no_request(client, auth_headers, server):
    """Requests before and after a restart are answered, with the tokens of before."""
    assert say(client, auth_headers).status_code == 202
    server.stop()
    assert say(client, auth_headers).status_code == 503
    assert client.get(f"{V1}/limits", headers=auth_headers).status_code == 200
    server.start()
    assert say(client, auth_headers).status_code == 202
    assert (
        client.post(f"{V1}/auth/login", json={name: ANN[name] for name in ("username", "password")}).status_code == 200
    )
