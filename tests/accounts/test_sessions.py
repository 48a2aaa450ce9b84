"""Sessions over their public functions, asked for at the real store of the gate."""

import pytest
from tests.accounts.conftest import LIFETIME_S, START_MS

from voxgate.accounts.models import UserSession
from voxgate.accounts.session_values import Lifetime
from voxgate.accounts.sessions import Sessions
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
    def test_gives_the_tokens_of_the_next_generation(self, sessions, pair, account, signer, clock):
        """A session can be carried on; each refresh token has one successor, however often it is asked for."""
        clock.at_ms += 1_000_000
        first, again = (sessions.refresh(pair.session_id, account.subject, generation=0) for _ in range(2))
        assert first.refresh_token == again.refresh_token != pair.refresh_token
        assert signer.verify_refresh(first.refresh_token).counter == 1
        assert signer.verify_access(first.access_token, now_ms=clock.at_ms).generation == 1
        assert first.session_id == pair.session_id

    def test_keeps_the_scopes_of_the_session(self, sessions, pair, account, signer, clock):
        """What was opened for little is refreshed for no more."""
        scopes = frozenset({"tts:read"})
        again = sessions.refresh(pair.session_id, account.subject, scopes=scopes)
        assert signer.verify_refresh(again.refresh_token).scopes == scopes
        assert signer.verify_access(again.access_token, now_ms=clock.at_ms).scopes == scopes

    def test_writes_the_generation_and_never_goes_back(self, sessions, pair, account, directory):
        """What a store that has lost everything is told: the newest refresh token that has come back."""
        for generation in (3, 1, 2):
            sessions.refresh(pair.session_id, account.subject, generation=generation)
        assert directory.find_session(pair.session_id).generation == 3

    def test_strict_mode_writes_that_the_successor_has_come(self, database, store, signer, clock, account, directory):
        """A store that has lost everything refuses the second use as well."""
        strict = Sessions(database, store, signer, clock=clock, lifetime=Lifetime(is_strict=True))
        pair = strict.open(account, address="", device="")
        strict.refresh(pair.session_id, account.subject, generation=0)
        assert directory.find_session(pair.session_id).generation == 1

    def test_strict_mode_answers_the_first_use_though_a_second_has_ended_the_session(
        self, database, store, signer, clock, account, directory
    ):
        """The second may be written down before the first; what the first gets is dead, and stays so."""
        strict = Sessions(database, store, signer, clock=clock, lifetime=Lifetime(is_strict=True))
        pair = strict.open(account, address="", device="")
        directory.end_session(pair.session_id, now_ms=clock.at_ms)  # as the gate does for the second use
        first = strict.refresh(pair.session_id, account.subject, generation=0)
        assert signer.verify_refresh(first.refresh_token).counter == 1
        assert directory.find_session(pair.session_id).is_ended
        assert ask(store, pair.session_id).refusal == Refusal("TOKEN_REVOKED")
        assert strict.refresh(pair.session_id, account.subject, generation=0) == Refusal("TOKEN_REVOKED")

    def test_strict_mode_takes_no_second_use_that_a_store_has_let_in(
        self, database, store, signer, clock, account, directory
    ):
        """Of two that a store lets in, because it was lost between them, the second ends the session."""
        strict = Sessions(database, store, signer, clock=clock, lifetime=Lifetime(is_strict=True))
        pair = strict.open(account, address="", device="")
        assert not isinstance(strict.refresh(pair.session_id, account.subject, generation=0), Refusal)
        assert strict.refresh(pair.session_id, account.subject, generation=0) == Refusal("TOKEN_REUSED")
        assert directory.find_session(pair.session_id).is_ended
        assert ask(store, pair.session_id).refusal == Refusal("TOKEN_REVOKED")

    def test_moves_the_idle_end_and_never_back_nor_beyond_the_absolute_one(
        self, database, store, signer, clock, account, directory
    ):
        """A session that is used goes on until its absolute end, whichever refresh comes last."""
        lifetime = Lifetime(absolute_s=3_600, idle_s=1_000)
        sessions = Sessions(database, store, signer, clock=clock, lifetime=lifetime)
        pair = sessions.open(account, address="", device="")
        assert pair.refresh_expires_in_s == 1_000
        idle_end = lambda: directory.find_session(pair.session_id).idle_ends_at_ms - START_MS  # noqa: E731
        assert idle_end() == 1_000_000
        clock.at_ms += 600_000
        assert sessions.refresh(pair.session_id, account.subject).refresh_expires_in_s == 1_000
        clock.at_ms -= 300_000
        sessions.refresh(pair.session_id, account.subject)
        assert idle_end() == 1_600_000
        clock.at_ms = START_MS + 3_500_000
        assert sessions.refresh(pair.session_id, account.subject).refresh_expires_in_s == 100
        assert idle_end() == 3_600_000

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
        """Disabling ends every session for ever; enabling the account again brings none back."""
        accounts.set_active(account.subject, False)
        assert sessions.refresh(pair.session_id, account.subject) == Refusal("ACCOUNT_DISABLED")
        accounts.set_active(account.subject, True)
        assert sessions.refresh(pair.session_id, account.subject) == Refusal("TOKEN_REVOKED")

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

        def refuse(_session_id, *, expires_at_ms, **_):
            raise StoreUnavailableError(str(expires_at_ms))

        with monkeypatch.context() as down:
            down.setattr(store, "end_session", refuse)
            with pytest.raises(StoreUnavailableError):
                sessions.end(pair.session_id)
        sessions.end(pair.session_id)
        assert ask(store, pair.session_id).refusal.code == "TOKEN_REVOKED"
