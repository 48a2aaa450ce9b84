"""What the gate notes in passing: written down for many requests at once."""

import threading

import pytest
from tests.support.service import V1
from tests.support.waiting import eventually

from voxgate.accounts.database import DatabaseUnavailableError
from voxgate.web import noted as module
from voxgate.web.noted import Noted


@pytest.fixture
def written():
    return []


@pytest.fixture
def noted(written):
    made = Noted(seen=lambda seen: written.append(dict(seen)))
    yield made
    made.close()


def test_lists_tell_when_a_session_and_a_key_were_last_seen(client, ann, auth_headers, services, clock):
    """To the last write; the requests themselves wrote nothing."""
    clock.advance(60)
    client.get(f"{V1}/auth/me", headers=auth_headers)
    client.get(f"{V1}/auth/me", headers={"X-API-Key": ann["api_key"]})
    (session,) = client.get(f"{V1}/auth/sessions", headers=auth_headers).get_json()["sessions"]
    assert session["last_seen_at"] == "2027-01-15T08:00:00Z"
    services.noted.flush()
    (session,) = client.get(f"{V1}/auth/sessions", headers=auth_headers).get_json()["sessions"]
    (key,) = client.get(f"{V1}/auth/api-keys", headers=auth_headers).get_json()["api_keys"]
    assert session["last_seen_at"] == key["last_used_at"] == "2027-01-15T08:01:00Z"


def test_many_gates_are_written_as_one(noted, written):
    """The latest time of each credential; nothing is written when nothing was noted."""
    noted.flush()
    noted.add(seen=lambda: {"a": 5, "b": 7})
    noted.add(seen=lambda: {"a": 6})
    noted.flush()
    assert written == [{"a": 6, "b": 7}]


def test_one_kind_that_cannot_be_written_keeps_no_other_waiting(caplog):
    """Each is kept and written by itself."""
    written = []

    def refuse(_):
        raise DatabaseUnavailableError("away")

    noted = Noted(seen=refuse, confirmed=lambda notes: written.append(dict(notes)))
    noted.add(seen=lambda: {"a": 1}, confirmed=lambda: {"a": 2})
    noted.close()
    assert "seen: not written" in caplog.text
    assert written == [{"a": 2}]


def test_what_cannot_be_written_is_kept_for_the_next_time(caplog, monkeypatch):
    """A database that is away costs no time, unless there is too much of it."""
    written, taken = [], [{"c": 3}, {"b": 2}, {"a": 1}]

    def write(seen):
        if taken:
            raise DatabaseUnavailableError("away")
        written.append(dict(seen))

    noted = Noted(seen=write)
    noted.add(seen=lambda: taken.pop() if taken else {})
    noted.flush()
    monkeypatch.setattr(module, "_KEPT", 1)
    noted.flush()
    assert "not written" in caplog.text
    noted.flush()
    noted.close()
    assert written == [{"c": 3}]


def test_thread_writes_now_and_then_and_at_the_end(noted, written, monkeypatch):
    """Started once, stopped once."""
    monkeypatch.setattr(module, "WRITE_EVERY_S", 0.01)
    seen = [{"b": 2}, {"a": 1}]
    noted.add(seen=lambda: seen.pop() if seen else {})
    for _ in range(2):
        noted.start()
    eventually(lambda: len(written) == 2, "both writes")
    threads = [each for each in threading.enumerate() if each.name == "voxgate-noted"]
    assert len(threads) == 1
    noted.close()
    assert not threads[0].is_alive()
