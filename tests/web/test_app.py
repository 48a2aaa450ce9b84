"""The application as it is wired: opened cheaply, with what it is given, and closed in order."""

import json
import threading
from pathlib import Path

import pytest
from tests.support.service import ANN, V1

from voxgate.gate.errors import ConfigurationError
from voxgate.gate.events import TTS_JOB_FINISHED
from voxgate.settings import Settings
from voxgate.testing import FakeClock
from voxgate.web import app as web_app
from voxgate.web.app import create_app, create_served_app
from voxgate.web.current import EXTENSION
from voxgate.web.services import open_services


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("VOXGATE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def at_exit(monkeypatch):
    """What would be called at the end of the process."""
    calls = []
    monkeypatch.setattr(web_app.atexit, "register", calls.append)
    yield calls
    for call in calls:
        call()


def our_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("voxgate-job")]


def test_opening_starts_nothing(data, at_exit):
    """Making an application starts no thread; its folder, databases and key are there and private."""
    app = create_app(Settings(data=data), clock=FakeClock())
    assert app.test_client().get("/readyz").status_code == 200
    assert our_threads() == []
    assert {"voxgate.db", "gate.db", "secret.key"} <= {path.name for path in data.iterdir()}
    assert data.stat().st_mode & 0o077 == 0


def test_everything_comes_from_the_environment(data, at_exit, monkeypatch):
    """Without settings an application reads the environment."""
    monkeypatch.setenv("JWT_SECRET_KEY", "fJ7mK2pQ9rT4vX8zB3nL6wE1yU5aS0dG")
    monkeypatch.setenv("RATELIMIT_REGISTER", "1 per hour")
    client = create_app().test_client()
    assert not (data / "secret.key").exists()
    answer = client.post(f"{V1}/auth/register", json=ANN)
    assert answer.headers["RateLimit-Policy"] == '"register";q=1;w=3600'


def test_served_application_runs_jobs_and_stops(data, at_exit):
    """A served application has its threads at once; closing ends them, and closing again is no error."""
    services = create_served_app().extensions[EXTENSION]
    assert our_threads()
    services.close()
    assert our_threads() == []
    services.background.send("too late")
    services.close()
    assert our_threads() == []


def test_first_job_starts_the_threads(data, hasher):
    """A job that is submitted is run to its end without any other call."""
    finished = threading.Event()
    services = open_services(
        Settings(data=data, engine_workers=1),
        hasher=hasher,
        events=lambda name, _: finished.set() if name == TTS_JOB_FINISHED else None,
    )
    client = create_app(services=services).test_client()
    key = {"X-API-Key": client.post(f"{V1}/auth/register", json=ANN).get_json()["api_key"]}
    started = client.post(f"{V1}/tts/generate", headers=key, json={"text": "Hello."}).get_json()
    assert finished.wait(60)
    job = client.get(started["status_url"], headers=key).get_json()
    assert (job["status"], job["progress"]) == ("done", 1.0)
    services.close()


def test_accounts_and_limits_survive_a_restart(data, hasher):
    """What was answered is still true after closing and opening again."""
    clock = FakeClock()
    first = open_services(Settings(data=data), clock=clock, hasher=hasher)
    client = create_app(services=first).test_client()
    client.post(f"{V1}/auth/register", json=ANN)
    login = client.post(f"{V1}/auth/login", json={"username": "testuser", "password": "password123"}).get_json()
    headers = {"Authorization": f"Bearer {login['access_token']}"}
    for _ in range(5):
        client.get("/protected", headers=headers)
    first.close()
    second = open_services(Settings(data=data), clock=clock, hasher=hasher)
    client = create_app(services=second).test_client()
    assert client.get(f"{V1}/auth/me", headers=headers).status_code == 200
    assert client.get("/protected", headers=headers).status_code == 429
    second.close()


def test_unusable_setting_stops_the_start(data):
    """An option of the store that there is not is told at once."""
    with pytest.raises(ConfigurationError):
        open_services(Settings(data=data, redis_url="redis://localhost:6379/1?colour=red"))


def test_what_was_opened_before_a_failure_is_closed(data, monkeypatch):
    """A start that fails leaves no file of the data folder open, however far it came."""

    def fail(*_):
        raise ConfigurationError("VOXGATE_AUDIO_STORE", "not this time")

    def opened():
        files = (each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink())
        return [file for file in files if file.is_relative_to(data)]

    open_services(Settings(data=data)).close()
    services = open_services(Settings(data=data))  # the first had a schema to make, on a connection of its own
    assert opened()
    services.close()
    assert not opened()
    monkeypatch.setattr("voxgate.web.services.open_artifacts", fail)
    with pytest.raises(ConfigurationError):
        open_services(Settings(data=data))
    assert not opened()


def test_answers_are_utf8(client):
    """Names come back as people wrote them."""
    answer = client.post(f"{V1}/auth/register", json={**ANN, "username": "Nguyễn"})
    assert answer.status_code == 201
    login = client.post(f"{V1}/auth/login", json={"username": "Nguyễn", "password": "password123"})
    assert "Nguyễn".encode() in login.data
    assert json.loads(login.data)["user"]["username"] == "Nguyễn"


def test_user_text_is_never_html(client):
    """What a caller writes comes back as JSON text, with a type that no browser runs."""
    answer = client.get("/<script>alert(1)</script>")
    assert answer.mimetype == "application/problem+json"
    assert "script" not in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_cors_is_an_exact_list(make_app):
    """Named origins read answers, also refusals; others do not."""
    client = make_app(cors_origins=("https://app.example",)).test_client()
    mine = client.get(f"{V1}/auth/me", headers={"Origin": "https://app.example"})
    assert (mine.status_code, mine.headers["Access-Control-Allow-Origin"]) == (401, "https://app.example")
    other = client.get(f"{V1}/auth/me", headers={"Origin": "https://app.example.evil"})
    assert "Access-Control-Allow-Origin" not in other.headers
    assert other.headers["Vary"] == "Origin"
