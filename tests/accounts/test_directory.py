"""Loss never revives: what a store forgot is read from SQL, and what has ended stays ended."""

import pytest
from tests.accounts.conftest import LIFETIME_S, START_MS

from voxgate.gate.api_keys import parse_key
from voxgate.gate.decision import AccountState, KeyState, Query, SessionState, Unknown
from voxgate.gate.principal import CredentialKind
from voxgate.gate.stores import SqliteStore


@pytest.fixture
def ask_after_loss(tmp_path, clock, directory):
    """Ask a store that has lost everything and reads from the directory what it does not know."""
    fresh = SqliteStore(tmp_path / "fresh.db", clock=clock)

    def ask(query):
        while isinstance(answer := fresh.decide(query), Unknown):
            find = {"account": directory.find_account, "session": directory.find_session, "key": directory.find_key}
            fresh.put_state(find[answer.kind](answer.record_id))
        return answer

    yield ask
    fresh.close()


def about_session(pair):
    return Query(charges={"": ()}, kind=CredentialKind.ACCESS, credential_id=pair.session_id)


def about_key(text):
    key = parse_key(text)
    return Query(charges={"": ()}, kind=CredentialKind.API_KEY, credential_id=key.key_id, digest=key.digest)


def test_states_are_what_was_written(directory, register, sessions):
    """Account, session and key come back as the store was told them."""
    made = register()
    subject = made.account.subject
    pair = sessions.open(made.account, address="", device="")
    key = parse_key(made.api_key)
    assert directory.find_account(subject) == AccountState(subject=subject, tier="standard", is_active=True, version=1)
    assert directory.find_session(pair.session_id) == SessionState(
        pair.session_id, subject, START_MS + LIFETIME_S * 1000, idle_ends_at_ms=START_MS + LIFETIME_S * 1000
    )
    assert directory.find_key(key.key_id) == KeyState(key.key_id, subject, key.digest, version=1)


def test_session_that_the_store_has_ended_is_ended_for_ever(directory, register, sessions):
    """A refresh token that was used again ends its session also for a store that has lost everything."""
    pair = sessions.open(register().account, address="", device="")
    for now_ms in (START_MS + 1, START_MS + 2):
        directory.end_session(pair.session_id, now_ms=now_ms)
    assert directory.find_session(pair.session_id).is_ended
    directory.end_session("0" * 32, now_ms=START_MS)


def test_unknown_records_are_none(directory):
    """What is nowhere is nowhere."""
    assert directory.find_account("nobody") is None
    assert directory.find_session("none") is None
    assert directory.find_key("none") is None


def test_live_credentials_pass_after_the_loss(ask_after_loss, register, sessions):
    """A store that was wiped costs a read, not a login."""
    made = register()
    pair = sessions.open(made.account, address="", device="")
    assert ask_after_loss(about_session(pair)).is_allowed
    assert ask_after_loss(about_key(made.api_key)).is_allowed


def test_ended_credentials_stay_ended_after_the_loss(ask_after_loss, register, sessions, api_keys):
    """Logout and revocation outlive the store."""
    made = register()
    pair = sessions.open(made.account, address="", device="")
    sessions.end(pair.session_id)
    api_keys.revoke(made.account.subject, parse_key(made.api_key).key_id)
    assert ask_after_loss(about_session(pair)).refusal.code == "TOKEN_REVOKED"
    assert ask_after_loss(about_key(made.api_key)).refusal.code == "API_KEY_INVALID"


def test_disabled_account_stays_disabled_after_the_loss(ask_after_loss, register, accounts):
    """So does what the operator decided."""
    made = register()
    accounts.set_active(made.account.subject, False)
    assert ask_after_loss(about_key(made.api_key)).refusal.code == "ACCOUNT_DISABLED"
