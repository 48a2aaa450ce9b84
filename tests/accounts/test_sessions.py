"""Sessions over their public functions, asked for at the real store of the gate."""

import pytest
from tests.accounts.conftest import LIFETIME_S, START_MS

from voxgate.accounts.models import UserSession
from voxgate.gate.decision import Query
from voxgate.gate.errors import Refusal, StoreUnavailableError
from voxgate.gate.principal import CredentialKind


@pytest.fixture
def pair(sessions, account):
    return sessions.open(account, address="192.0.2.7", device="curl/8.5\r\n")


def ask(store, session_id):
    return store.decide(Query(charges={"": ()}, kind=CredentialKind.ACCESS, credential_id=session_id))


class TestOpen:
    def test_tokens_work_at_once(self, pair, account, signer, store):
        """Both tokens name the session, and the gate knows it before the answer is given."""
        claims = signer.verify_access(pair.access_token, now_ms=START_MS)
        assert (claims.subject, claims.session_id) == (account.subject, pair.session_id)
        assert signer.verify_refresh(pair.refresh_token).session_id == pair.session_id
        assert pair.expires_in_s == signer.access_expires_s
        assert ask(store, pair.session_id).principal.subject == account.subject

    def test_row_tells_when_and_from_where(self, pair, account, database):
        """The owner can later recognise a session; what the client says of itself is cleaned."""
        with database.reading() as session:
            row = session.get(UserSession, pair.session_id)
        assert (row.subject, row.address, row.device) == (account.subject, "192.0.2.7", "curl/8.5")
        assert (row.created_at_ms, row.expires_at_ms) == (START_MS, START_MS + LIFETIME_S * 1000)

    def test_tokens_are_not_printed(self, pair):
        """A pair that is printed by mistake tells no secret."""
        assert pair.access_token not in repr(pair)
        assert pair.refresh_token not in repr(pair)

    def test_login_that_races_with_a_new_password_opens_nothing(self, accounts, sessions, account):
        """A proof from before the change is worth nothing after it."""
        accounts.set_password(account.subject, "seven stones")
        assert sessions.open(account, address="", device="") == Refusal("INVALID_CREDENTIALS")

    def test_login_that_races_with_disabling_opens_nothing(self, accounts, sessions, account):
        """An account that was disabled meanwhile gets no session."""
        disabled = accounts.set_active(account.subject, False)
        assert sessions.open(account, address="", device="") == Refusal("LOGIN_DISABLED")
        assert sessions.open(disabled, address="", device="") == Refusal("LOGIN_DISABLED")


class TestRefresh:
    def test_gives_a_new_access_token_and_the_same_refresh_token(self, sessions, pair, account, clock):
        """A session can be carried on until it ends."""
        clock.at_ms += 1_000_000
        again = sessions.refresh(pair.session_id, account.subject)
        assert again.access_token != pair.access_token
        assert (again.refresh_token, again.session_id) == (pair.refresh_token, pair.session_id)

    def test_promises_no_more_than_the_session_has_left(self, sessions, pair, account, clock):
        """Near its end a session tells the seconds that are left, not the token's own life."""
        clock.at_ms += (LIFETIME_S - 60) * 1000
        assert sessions.refresh(pair.session_id, account.subject).expires_in_s == 60

    def test_session_ends_at_its_time_in_spite_of_refreshes(self, sessions, pair, account, clock):
        """The last millisecond is the last one; a refresh moves no end."""
        clock.at_ms = START_MS + LIFETIME_S * 1000 - 1
        assert sessions.refresh(pair.session_id, account.subject).session_id == pair.session_id
        clock.at_ms += 1
        assert sessions.refresh(pair.session_id, account.subject) == Refusal("TOKEN_EXPIRED")

    def test_disabled_account_gets_nothing(self, accounts, sessions, pair, account):
        """A disabled account refreshes no session; an enabled one does again."""
        accounts.set_active(account.subject, False)
        assert sessions.refresh(pair.session_id, account.subject) == Refusal("ACCOUNT_DISABLED")
        accounts.set_active(account.subject, True)
        assert sessions.refresh(pair.session_id, account.subject).session_id == pair.session_id

    def test_unknown_or_foreign_session_gets_nothing(self, sessions, pair, account):
        """A session belongs to one account."""
        assert sessions.refresh("0" * 32, account.subject) == Refusal("TOKEN_REVOKED")
        assert sessions.refresh(pair.session_id, "0" * 32) == Refusal("TOKEN_REVOKED")


class TestEnd:
    def test_tokens_die_at_once(self, sessions, pair, account, store):
        """After logout neither token is worth anything, here and at the gate."""
        sessions.end(pair.session_id)
        assert ask(store, pair.session_id).refusal == Refusal("TOKEN_REVOKED")
        assert sessions.refresh(pair.session_id, account.subject) == Refusal("TOKEN_REVOKED")

    def test_ending_again_keeps_the_first_end(self, sessions, pair, database, clock):
        """Logout is idempotent."""
        sessions.end(pair.session_id)
        clock.at_ms += 5
        sessions.end(pair.session_id)
        with database.reading() as session:
            assert session.get(UserSession, pair.session_id).ended_at_ms == START_MS

    def test_ending_an_unknown_session_is_no_error(self, sessions):
        """What does not exist has ended already."""
        sessions.end("0" * 32)

    def test_other_sessions_go_on(self, sessions, pair, account, store):
        """One logout ends one session."""
        other = sessions.open(account, address="", device="")
        sessions.end(pair.session_id)
        assert ask(store, other.session_id).is_allowed

    def test_store_that_was_down_is_told_by_the_same_logout_again(self, sessions, pair, store, monkeypatch):
        """The truth stands in SQL first; repeating the logout brings it to the gate."""

        def refuse(_session_id, *, expires_at_ms):
            raise StoreUnavailableError(str(expires_at_ms))

        with monkeypatch.context() as down:
            down.setattr(store, "end_session", refuse)
            with pytest.raises(StoreUnavailableError):
                sessions.end(pair.session_id)
        sessions.end(pair.session_id)
        assert ask(store, pair.session_id).refusal.code == "TOKEN_REVOKED"
