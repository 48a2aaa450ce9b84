"""The rooms of one request: a guarded request stays within a few files, functions and crossings, and one store call."""

import secrets
import sys
from pathlib import Path

import pytest
from flask import Flask, jsonify
from tests.support.servers import running

import voxgate
from voxgate.gate import Gate
from voxgate.gate.stores import SqliteStore
from voxgate.gate.stores.redis import RedisStore
from voxgate.gate.stores.redis_links import KeptLink

HOUSE = str(Path(voxgate.__file__).parent)

# The libraries that people use today walk 24 files, 124 functions and 127 crossings for the same request.
FILES, FUNCTIONS, CROSSINGS, TRIPS = 13, 30, 24, 1


class Walk:
    """What a profiler saw of our own code: every function entered, and from which file."""

    def __init__(self):
        self.functions, self.crossings = set(), 0

    def __call__(self, frame, event, _):
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(HOUSE):
            return
        self.functions.add((code.co_filename, code.co_qualname))
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(HOUSE):
            caller = caller.f_back
        self.crossings += caller is not None and caller.f_code.co_filename != code.co_filename

    @property
    def files(self):
        return {filename for filename, _ in self.functions}


@pytest.fixture(scope="module")
def server():
    """A real server of the shared store."""
    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def store_url(request, tmp_path):
    """Where the gate keeps what it shares: the embedded store, or a server."""
    if request.param == "sqlite":
        return str(tmp_path / "gate.db")
    return f"{request.getfixturevalue('server').url}?prefix={secrets.token_hex(4)}:"


@pytest.fixture
def trips(monkeypatch):
    """Every call of a store's decision."""
    calls = []
    for kind in (SqliteStore, RedisStore):
        monkeypatch.setattr(kind, "decide", counting(calls, kind.decide))
    return calls


@pytest.fixture
def commands(monkeypatch):
    """Every command that is sent to a server."""
    calls = []
    monkeypatch.setattr(KeptLink, "_send", counting(calls, KeptLink._send))
    return calls


def counting(calls, real):
    return lambda self, given: calls.append(given) or real(self, given)


@pytest.fixture
def client(tmp_path, trips, store_url):
    app = Flask("rooms", instance_path=str(tmp_path))
    app.config["VOXGATE_STORE"] = store_url
    gate = Gate(app)

    @app.get("/x")
    @gate.protect(limits="100 per minute")
    def guarded():
        return jsonify(subject=gate.principal.subject)

    with app.app_context():
        gate.issuer.set_account("ann")
        token = gate.issuer.open_session("ann").access_token
        store = gate.admission.store
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    yield client
    store.close()


def walk(client, status):
    for _ in range(3):  # What is computed once per route or token is computed now.
        client.get("/x")
    seen = Walk()
    sys.setprofile(seen)
    try:
        answer = client.get("/x")
    finally:
        sys.setprofile(None)
    assert answer.status_code == status
    return seen


def test_allowed_request_stays_within_the_budget(client, trips):
    """One store call, few rooms."""
    seen = walk(client, 200)
    figures = (len(seen.files), len(seen.functions), seen.crossings)
    within = zip(figures, (FILES, FUNCTIONS, CROSSINGS), strict=True)
    assert all(figure <= budget for figure, budget in within), (figures, sorted(seen.functions))
    assert len(trips) == 4 * TRIPS


def test_allowed_request_is_one_command_on_a_server(client, commands, store_url):
    """Nothing is sent beside the decision, neither before nor after it."""
    walk(client, 200)  # At first the names of counters are noted, and a new server is sent the scripts.
    commands.clear()
    seen = walk(client, 200)
    assert len(commands) == (4 if "://" in store_url else 0)
    assert seen.crossings <= CROSSINGS


def test_remembered_refusal_makes_no_store_call(client, trips):
    """The second answer to what was refused a moment ago enters neither the decision nor Flask."""
    for _ in range(100):
        client.get("/x")
    trips.clear()
    seen = walk(client, 429)
    assert len(trips) <= TRIPS
    assert not any("admission" in filename for filename in seen.files)
    assert len(seen.functions) <= 12


def test_refusal_by_form_enters_neither_store_nor_view(client, trips):
    """A mistyped token costs a handful of functions and no store call."""
    client.environ_base["HTTP_AUTHORIZATION"] += "x"
    seen = walk(client, 401)
    assert trips == []
    assert len(seen.functions) <= 20
