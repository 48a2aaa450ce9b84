"""What every test of the accounts stands on: a real database, the real store, and a clock that is given."""

import secrets
from dataclasses import dataclass

import pytest

from voxgate.accounts.api_keys import ApiKeys
from voxgate.accounts.database import Database
from voxgate.accounts.directory import SqlDirectory
from voxgate.accounts.lifecycle import Accounts
from voxgate.accounts.passwords import Hasher
from voxgate.accounts.session_values import Lifetime
from voxgate.accounts.sessions import Sessions
from voxgate.gate.stores import SqliteStore
from voxgate.gate.tokens import Signer

START_MS = 1_800_000_000_000
LIFETIME_S = 3_600
PASSWORD = "password123"


@dataclass
class GivenClock:
    """A clock that stands until it is moved."""

    at_ms: int = START_MS

    def now_ms(self):
        return self.at_ms


@pytest.fixture
def database(database_url):
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def clock():
    return GivenClock()


@pytest.fixture
def store(tmp_path, clock):
    opened = SqliteStore(tmp_path / "gate.db", clock=clock)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def hasher():
    """Cheap hashes: 8 KiB instead of 46 MiB."""
    return Hasher(memory_kib=8, queue=64)


@pytest.fixture
def signer():
    return Signer(secrets.token_bytes(32))


@pytest.fixture
def accounts(database, store, hasher, clock):
    return Accounts(database, store, hasher=hasher, clock=clock, profile="development")


@pytest.fixture
def sessions(database, store, signer, clock):
    return Sessions(database, store, signer, clock=clock, lifetime=Lifetime(absolute_s=LIFETIME_S))


@pytest.fixture
def api_keys(database, store, clock):
    return ApiKeys(database, store, clock=clock)


@pytest.fixture
def directory(database):
    return SqlDirectory(database)


@pytest.fixture
def register(accounts):
    """Register somebody; returns the registration or the refusal."""

    def call(username="testuser", email="test@example.com", password=PASSWORD):
        return accounts.register(username=username, email=email, password=password)

    return call


@pytest.fixture
def account(register):
    return register().account
