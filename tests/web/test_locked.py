"""A database that somebody holds: writes are refused in time, reads and refusals go on."""

import sqlite3

import pytest
from tests.support.service import ANN, BOB, V1


@pytest.fixture
def job(client, auth_headers):
    """A job that was accepted while all was well."""
    return client.post(f"{V1}/tts/generate", headers=auth_headers, json={"text": "Hello."}).get_json()


@pytest.fixture
def locked(services, job):
    """Another program writes to the database and does not end."""
    holder = sqlite3.connect(services.settings.data / "voxgate.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    yield holder
    holder.close()


def test_503_what_must_be_written(client, auth_headers, locked):
    """A write waits a second and is then refused with when to come back; nothing of it remains."""
    answers = [
        client.post(f"{V1}/auth/register", json=BOB),
        client.post(f"{V1}/tts/generate", headers=auth_headers, json={"text": "Hello."}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.get_json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    locked.execute("ROLLBACK")
    assert client.post(f"{V1}/auth/register", json=BOB).status_code == 201
    assert len(client.get(f"{V1}/tts/", headers=auth_headers).get_json()["jobs"]) == 1


def test_200_what_is_only_read(client, auth_headers, job, locked):
    """Reading never waits for a writer."""
    for path in (job["status_url"], f"{V1}/tts/", f"{V1}/tts/status", f"{V1}/auth/me", f"{V1}/limits", "/readyz"):
        assert client.get(path, headers=auth_headers).status_code == 200


def test_refusals_go_on(client, locked):
    """What is refused needs no database."""
    assert client.get(f"{V1}/auth/me").status_code == 401
    assert client.post(f"{V1}/auth/register", json={**ANN, "email": ""}).status_code == 400
