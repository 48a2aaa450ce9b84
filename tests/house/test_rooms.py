"""The rooms of one request: a guarded request stays within a few files, functions and crossings, and one store call."""

import sys
from pathlib import Path

import pytest
from flask import Flask, jsonify

import voxgate
from voxgate.gate import Gate
from voxgate.gate.stores import SqliteStore

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


@pytest.fixture
def trips(monkeypatch):
    """Every call of the store's decision."""
    calls = []
    real = SqliteStore.decide
    monkeypatch.setattr(SqliteStore, "decide", lambda store, query: calls.append(query) or real(store, query))
    return calls


@pytest.fixture
def client(tmp_path, trips):
    app = Flask("rooms", instance_path=str(tmp_path))
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
