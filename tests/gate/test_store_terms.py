"""What every store promises of limits and networks that are set for one account or key, shown on each."""

from dataclasses import replace

import pytest
from tests.support.queries import DIGEST, TEN, TWO, by_key, by_nobody, by_refresh, by_session, code
from tests.support.servers import EVERY_STORE

from voxgate.gate.decision import AccountState, Changed, Charge, KeyState, Query, SessionState, Unknown, key_partition
from voxgate.gate.networks import address_bits
from voxgate.gate.principal import CredentialKind

pytestmark = EVERY_STORE
OWN = "*=500 per 1 minute|tts-generate=20 per 1 minute"
FEW = "*=5 per 1 minute"


def key(**more):
    return KeyState("k1", "u1", DIGEST, **more)


class TestLimitsAsData:
    def test_query_that_believes_something_else_is_not_decided(self, known):
        """It learns what is so, and nothing is spent."""
        known.put_state(AccountState("u1", version=1, limits=OWN))
        for ask in (by_session, by_refresh, by_key):
            assert known.decide(ask(Charge(TEN))) == Changed("u1", OWN)
            assert known.decide(ask(Charge(TEN), account_limits="old")) == Changed("u1", OWN)
        assert known.usage([Charge(TEN, "user:u1")])[0].used == 0
        for ask in (by_session, by_refresh, by_key):
            assert known.decide(ask(Charge(TEN), account_limits=OWN)).is_allowed

    def test_change_holds_from_the_next_decision_of_any_process(self, known, new_store, clock):
        """Also the way back to the usual."""
        other = new_store(clock)
        known.put_state(AccountState("u1", version=1, limits=OWN))
        assert other.decide(by_session(account_limits=OWN)).is_allowed
        known.put_state(AccountState("u1", version=2))
        assert other.decide(by_session(account_limits=OWN)) == Changed("u1")

    def test_older_state_brings_no_limits_back(self, known):
        """A read-through that raced with a change."""
        known.put_state(AccountState("u1", version=5, limits=OWN))
        known.put_state(AccountState("u1", version=4, limits=FEW))
        assert known.decide(by_session()) == Changed("u1", OWN)

    def test_limits_of_a_key_are_told_to_it_alone(self, known):
        """Sessions of the account know nothing of them."""
        known.put_state(key(limits=FEW))
        assert known.decide(by_key()) == Changed("u1", "", FEW)
        known.put_state(AccountState("u1", version=1, limits=OWN))
        assert known.decide(by_key(key_limits=FEW)) == Changed("u1", OWN, FEW)
        assert known.decide(by_key(key_limits=FEW, account_limits=OWN)).is_allowed
        assert known.decide(by_session(account_limits=OWN)).is_allowed

    def test_key_spends_its_own_limit_and_the_accounts_or_neither(self, known):
        """All or nothing, in one decision, exactly."""
        own = Charge(TWO, key_partition("k1", "u1"))
        answers = [known.decide(by_key(Charge(TEN), own)) for _ in range(5)]
        assert [code(each) for each in answers] == [None, None, *["RATE_LIMITED"] * 3]
        assert [each.used for each in answers[-1].readings] == [2, 2]
        assert answers[-1].refusal.violated == ("two",)
        assert known.decide(by_session(Charge(TEN))).readings[0].used == 3
        assert [each.used for each in known.usage([own, Charge(TEN, "user:u1")])] == [2, 3]
        assert known.reset(own.partition) == 1
        assert known.decide(by_key(Charge(TEN), own)).is_allowed

    def test_partition_of_a_key_is_its_own_alone(self, store):
        """Neither another key's, nor another account's, nor one that a stranger names alike."""
        names = [key_partition("k1", "u1"), key_partition("k2", "u1"), key_partition("k1", "u2"), "key:k1", "user:u1"]
        for name in [*names, "key:k1:", "ip:key:k1:u1"]:
            assert store.decide(by_nobody(Charge(TWO, name))).readings[0].used == 1

    def test_refused_credential_is_told_nothing(self, known):
        """Whoever has not the secret learns no limits, nor who has no right to ask."""
        known.put_state(key(limits=FEW, networks=("192.0.2.0/24",)))
        assert code(known.decide(by_key(digest=b"x"))) == "API_KEY_INVALID"
        known.put_state(AccountState("u1", is_active=False, version=1, limits=OWN))
        assert code(known.decide(by_key())) == code(known.decide(by_session())) == "ACCOUNT_DISABLED"


