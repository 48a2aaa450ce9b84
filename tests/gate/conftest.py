"""Stores, a clock and an admission for the tests of the gate."""

import contextlib
import functools
import secrets
from dataclasses import replace

import pytest
from tests.support.queries import DIGEST
from tests.support.servers import BINARIES, running, running_cluster

from voxgate.gate.admission import Admission
from voxgate.gate.decision import AccountState, KeyState, SessionState
from voxgate.gate.stores import SqliteStore
from voxgate.gate.stores.redis_urls import open_redis
from voxgate.gate.tiers import Tiers
from voxgate.gate.tokens import Signer
from voxgate.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(scope="session")
def server_of():
    """Return the server of a name, started at its first use and shared by the tests of this process."""
    with contextlib.ExitStack() as stack:

        def start(name):
            is_cluster = name == "cluster"
            return stack.enter_context(running_cluster() if is_cluster else running(binary=BINARIES[name]))

        yield functools.cache(start)


@pytest.fixture
def store_kind():
    """The kind of store that a test meets; ``EVERY_STORE`` lets it meet each."""
    return "sqlite"


@pytest.fixture
def prefix():
    """What the keys of this test begin with."""
    return f"{secrets.token_hex(4)}:"


@pytest.fixture
def new_store(store_kind, tmp_path, server_of, prefix):
    """Open the same store again, as another process would, given its clock."""
    stores = []

    def open_one(clock):
        if store_kind == "sqlite":
            store = SqliteStore(tmp_path / "gate.db", clock=clock, budget_s=30)
        else:
            store = open_redis(f"{server_of(store_kind).url}?prefix={prefix}", clock=clock, budget_s=30)
        stores.append(store)
        return store

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def store(new_store, clock):
    """An empty store."""
    return new_store(clock)


@pytest.fixture
def known(store, clock):
    """A store that knows an account with a session and a key."""
    store.put_state(AccountState("u1"))
    store.put_state(SessionState("s1", "u1", clock.now_ms() + 3_600_000))
    store.put_state(KeyState("k1", "u1", DIGEST, frozenset({"read"}), clock.now_ms() + 60_000))
    return store


@pytest.fixture
def signer():
    return Signer(bytes(range(32)))


class Directory:
    """A source of truth that counts what is asked of it."""

    def __init__(self):
        self.states, self.asked = {}, []

    def add(self, *states):
        for state in states:
            key = {AccountState: "account", SessionState: "session", KeyState: "key"}[type(state)]
            record_id = state.subject if key == "account" else getattr(state, f"{key}_id")
            self.states[key, record_id] = state

    def _find(self, kind, record_id):
        self.asked.append((kind, record_id))
        return self.states.get((kind, record_id))

    def find_account(self, subject):
        return self._find("account", subject)

    def find_session(self, session_id):
        return self._find("session", session_id)

    def find_key(self, key_id):
        return self._find("key", key_id)

    def end_session(self, session_id, *, now_ms):
        self.asked.append(("end", session_id))
        state = self.states.get(("session", session_id))
        if state is not None:
            self.states["session", session_id] = replace(state, is_ended=True)


@pytest.fixture
def directory():
    return Directory()


@pytest.fixture
def told():
    """The security events that were told."""
    return []


@pytest.fixture
def admission(store, signer, clock, directory, told):
    tiers = Tiers(
        {"standard": "3 per minute", "premium": "6 per minute"},
        default="2 per minute",
        policies={"bad-credentials": "4 per minute", "two": "2 per minute; 3 per hour"},
    )
    return Admission(
        store=store,
        signer=signer,
        tiers=tiers,
        clock=clock,
        directory=directory,
        emit=lambda event, fields: told.append((event, dict(fields))),
    )


@pytest.fixture
def trips(app, monkeypatch):
    """Every question that the gate of an application asks its store from now on."""
    store, calls = app.extensions["voxgate"].admission.store, []
    real = store.decide
    monkeypatch.setattr(store, "decide", lambda query: (calls.append(query), real(query))[1])
    return calls
