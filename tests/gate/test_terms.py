"""Limits and networks of one account or key, from the record to the request: one store call, and no delay."""

import pytest

from voxgate.gate.admission import Admission
from voxgate.gate.decision import AccountState, KeyState, SessionState
from voxgate.gate.errors import ConfigurationError, StoreUnavailableError
from voxgate.gate.issuing import Issuer
from voxgate.gate.networks import address_bits, clean_network, network_bits
from voxgate.gate.overrides import MAX_POLICIES, format_overrides, parse_overrides
from voxgate.gate.principal import CredentialKind
from voxgate.gate.tiers import Rule, Tiers
from voxgate.gate.verifying import Credential

ADDRESS = "192.0.2.7"


@pytest.fixture
def issuer(store, signer, clock):
    return Issuer(store, signer, clock=clock, session_expires_s=3600)


@pytest.fixture
def trips(store, admission, monkeypatch):
    """Every question to the store."""
    asked, real = [], store.decide
    monkeypatch.setattr(admission.store, "decide", lambda query: asked.append(query) or real(query))
    return asked


@pytest.fixture
def ask(admission):
    """Ask under a rule, each route prepared once and each credential verified once, as a door does."""
    routes = {}

    def ask(text, kind=CredentialKind.ACCESS, *, address=ADDRESS, lease_id="", **rule):
        route = routes.setdefault(tuple(rule.items()), admission.prepare(Rule(**rule), name="route"))
        key = (id(route), text)
        query = admission.verifier.recall(key) or admission.verifier.verify(route, Credential(kind, text), key=key)
        return admission.decide(route, query, address=address, endpoint="/x", lease_id=lease_id)

    return ask


@pytest.fixture
def ann(issuer):
    issuer.set_account("ann")
    return issuer.open_session("ann").access_token


def limits_of(decision):
    return [(each.limit.name, each.limit.quota) for each in decision.readings]


