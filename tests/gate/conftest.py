"""A store, a clock and an admission for the tests of the gate."""

import pytest

from voxgate.gate.admission import Admission
from voxgate.gate.decision import AccountState, KeyState, SessionState
from voxgate.gate.stores import SqliteStore
from voxgate.gate.tiers import Tiers
from voxgate.gate.tokens import Signer
from voxgate.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(tmp_path, clock):
    store = SqliteStore(tmp_path / "gate.db", clock=clock)
    yield store
    store.close()


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