class TestNetworks:
    @pytest.fixture(autouse=True)
    def bound(self, known):
        known.put_state(key(networks=("192.0.2.0/24", "2001:db8::/32", "203.0.113.9/32")))

    def ask(self, store, address):
        return store.decide(by_key(Charge(TWO), address=address_bits(address)))

    @pytest.mark.parametrize("address", ["192.0.2.0", "192.0.2.255", "203.0.113.9", "2001:db8::1", "::ffff:192.0.2.7"])
    def test_key_is_taken_from_its_networks(self, known, address):
        """IPv4, IPv6, and IPv4 that comes mapped into IPv6."""
        assert self.ask(known, address).is_allowed

    @pytest.mark.parametrize("address", ["192.0.3.0", "203.0.113.8", "2001:db9::1", "::1", "", "unix:", "4"])
    def test_key_is_refused_from_elsewhere_and_nothing_is_spent(self, known, address):
        """What is no address is elsewhere."""
        assert code(self.ask(known, address)) == "API_KEY_NETWORK"
        assert known.usage([Charge(TWO, "user:u1")])[0].used == 0

    def test_address_is_asked_for_where_it_matters(self, known):
        """A key that is bound to nothing is decided without."""
        assert known.decide(by_key()) == Changed("u1", asks_address=True)
        known.put_state(key(version=1))
        assert known.decide(by_key()).is_allowed
        assert self.ask(known, "198.51.100.1").is_allowed


class TestVersions:
    def test_older_state_of_a_key_replaces_nothing(self, known):
        """Scopes that were taken away do not come back by a read-through that raced."""
        known.put_state(key(version=7, scopes=frozenset({"read"})))
        known.put_state(key(version=6, scopes=frozenset({"read", "write"}), networks=("::/0",), limits=FEW))
        assert code(known.decide(by_key(scopes=frozenset({"write"})))) == "INSUFFICIENT_SCOPE"
        assert known.decide(by_key()).is_allowed
        known.put_state(key(version=70, scopes=frozenset({"write"})))
        assert known.decide(by_key(scopes=frozenset({"write"}))).is_allowed

    def test_older_state_that_has_ended_ends(self, known):
        """The end of a key counts whatever its version."""
        known.put_state(key(version=7))
        known.put_state(key(version=6, is_ended=True))
        assert code(known.decide(by_key())) == "API_KEY_INVALID"


class TestSubjectOfAnEnd:
    def test_end_that_names_its_account_is_complete(self, known, clock):
        """Known or not, once or again."""
        for _ in range(2):
            known.end_session("s1", expires_at_ms=clock.now_ms() + 1000, subject="u1")
            known.end_key("k1", subject="u1")
            known.end_key("never", subject="u1")
        assert code(known.decide(by_session())) == code(known.decide(by_refresh())) == "TOKEN_REVOKED"
        assert code(known.decide(by_key())) == "API_KEY_INVALID"
        assert code(known.decide(replace(by_key(), credential_id="never"))) == "API_KEY_INVALID"


class TestNotUnicode:
    """A lone surrogate comes from JSON and from file names; no encoding has it."""

    def test_partition_is_itself_alone(self, store):
        """It counts, and what looks like it does not share."""
        names = ["ip:\ud800", "ip:\udfff", "ip:\\ud800", "user:\ud800", key_partition("k", "\ud800")]
        for name in names:
            charge = Charge(TWO, name)
            answers = [store.decide(by_nobody(charge)) for _ in range(3)]
            assert [code(each) for each in answers] == [None, None, "RATE_LIMITED"]
            assert store.usage([charge])[0].used == 2
            store.release([charge], lease_id="")
            assert store.usage([charge])[0].used == 1
        for name in names:
            assert store.reset(name) == 1
            assert store.usage([Charge(TWO, name)])[0].used == 0

    def test_account_session_and_key_are_themselves_alone(self, store, clock):
        """From the state to the decision and the end."""
        for name in ("\ud800", "\udfff"):
            store.put_state(AccountState(name))
            store.put_state(SessionState(name, name, clock.now_ms() + 1000))
            store.put_state(KeyState(name, name, DIGEST))
            session = Query(
                charges={"": (Charge(TEN),)}, kind=CredentialKind.ACCESS, credential_id=name, subject=name, generation=1
            )
            assert store.decide(session).principal.subject == name
            assert code(store.decide(replace(session, subject="u1"))) == "INVALID_TOKEN"
            by_name = replace(by_key(), credential_id=name)
            assert store.decide(by_name).principal.subject == name
            refresh = replace(session, kind=CredentialKind.REFRESH, subject=None)
            assert store.decide(refresh).is_allowed
            assert code(store.decide(replace(refresh, generation=0))) == "TOKEN_REUSED"
            store.end_key(name, subject=name)
            assert code(store.decide(by_name)) == "API_KEY_INVALID"
            store.end_session(name, expires_at_ms=clock.now_ms())
            assert code(store.decide(session)) == "TOKEN_REVOKED"

    def test_unknown_stays_unknown(self, store):
        """To be looked up like any other."""
        assert store.decide(by_session(session="\ud800")) == Unknown("session", "\ud800")