class TestAccount:
    def test_limit_of_an_account_holds_from_its_next_request(self, ask, ann, issuer, clock):
        """Wider and narrower, and back; what was spent stays spent."""
        assert [ask(ann).is_allowed for _ in range(4)] == [True, True, True, False]
        for number, (limits, expected) in enumerate([({"*": "5 per minute"}, 2), ({"*": "1 per minute"}, 0), ({}, 0)]):
            clock.advance(0.001 * (number + 1))
            issuer.set_account("ann", limits=limits)
            assert sum(ask(ann).is_allowed for _ in range(4)) == expected

    def test_steady_state_is_one_trip(self, ask, ann, issuer, clock, trips):
        """The change alone costs one more, once for each credential."""
        ask(ann)
        clock.advance(0.001)
        issuer.set_account("ann", limits={"*": "500 per minute"})
        for _ in range(10):
            assert limits_of(ask(ann)) == [("standard", 500)]
        assert len(trips) == 12
        assert len({id(each) for each in trips[2:]}) == 1, "asked with the same query, so that its plan is kept"
        trips.clear()
        ask(ann, policy="two")
        assert len(trips) == 1, "another route believes the same at once"

    def test_policy_of_a_route_is_set_by_its_name(self, ask, ann, issuer, clock):
        """And what is not named stays as the settings say."""
        clock.advance(0.001)
        issuer.set_account("ann", limits={"two": "7 per minute; 9 per hour", "route": "8 per hour"})
        assert limits_of(ask(ann, policy="two")) == [("two", 7), ("two", 9)]
        assert limits_of(ask(ann, limits="1 per second")) == [("route", 8)]
        assert limits_of(ask(ann)) == [("standard", 3)]

    def test_empty_limit_means_none(self, ask, ann, issuer, clock):
        """Said on purpose."""
        clock.advance(0.001)
        issuer.set_account("ann", limits={"*": ""})
        assert ask(ann).readings == ()

    def test_what_runs_at_once_stays_as_the_settings_say(self, ask, ann, store, clock):
        """A route knows before its decision what it gives back."""
        clock.advance(0.001)
        store.put_state(AccountState("ann", version=clock.now_ms(), limits="two=9 per 1 minute; 9 at once"))
        decision = ask(ann, limits="5 per minute; 2 at once", policy="two", lease_id="a")
        assert limits_of(decision) == [("two", 9), ("two", 2)]

    def test_text_that_nobody_wrote_so_leaves_the_usual(self, ask, ann, store, clock, admission):
        """One damaged record is not the trouble of all."""
        clock.advance(0.001)
        for number, text in enumerate(("nonsense", "*=often")):
            store.put_state(AccountState("ann", version=clock.now_ms() + number, limits=text))
            assert limits_of(ask(ann)) == [("standard", 3)]
        assert not admission.is_degraded

    def test_lost_account_is_read_again_with_its_limits(self, ask, ann, store, directory, trips, clock):
        """Unknown session, unknown account, other limits: four questions, then one."""
        directory.add(
            AccountState("ann", version=9, limits="*=6 per 1 minute"),
            SessionState(ask(ann).principal.credential_id, "ann", clock.now_ms() + 10**6),
        )
        with store._file as connection:
            connection.execute("DELETE FROM session")
            connection.execute("DELETE FROM account")
        trips.clear()
        assert limits_of(ask(ann)) == [("standard", 6)]
        assert len(trips) == 4

    def test_limits_hold_while_the_store_is_away(self, store, signer, clock, issuer, monkeypatch):
        """In this process' share, as the store has said the last time."""
        tiers = Tiers({}, default="3 per minute", policies={}, on_trouble={"default": "local"})
        admission = Admission(store=store, signer=signer, tiers=tiers, clock=clock)
        issuer.set_account("ann", limits={"*": "9 per minute"})
        route = admission.prepare(Rule(), name="route")
        query = admission.verifier.verify(
            route, Credential(CredentialKind.ACCESS, issuer.open_session("ann").access_token)
        )

        def ask():
            return admission.decide(route, query, address=ADDRESS, endpoint="/x")

        assert ask().readings[0].limit.quota == 9
        monkeypatch.setattr(admission.store, "decide", lambda _: (_ for _ in ()).throw(StoreUnavailableError("gone")))
        for _ in range(3):
            assert (ask().is_degraded, ask().readings[0].limit.quota) == (True, 9)


class TestKey:
    @pytest.fixture
    def key(self, issuer, ann):
        return issuer.new_key("ann", limits={"*": "2 per minute", "two": "1 per hour"}).text

    def ask_by(self, ask, key, **more):
        return ask(key, CredentialKind.API_KEY, **more)

    def test_key_has_its_limit_beneath_that_of_its_account(self, ask, ann, key, issuer):
        """Neither is spent when either refuses; another key of the account has its own."""
        answers = [self.ask_by(ask, key) for _ in range(4)]
        assert [each.is_allowed for each in answers] == [True, True, False, False]
        assert answers[-1].refusal.violated == ("key",)
        assert ask(ann).is_allowed
        assert not ask(ann).is_allowed
        other = issuer.new_key("ann", limits={"*": "2 per minute"}).text
        assert self.ask_by(ask, other).refusal.violated == ("standard",)

    def test_every_route_that_is_not_named_shares_the_keys_limit(self, ask, key):
        """And the one that is named has its own."""
        assert limits_of(self.ask_by(ask, key)) == [("standard", 3), ("key", 2)]
        assert self.ask_by(ask, key, limits="9 per minute").readings[1].used == 2
        assert limits_of(self.ask_by(ask, key, policy="two")) == [("two", 2), ("two", 3), ("key-two", 1)]

    def test_steady_state_is_one_trip(self, ask, key, trips):
        """For a key with limits and networks too."""
        for _ in range(5):
            self.ask_by(ask, key)
        assert len(trips) == 6

    def test_bounded_memory_forgets_and_learns_again(self, ask, key, trips, monkeypatch):
        """It costs a question more, never a wrong answer."""
        monkeypatch.setattr("voxgate.gate.beliefs.CAPACITY", 1)
        monkeypatch.setattr("voxgate.gate.beliefs._MAX_CHARGES", 1)
        for address in ("192.0.2.7", "192.0.2.8"):
            assert limits_of(self.ask_by(ask, key, address=address))[1] == ("key", 2)
            assert limits_of(self.ask_by(ask, key, policy="two"))[2] == ("key-two", 1)
        assert len(trips) == 5

    def test_more_credentials_than_are_remembered_are_asked_about_again(self, ask, key, issuer, trips, monkeypatch):
        """Two where one is remembered: each of their requests learns anew."""
        monkeypatch.setattr("voxgate.gate.beliefs.CAPACITY", 1)
        other = issuer.new_key("ann", limits={"*": "1 per minute"}).text
        assert [limits_of(self.ask_by(ask, each))[1][1] for each in (key, other, key)] == [2, 1, 2]
        assert len(trips) == 6


