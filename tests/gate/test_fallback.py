"""What holds while the store is out of reach: closed, local and open, as the policy says."""

import pytest

from voxgate.gate.admission import Admission
from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.issuing import Issuer
from voxgate.gate.principal import CredentialKind
from voxgate.gate.tiers import Rule, Tiers
from voxgate.gate.verifying import Credential

LIMITS = {"closed": "4 per minute", "local": "4 per minute", "open": "4 per minute", "bad-credentials": "9 per minute"}


@pytest.fixture
def admission(store, signer, clock):
    tiers = Tiers(
        {"standard": "3 per minute"},
        default="2 per minute",
        policies=LIMITS,
        on_trouble={"local": "local", "open": "open", "default": "local"},
        processes=2,
    )
    return Admission(store=store, signer=signer, tiers=tiers, clock=clock, emit=lambda *_: None)


@pytest.fixture
def issuer(admission, signer, clock):
    return Issuer(admission.store, signer, clock=clock, session_expires_s=3600)


@pytest.fixture
def ann(issuer):
    issuer.set_account("ann")
    return issuer.open_session("ann", scopes=frozenset({"read"}))


@pytest.fixture
def ask(admission):
    def ask(text, policy="local", kind=CredentialKind.ACCESS, **rule):
        route = admission.prepare(Rule(policy=policy, **rule), name="route")
        query = admission.verifier.verify(route, Credential(kind, text))
        decision = admission.decide(route, query, address="192.0.2.7", endpoint="/x")
        return decision.refusal.code if decision.refusal else "degraded" if decision.is_degraded else "allowed"

    return ask


@pytest.fixture
def take_store_away(admission, monkeypatch):
    def gone(*_, **__):
        raise StoreUnavailableError("gone")

    def take_store_away():
        for name in ("decide", "usage"):
            monkeypatch.setattr(admission.store, name, gone)
        monkeypatch.setattr(admission.store, "_inner", _Gone())

    return take_store_away


class _Gone:
    def __getattr__(self, _):
        def gone(*_, **__):
            raise StoreUnavailableError("gone")

        return gone


def test_closed_is_closed(ask, ann, take_store_away):
    """Whoever was seen alive a moment ago: nothing passes."""
    assert ask(ann.access_token, "closed") == "allowed"
    take_store_away()
    assert ask(ann.access_token, "closed") == "STORE_UNAVAILABLE"


class TestLocal:
    def test_credential_seen_alive_passes_within_its_share(self, ask, ann, take_store_away):
        """Of four a minute each of two processes admits two, and says that it decided alone."""
        assert ask(ann.access_token) == "allowed"
        take_store_away()
        assert [ask(ann.access_token) for _ in range(3)] == ["degraded", "degraded", "RATE_LIMITED"]

    def test_credential_never_seen_is_refused(self, ask, ann, issuer, take_store_away):
        """A signature alone is no proof that a session lives."""
        other = issuer.open_session("ann")
        assert ask(ann.access_token) == "allowed"
        take_store_away()
        assert ask(other.access_token) == "STORE_UNAVAILABLE"

    def test_what_was_seen_is_believed_for_five_seconds(self, ask, ann, take_store_away, clock):
        """After that another machine may have ended it."""
        ask(ann.access_token)
        take_store_away()
        clock.advance(5)
        assert ask(ann.access_token) == "degraded"
        clock.advance(0.001)
        assert ask(ann.access_token) == "STORE_UNAVAILABLE"

    def test_session_ended_here_stays_ended(self, ask, ann, issuer, take_store_away):
        """Though the store could not be told."""
        ask(ann.access_token)
        take_store_away()
        with pytest.raises(StoreUnavailableError):
            issuer.end_session(ann.session_id)
        assert ask(ann.access_token) == "STORE_UNAVAILABLE"

    def test_account_disabled_here_stays_disabled(self, ask, ann, issuer, take_store_away):
        """And enabling it here lets it pass again."""
        ask(ann.access_token)
        take_store_away()
        for is_active, answer in ((False, "STORE_UNAVAILABLE"), (True, "degraded")):
            with pytest.raises(StoreUnavailableError):
                issuer.set_account("ann", is_active=is_active)
            assert ask(ann.access_token) == answer

    def test_key_seen_alive_passes_with_its_secret_alone(self, ask, ann, issuer, take_store_away):
        """The id of a key opens nothing, now neither."""
        key, other = issuer.new_key("ann"), issuer.new_key("ann")
        ask(key.text, kind=CredentialKind.API_KEY)
        take_store_away()
        assert ask(key.text, kind=CredentialKind.API_KEY) == "degraded"
        assert ask(other.text, kind=CredentialKind.API_KEY) == "STORE_UNAVAILABLE"

    def test_rights_still_hold(self, ask, ann, take_store_away):
        """A missing scope or tier is not forgiven."""
        ask(ann.access_token)
        take_store_away()
        assert ask(ann.access_token, scopes=frozenset({"write"})) == "STORE_UNAVAILABLE"
        assert ask(ann.access_token, tier="premium") == "STORE_UNAVAILABLE"

    def test_open_route_is_limited_by_address(self, admission, take_store_away):
        """One process' share of the default: one of two."""
        take_store_away()
        route = admission.prepare(Rule(credentials=frozenset()), name="route")
        decisions = [admission.decide(route, None, address="192.0.2.7", endpoint="/x") for _ in range(2)]
        assert [decision.is_allowed for decision in decisions] == [True, False]


