"""The end of an account: every credential first, then everything personal."""

import pytest
from tests.accounts.conftest import PASSWORD
from tests.accounts.test_lifecycle import ask_key, ask_session

from voxgate.accounts.models import ApiKey, User, UserSession
from voxgate.accounts.passwords import Hasher
from voxgate.gate.errors import Refusal, StoreUnavailableError


@pytest.fixture
def made(register):
    return register()


@pytest.fixture
def subject(made):
    return made.account.subject


@pytest.fixture
def session_id(sessions, made):
    return sessions.open(made.account, address="192.0.2.7", device="curl").session_id


def test_nothing_of_it_is_left_or_opens_anything(
    accounts, register, made, subject, session_id, store, directory, database
):
    """No row names the account, no credential works, also for a store that asks again; the names are free."""
    assert accounts.delete(subject) is None
    with database.reading() as session:
        for table in (User, UserSession, ApiKey):
            assert session.query(table).filter_by(subject=subject).count() == 0
    assert ask_session(store, session_id).refusal == Refusal("TOKEN_REVOKED")
    assert ask_key(store, made.api_key).refusal == Refusal("API_KEY_INVALID")
    assert directory.find_account(subject) is directory.find_session(session_id) is None
    assert accounts.delete(subject) == Refusal("ACCOUNT_UNKNOWN")
    assert register().account.subject != subject


def test_owner_proves_it_by_the_password(accounts, subject, store, session_id):
    """A stolen token deletes nothing."""
    assert accounts.delete(subject, password="something else") == Refusal("WRONG_PASSWORD")
    assert ask_session(store, session_id).is_allowed
    assert accounts.delete(subject, password=PASSWORD) is None
    assert accounts.delete(subject, password=PASSWORD) == Refusal("WRONG_PASSWORD")


def test_password_that_changes_meanwhile_proves_nothing(accounts, subject, monkeypatch):
    """What was proven is proven no more."""
    verify = Hasher.verify

    def verify_and_lose(hasher, known, *, password):
        is_right = verify(hasher, known, password=password)
        accounts.set_password(subject, "seven stones in a row")
        return is_right

    monkeypatch.setattr(Hasher, "verify", verify_and_lose)
    assert accounts.delete(subject, password=PASSWORD) == Refusal("WRONG_PASSWORD")
    assert accounts.find(subject).is_active


@pytest.mark.parametrize("call", ["put_state", "end_key", "end_session"])
def test_failure_in_the_middle_leaves_nothing_that_opens_anything(
    accounts, made, subject, session_id, store, monkeypatch, call
):
    """Before the store has been told, the account is there and can be deleted again; afterwards all is refused."""

    def refuse(*_args, **_kwargs):
        raise StoreUnavailableError("away")

    with monkeypatch.context() as down:
        down.setattr(store, call, refuse)
        with pytest.raises(StoreUnavailableError):
            accounts.delete(subject)
    if call == "put_state":
        assert accounts.find(subject).is_active is False
        assert accounts.delete(subject) is None
    assert not ask_session(store, session_id).is_allowed
    assert not ask_key(store, made.api_key).is_allowed


def test_disabled_account_brings_no_session_back(accounts, made, subject, sessions, session_id, store, clock):
    """Disabled, all is 403; enabled, keys work, and the store has learned the ends before anything else."""
    accounts.set_active(subject, False)
    assert ask_session(store, session_id).refusal == Refusal("ACCOUNT_DISABLED")
    assert sessions.list(subject) == ()
    clock.at_ms += 3_000_000  # later than an end is told again by itself
    accounts.set_active(subject, True)
    assert ask_session(store, session_id).refusal == Refusal("TOKEN_REVOKED")
    assert ask_key(store, made.api_key).is_allowed


def test_enabling_that_cannot_tell_the_ends_enables_nothing(accounts, subject, session_id, store, monkeypatch):
    """Else an old session would live again."""
    accounts.set_active(subject, False)

    def refuse(*_args, **_kwargs):
        raise StoreUnavailableError("away")

    with monkeypatch.context() as down:
        down.setattr(store, "end_session", refuse)
        with pytest.raises(StoreUnavailableError):
            accounts.set_active(subject, True)
    assert accounts.find(subject).is_active is False
    assert not ask_session(store, session_id).is_allowed
