"""The real application for tests: its own data folder, a clock that is given, cheap hashes, and a client that checks.

A conftest imports the fixtures that it offers; ``client`` and ``auth_headers`` have the second document's names.
"""

import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

from voxgate.accounts.passwords import Hasher
from voxgate.settings import Settings
from voxgate.speech.engines.registry import open_engines
from voxgate.speech.jobs.run import JobRunner
from voxgate.testing import FakeClock
from voxgate.web.app import create_app
from voxgate.web.openai_form import code_of
from voxgate.web.operation import Media
from voxgate.web.operations import OPERATIONS, ROOT_OPERATIONS
from voxgate.web.problems import problem_for
from voxgate.web.services import open_services

ANN = {"username": "testuser", "email": "test@example.com", "password": "password123"}
BOB = {"username": "bob", "email": "bob@example.com", "password": "correct horse"}
V1 = "/api/v1"

DESCRIBED = {(each.method.upper(), each.path): each for each in (*OPERATIONS, *ROOT_OPERATIONS)}


class StillBackground:
    """Runs no job; a test runs the jobs itself and so knows when they are done."""

    def __init__(self):
        self.sent = []

    def start(self):
        pass

    def send(self, job_id):
        self.sent.append(job_id)

    def stop(self):
        pass


class SharedEngines:
    """Engines that outlive an application: their voices are read and their processes started once."""

    def __init__(self, engines):
        self._engines = engines

    def __getattr__(self, name):
        return getattr(self._engines, name)

    def close(self):
        pass


class CheckingClient(FlaskClient):
    """Holds every answer of every test against what is promised of all of them."""

    def open(self, *args, **kwargs):
        answer = super().open(*args, **{"buffered": True} | kwargs)
        check_answer(self.application, answer)
        return answer


def check_answer(app, answer):
    """Fail when an answer breaks a promise that all answers make."""
    assert answer.headers["X-Request-ID"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.mimetype != "text/html" or answer.request.path == "/docs"
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        check_problem(answer)
    if answer.status_code not in {429, 503}:
        assert "Retry-After" not in answer.headers
    check_described(app, answer)


def check_problem(answer):
    """Fail when an error is not the problem document that it should be."""
    if answer.request.path.startswith("/v1/"):
        assert answer.mimetype == "application/json"
        assert answer.get_json().keys() == {"error"}
        assert answer.get_json()["error"].keys() == {"message", "type", "param", "code"}
        return
    assert answer.mimetype == "application/problem+json"
    body = answer.get_json()
    assert body["status"] == answer.status_code
    assert body["instance"] == f"urn:request:{answer.headers['X-Request-ID']}"
    assert all(body[name] for name in ("type", "title", "detail", "error", "message", "code"))
    assert ("WWW-Authenticate" in answer.headers) == (
        answer.status_code == 401 or body["code"] == "INSUFFICIENT_SCOPE"
    ) or (body["code"] == "INVALID_REQUEST")
    assert str(body.get("retry_after", "")) == answer.headers.get("Retry-After", "")


def check_described(app, answer):
    """Fail when a route answers a status or a body that its OpenAPI description does not have."""
    method = "GET" if answer.request.method == "HEAD" else answer.request.method
    try:
        rule, _ = app.url_map.bind("localhost").match(answer.request.path, method, return_rule=True)
    except HTTPException:
        return
    operation = DESCRIBED.get((method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)))
    if operation is None:
        return  # OPTIONS, or a route that a test has added; test_openapi.py finds routes without a description
    if answer.status_code >= 400:
        if answer.request.method != "HEAD":
            known = {problem_for(code).code for code in operation.every_code}
            assert code_told(answer, operation) in known | {code_of(code) for code in known}
        return
    success = operation.answers[answer.status_code]
    if isinstance(success, Media):
        if success.types:
            assert answer.mimetype in success.types
        else:
            assert not answer.data
            assert answer.status_code == 304 or "Content-Type" not in answer.headers
    elif answer.request.method != "HEAD":
        success.model_validate_json(answer.data)


def code_told(answer, operation):
    """Return the code of an error in the form of its route."""
    body = answer.get_json()
    return body["error"]["code"] if operation.has_openai_form else body["code"]


@pytest.fixture(scope="session")
def hasher():
    """Cheap hashes: 8 KiB instead of 46 MiB."""
    return Hasher(memory_kib=8, queue=64)


@pytest.fixture(scope="session")
def engines():
    """The real engines with one process."""
    opened = open_engines(workers=1)
    yield opened
    opened.close()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def events():
    """Every security event, in order: name and fields."""
    return []


@pytest.fixture
def make_app(tmp_path, new_database, hasher, engines, clock, events):
    """Make the application with other settings; each has its own data folder."""
    opened = []

    def make(**settings):
        data = tmp_path / f"data{len(opened)}"
        data.mkdir()
        settings = {"database_url": new_database(data / "voxgate.db"), **settings}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("voxgate.speaking.open_engines", lambda **_: SharedEngines(engines))
            services = open_services(
                Settings(data=data, **settings),
                clock=clock,
                hasher=hasher,
                events=lambda name, fields: events.append((name, dict(fields))),
            )
        opened.append(services)
        app = create_app(services=replace(services, background=StillBackground()))
        app.test_client_class = CheckingClient
        return app

    yield make
    for services in opened:
        services.close()


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def services(app):
    return app.extensions["voxgate.services"]


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def join(client):
    """Register and log in; gives the answers of both."""

    def call(who=ANN):
        registered = client.post(f"{V1}/auth/register", json=who)
        assert registered.status_code == 201
        login = client.post(f"{V1}/auth/login", json={name: who[name] for name in ("username", "password")})
        assert login.status_code == 200
        return {**registered.get_json(), **login.get_json()}

    return call


@pytest.fixture
def ann(join):
    """One account with a session and an API key."""
    return join()


@pytest.fixture
def auth_headers(ann):
    return bearer(ann["access_token"])


@pytest.fixture
def bob_headers(join):
    return bearer(join(BOB)["access_token"])


@pytest.fixture
def run_jobs(services):
    """Run every job that waits, here and now."""
    runner = JobRunner(services.jobs, services.synthesizer, services.artifacts)

    def call():
        while job := services.jobs.claim("test"):
            runner.run(job, lambda: False)

    return call


@pytest.fixture
def speak(client, auth_headers, run_jobs):
    """Have a text spoken to the end; gives the job's status."""

    def call(text="Hello.", **wanted):
        started = client.post(f"{V1}/tts/generate", headers=auth_headers, json={"text": text, **wanted})
        assert started.status_code == 202
        run_jobs()
        return client.get(started.get_json()["status_url"], headers=auth_headers).get_json()

    return call


def bearer(token):
    """Return the headers that show a token."""
    return {"Authorization": f"Bearer {token}"}