class TestNetworks:
    @pytest.fixture
    def key(self, issuer, ann):
        return issuer.new_key("ann", networks=["192.0.2.0/24", "2001:db8::/32"], limits={"*": "9 per minute"}).text

    def test_key_opens_from_its_networks_alone(self, ask, key, told):
        """Elsewhere it is refused, told, and spends nothing."""
        assert ask(key, CredentialKind.API_KEY).is_allowed
        refused = ask(key, CredentialKind.API_KEY, address="198.51.100.1")
        assert refused.refusal.code == "API_KEY_NETWORK"
        assert told[-1][1]["code"] == "API_KEY_NETWORK"
        assert ask(key, CredentialKind.API_KEY, address="2001:db8::7").readings[0].used == 2

    def test_steady_state_is_one_trip(self, ask, key, trips):
        """From each address."""
        for _ in range(5):
            for address in ("192.0.2.7", "192.0.2.8"):
                ask(key, CredentialKind.API_KEY, address=address)
        assert len(trips) == 11

    def test_key_that_is_bound_is_not_decided_without_the_store(self, store, signer, clock, issuer, monkeypatch):
        """This process alone does not know from where it may come."""
        tiers = Tiers({}, default="3 per minute", policies={}, on_trouble={"default": "local"})
        admission = Admission(store=store, signer=signer, tiers=tiers, clock=clock)
        key = issuer.new_key("ann", networks=["192.0.2.0/24"]).text
        route = admission.prepare(Rule(), name="route")
        query = admission.verifier.verify(route, Credential(CredentialKind.API_KEY, key))
        assert admission.decide(route, query, address=ADDRESS, endpoint="/x").is_allowed
        monkeypatch.setattr(admission.store, "decide", lambda _: (_ for _ in ()).throw(StoreUnavailableError("gone")))
        assert admission.decide(route, query, address=ADDRESS, endpoint="/x").refusal.code == "STORE_UNAVAILABLE"

    def test_networks_have_one_spelling(self):
        """And an IPv4 network that is written as IPv6 is IPv4."""
        spelled = {
            "192.0.2.1": "192.0.2.1/32",
            " 192.0.2.0/24 ": "192.0.2.0/24",
            "::ffff:192.0.2.0/120": "192.0.2.0/24",
        }
        assert {text: clean_network(text) for text in spelled} == spelled
        assert network_bits("0.0.0.0/0") == "4"
        assert address_bits("192.0.2.1").startswith(network_bits("::ffff:192.0.2.0/120"))

    @pytest.mark.parametrize("text", ["", "192.0.2.1/24", "192.0.2.0/33", "example.org", "1.2.3"])
    def test_what_is_no_network_is_refused(self, issuer, text):
        """Before a key is made of it."""
        with pytest.raises(ValueError, match=r"."):
            issuer.new_key("ann", networks=[text])