class TestOpen:
    def test_signature_is_believed(self, ask, ann, take_store_away):
        """And limits do not bind."""
        take_store_away()
        assert {ask(ann.access_token, "open") for _ in range(50)} == {"degraded"}

    def test_signature_is_believed_for_the_lowest_tier_and_its_own_scopes(self, ask, ann, take_store_away):
        """More than that only the store can say."""
        take_store_away()
        assert ask(ann.access_token, "open", scopes=frozenset({"read"})) == "degraded"
        assert ask(ann.access_token, "open", scopes=frozenset({"write"})) == "STORE_UNAVAILABLE"
        assert ask(ann.access_token, "open", tier="premium") == "STORE_UNAVAILABLE"

    def test_session_ended_here_stays_ended(self, ask, ann, issuer, take_store_away):
        """The last known revocations hold."""
        issuer.end_session(ann.session_id)
        take_store_away()
        assert ask(ann.access_token, "open") == "STORE_UNAVAILABLE"

    def test_expired_token_is_refused(self, ask, ann, take_store_away, clock):
        """Expiry needs no store."""
        take_store_away()
        clock.advance(900)
        assert ask(ann.access_token, "open") == "TOKEN_EXPIRED"

    def test_key_that_was_never_seen_is_refused(self, ask, ann, issuer, take_store_away):
        """Nothing about a key can be known without the store; nor about a refresh token."""
        key = issuer.new_key("ann").text
        take_store_away()
        assert ask(key, "open", kind=CredentialKind.API_KEY) == "STORE_UNAVAILABLE"
        only = frozenset({CredentialKind.REFRESH})
        assert ask(ann.refresh_token, "open", kind=CredentialKind.REFRESH, credentials=only) == "STORE_UNAVAILABLE"


def test_clock_set_back_locks_out_for_one_window_at_most(admission, take_store_away, clock):
    """A refusal brings back what lies in the future, here as in the stores."""
    take_store_away()
    route = admission.prepare(Rule(credentials=frozenset()), name="route")
    passed = []
    for pause_s in (0, -30, 60):
        clock.advance(pause_s)
        passed.append(admission.decide(route, None, address="192.0.2.7", endpoint="/x").is_allowed)
    assert passed == [True, False, True]


def test_memory_is_bounded(admission, ask, ann, issuer, take_store_away, monkeypatch):
    """Neither the credentials seen nor the counters grow without end."""
    monkeypatch.setattr("voxgate.gate.fallback._CAPACITY", 3)
    for _ in range(5):
        ask(issuer.open_session("ann").access_token)
    assert len(admission._fallback._seen) <= 3
    take_store_away()
    route = admission.prepare(Rule(credentials=frozenset()), name="route")
    for number in range(10):
        admission.decide(route, None, address=f"192.0.2.{number}", endpoint="/x")
    assert len(admission._fallback._rows) <= 3


def test_ended_records_are_remembered_within_bounds(admission, monkeypatch):
    """The newest; the store never forgets."""
    monkeypatch.setattr("voxgate.gate.stores.watched._REMEMBERED", 3)
    for number in range(10):
        admission.store.end_key(f"k{number}")
    assert [admission.store.has_ended(f"k{number}") for number in (0, 6, 7, 9)] == [False, False, True, True]
