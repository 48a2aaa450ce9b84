"""Refresh tokens as a client and a thief meet them: safe to retry, and the end of the session once used again."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from voxgate.gate import events
from voxgate.gate.admission import Admission
from voxgate.gate.decision import AccountState, SessionState
from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.issuing import Issuer
from voxgate.gate.principal import CredentialKind
from voxgate.gate.stores import SqliteStore
from voxgate.gate.stores.watched import watch
from voxgate.gate.tiers import Rule, Tiers
from voxgate.gate.verifying import Credential, RefreshTerms

ADDRESS = "192.0.2.7"
REFRESH = frozenset({CredentialKind.REFRESH})


@pytest.fixture
def tiers():
    return Tiers({"standard": "100 per minute"}, default="100 per minute", policies={}, on_trouble={"default": "local"})


@pytest.fixture
def admission(store, signer, clock, directory, told, tiers):
    return Admission(
        store=store,
        signer=signer,
        tiers=tiers,
        clock=clock,
        directory=directory,
        emit=lambda event, fields: told.append((event, dict(fields))),
    )


@pytest.fixture
def issuer(admission, signer, clock):
    return Issuer(admission.store, signer, clock=clock, session_expires_s=3600, idle_s=1200)


@pytest.fixture
def pair(issuer):
    issuer.set_account("ann")
    return issuer.open_session("ann", scopes=frozenset({"read"}))


@pytest.fixture
def show(admission):
    """Show a token on a route of its kind and return the decision."""

    def show(text, *, at=None, request_id=""):
        at = at or admission
        is_refresh = text.startswith("vgr_")
        kind = CredentialKind.REFRESH if is_refresh else CredentialKind.ACCESS
        route = at.prepare(Rule(credentials=frozenset({kind})), name="route")
        query = at.verifier.verify(route, Credential(kind, text))
        return at.decide(route, query, address=ADDRESS, endpoint="/x", request_id=request_id)

    return show


@pytest.fixture
def refresh(show, issuer):
    """Refresh as a route does."""

    def refresh(pair, **more):
        decision = show(pair.refresh_token, **more)
        return issuer.renew(decision.principal) if decision.is_allowed else decision.refusal.code

    return refresh


def code(decision):
    return decision.refusal.code if decision.refusal else None


class TestRetry:
    def test_lost_answer_is_given_again(self, pair, show, refresh):
        """The same old token gives the same next one, as often as it is asked."""
        first, *others = [refresh(pair) for _ in range(5)]
        assert {each.refresh_token for each in others} == {first.refresh_token} != {pair.refresh_token}
        assert show(others[-1].access_token).principal.scopes == {"read"}
        assert isinstance(refresh(first).refresh_token, str)

    def test_twelve_at_once_have_one_successor(self, pair, refresh, show):
        """A client that races with itself is not logged out."""
        with ThreadPoolExecutor(12) as pool:
            pairs = list(pool.map(lambda _: refresh(pair), range(12)))
        assert len({each.refresh_token for each in pairs}) == 1
        assert all(show(each.access_token).is_allowed for each in pairs)

    def test_old_access_token_does_not_confirm(self, pair, refresh, show):
        """Requests under way while the answer is lost."""
        refresh(pair)
        assert show(pair.access_token).is_allowed
        assert refresh(pair).refresh_token == refresh(pair).refresh_token

    def test_session_goes_on_for_many_generations(self, pair, refresh, show):
        """Every one refreshed and used once."""
        for _ in range(20):
            pair = refresh(pair)
            assert show(pair.access_token).is_allowed

    def test_only_a_refresh_token_renews(self, pair, show, issuer):
        """An old access token must not make tokens that end the session."""
        with pytest.raises(ValueError, match="access"):
            issuer.renew(show(pair.access_token).principal)

    def test_session_of_a_directorys_account_makes_no_account(self, store, signer, clock, show, directory):
        """Who exists is said elsewhere."""
        directory.add(AccountState("ann", "premium"))
        issuer = Issuer(store, signer, clock=clock, session_expires_s=60, makes_accounts=False)
        assert show(issuer.open_session("ann").access_token).principal.tier == "premium"


class TestReuse:
    @pytest.fixture
    def stolen(self, pair, refresh, show):
        """A refresh token whose owner has gone on."""
        successor = refresh(pair)
        assert show(successor.access_token).is_allowed
        return pair, successor

    def test_reuse_ends_both_tokens_of_owner_and_thief(self, stolen, show):
        """At once, and for ever."""
        old, new = stolen
        assert code(show(old.refresh_token)) == "TOKEN_REUSED"
        for text in (old.access_token, old.refresh_token, new.access_token, new.refresh_token):
            assert code(show(text)) == "TOKEN_REVOKED"

    def test_reuse_is_told_with_session_and_account(self, stolen, show, told):
        """Once, by the name of the vocabulary."""
        old, _ = stolen
        show(old.refresh_token, request_id="r1")
        show(old.refresh_token)
        fields = {"user_id": "ann", "session_id": old.session_id, "endpoint": "/x", "ip_address": ADDRESS}
        assert [each for each in told if each[0] == events.AUTHN_TOKEN_REUSE] == [
            (events.AUTHN_TOKEN_REUSE, fields | {"request_id": "r1"})
        ]

    def test_reuse_is_seen_by_every_process(self, stolen, show, tmp_path, signer, clock, tiers):
        """What it had remembered of the session does not let it in."""
        old, new = stolen
        with_other = SqliteStore(tmp_path / "gate.db", clock=clock, budget_s=30)
        other = Admission(store=with_other, signer=signer, tiers=tiers, clock=clock)
        assert show(new.access_token, at=other).is_allowed
        show(old.refresh_token)
        assert code(show(new.access_token, at=other)) == "TOKEN_REVOKED"
        with_other.close()

    def test_reuse_is_an_end_that_this_process_knows(self, stolen, show, admission, monkeypatch):
        """Also when the store is away a moment later and a policy decides alone."""
        old, new = stolen
        before = admission.store.version()
        show(old.refresh_token)
        assert admission.store.version() != before
        monkeypatch.setattr(admission.store, "decide", lambda _: (_ for _ in ()).throw(StoreUnavailableError("gone")))
        assert code(show(new.access_token)) == "STORE_UNAVAILABLE"

    def test_reuse_is_told_to_the_directory_so_that_a_lost_store_revives_nothing(
        self, stolen, show, directory, store, clock
    ):
        """The truth behind the store knows of the end."""
        old, new = stolen
        directory.add(AccountState("ann"), SessionState(old.session_id, "ann", clock.now_ms() + 10**6, generation=1))
        show(old.refresh_token)
        assert ("end", old.session_id) in directory.asked
        empty(store)
        assert code(show(new.access_token)) == code(show(new.refresh_token)) == "TOKEN_REVOKED"

    def test_directory_that_does_not_answer_changes_nothing(self, stolen, show, directory, monkeypatch, told):
        """The store has decided; the event is told."""
        old, new = stolen
        monkeypatch.setattr(
            directory, "end_session", lambda *_, **__: (_ for _ in ()).throw(StoreUnavailableError("gone"))
        )
        assert code(show(old.refresh_token)) == "TOKEN_REUSED"
        assert code(show(new.access_token)) == "TOKEN_REVOKED"
        assert told[-1][0] != events.STORE_UNAVAILABLE

    def test_without_a_directory_the_store_alone_knows(self, stolen, show, store, signer, clock, tiers):
        """An application that keeps no accounts."""
        alone = Admission(store=watch(store), signer=signer, tiers=tiers, clock=clock)
        old, new = stolen
        assert code(show(old.refresh_token, at=alone)) == "TOKEN_REUSED"
        assert code(show(new.access_token, at=alone)) == "TOKEN_REVOKED"


class TestStrict:
    @pytest.fixture(autouse=True)
    def strict(self, admission):
        admission.verifier.refreshing = RefreshTerms(is_strict=True)

    def test_token_works_once(self, pair, refresh, show):
        """Its second use ends the session, its answer lost or not."""
        successor = refresh(pair)
        assert isinstance(successor.refresh_token, str)
        assert refresh(pair) == "TOKEN_REUSED"
        assert code(show(successor.access_token)) == "TOKEN_REVOKED"

    def test_twelve_at_once_are_let_in_once(self, pair, refresh):
        """Whoever is first."""
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: refresh(pair), range(12)))
        assert sum(not isinstance(each, str) for each in answers) == 1

    def test_chain_goes_on(self, pair, refresh):
        """Each token once."""
        for _ in range(5):
            pair = refresh(pair)


class TestLives:
    def test_session_ends_when_it_is_not_refreshed(self, pair, refresh, clock):
        """Twenty minutes after the login, or after the last refresh."""
        clock.advance(1199)
        pair = refresh(pair)
        clock.advance(1)
        assert refresh(pair) == "TOKEN_EXPIRED"

    def test_refresh_moves_the_idle_end_and_not_the_absolute(self, admission, pair, refresh, clock):
        """An hour, however often."""
        admission.verifier.refreshing = RefreshTerms(idle_s=1200)
        for _ in range(3):
            clock.advance(1199)
            pair = refresh(pair)
        clock.advance(3)
        assert refresh(pair) == "TOKEN_EXPIRED"


class TestLostStore:
    def test_what_sql_says_goes_on_from_there(self, pair, refresh, show, directory, store, clock):
        """A token that SQL knows to be followed stays used up."""
        second = refresh(pair)
        show(second.access_token)
        third = refresh(second)
        directory.add(AccountState("ann"), SessionState(pair.session_id, "ann", clock.now_ms() + 10**6, generation=1))
        empty(store)
        assert refresh(second).refresh_token == third.refresh_token
        empty(store)
        assert refresh(pair) == "TOKEN_REUSED"
        assert code(show(third.access_token)) == "TOKEN_REVOKED"

    def test_session_that_nobody_knows_is_over(self, pair, refresh, store):
        """An application that keeps no accounts has lost its sessions, and revives none."""
        empty(store)
        assert refresh(pair) == "TOKEN_REVOKED"

    def test_refresh_is_never_decided_without_the_store(self, pair, show, admission, monkeypatch):
        """Whatever the policy lets a process decide alone: it cannot see a reuse."""
        assert show(pair.access_token).is_allowed
        monkeypatch.setattr(admission.store, "decide", lambda _: (_ for _ in ()).throw(StoreUnavailableError("gone")))
        assert show(pair.access_token).is_degraded
        assert code(show(pair.refresh_token)) == "STORE_UNAVAILABLE"


def empty(store):
    with store._file as connection:
        connection.execute("DELETE FROM session")
        connection.execute("DELETE FROM account")