class TestText:
    def test_one_meaning_has_one_text(self):
        """In any order and spelling."""
        texts = {
            format_overrides({"tts-generate": "20/minute", "*": "500 per minute ; 9 per calendar day"}),
            format_overrides({"*": "500 per 60 seconds, 9 per calendar day", "tts-generate": "20 per 1 minute"}),
        }
        assert texts == {"*=500 per 1 minute; 9 per calendar day|tts-generate=20 per 1 minute"}
        assert dict(parse_overrides(texts.pop()))["tts-generate"] == "20 per 1 minute"
        assert format_overrides({}) == ""
        assert dict(parse_overrides("")) == {}

    @pytest.mark.parametrize(
        "limits",
        [
            {"a=b": "1 per minute"},
            {"": "1 per minute"},
            {"a|b": "1 per minute"},
            {"a": "often"},
            {"a": "2 at once"},
            {f"p{number}": "1 per minute" for number in range(MAX_POLICIES + 1)},
            {f"{number:064}": "; ".join(f"1 per {n} minutes" for n in range(1, 9)) for number in range(MAX_POLICIES)},
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, limits):
        """Names, limits and sizes."""
        with pytest.raises(ConfigurationError):
            format_overrides(limits)


class TestUsage:
    def test_charges_of_a_principal_are_those_that_it_spends(self, ask, ann, issuer, admission, clock):
        """With what is set for the account and the key, each partition named."""
        clock.advance(0.001)
        issuer.set_account("ann", limits={"*": "50 per minute"})
        key = issuer.new_key("ann", limits={"*": "5 per minute"}).text
        for text, kind, expected in [(ann, "access", [50]), (key, "api_key", [50, 5])]:
            decision = ask(text, CredentialKind(kind))
            charges = admission.charges_for(Rule(), decision.principal, name="route")
            assert [each.limit.quota for each in charges] == expected
            assert list(admission.usage(charges)) == list(decision.readings)


class TestSeen:
    def test_allowed_decisions_are_noted_with_their_time(self, ask, ann, issuer, admission, clock):
        """Sessions and keys, the last time alone; refusals and strangers are not."""
        key = issuer.new_key("ann")
        ask(ann)
        clock.advance(5)
        ask(ann)
        ask(key.text, CredentialKind.API_KEY)
        ask(key.text, CredentialKind.API_KEY, tier="premium")
        assert sorted(admission.take_seen().values()) == [clock.now_ms()] * 2
        assert admission.take_seen() == {}
        clock.advance(1)
        ask(ann)
        ask(ann)
        assert list(admission.take_seen().values()) == []

    def test_notes_are_bounded(self, ask, ann, issuer, admission, monkeypatch):
        """Nobody may ever take them."""
        monkeypatch.setattr("voxgate.gate.admission._MAX_SEEN", 1)
        ask(ann)
        ask(issuer.new_key("ann").text, CredentialKind.API_KEY)
        assert len(admission.take_seen()) == 1

    def test_newest_generation_that_was_shown_is_noted(self, ask, issuer, admission, clock):
        """Of access tokens alone, and not that of a login, which no older one precedes."""
        issuer.open_session("ann")
        for generation in (0, 2, 1):
            ask(admission.signer.issue_access("ann", "s1", generation=generation, now_ms=clock.now_ms()))
        assert admission.verifier.take_confirmed() == {"s1": 2}
        assert admission.verifier.take_confirmed() == {}

    def test_notes_of_generations_are_bounded(self, ask, issuer, admission, clock, monkeypatch):
        """As those of times are."""
        monkeypatch.setattr("voxgate.gate.verifying.CAPACITY", 1)
        for session_id in ("s1", "s2"):
            ask(admission.signer.issue_access("ann", session_id, generation=1, now_ms=clock.now_ms()))
        assert admission.verifier.take_confirmed() == {"s1": 1}


def test_newer_state_of_a_key_lifts_what_is_remembered(admission, clock):
    """A wider scope counts at once, though its refusal was remembered; a read-through of a session lifts nothing."""
    admission.store.ping()
    before = admission.store.version()
    admission.store.put_state(SessionState("s1", "ann", clock.now_ms() + 1000))
    assert admission.store.version() == before
    admission.store.put_state(KeyState("k1", "ann", b"x", version=1))
    assert admission.store.version() != before
