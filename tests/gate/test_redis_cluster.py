"""A cluster of three: slots that move, nodes that die, and requests that are limited on several nodes."""

import itertools
from contextlib import closing

import pytest
from tests.support.queries import DIGEST, TEN, TWO, by_key, by_nobody, by_refresh, by_session, code
from tests.support.servers import running_cluster
from tests.support.waiting import eventually

from voxgate.gate.decision import Charge, KeyState, Query, SessionState, Unknown
from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.issuing import Issuer
from voxgate.gate.principal import CredentialKind
from voxgate.gate.stores.redis_urls import open_redis
from voxgate.gate.stores.watched import watch

pytestmark = pytest.mark.redis
PATIENT_S = 20  # a busy machine keeps it; who is gone is found out at once


@pytest.fixture
def store_kind():
    """The cluster that the tests of this process share."""
    return "cluster"


@pytest.fixture
def own_cluster():
    """A cluster that a test may break."""
    with running_cluster() as cluster:
        yield cluster


def slot_of(cluster, tag):
    return cluster.nodes[0].call("CLUSTER", "KEYSLOT", f"{{{tag}}}")


def ip_on(cluster, number, *, but=()):
    """Return an address whose counters are on a node."""
    names = (f"ip:{each}" for each in itertools.count() if f"ip:{each}" not in but)
    return next(name for name in names if slot_of(cluster, name) // 5461 == number)


def charges_on_all(cluster, limit, **more):
    """One charge on each node."""
    return [Charge(limit, ip_on(cluster, number), **more) for number in range(3)]


class TestParts:
    def test_credential_and_limits_of_all_nodes_are_one_decision(self, known, server_of):
        """All or nothing: an address that is exhausted spends nothing of the account."""
        address = Charge(TWO, "ip:203.0.113.9")
        answers = [known.decide(by_session(Charge(TEN), address)) for _ in range(4)]
        assert [code(answer) for answer in answers] == [None, None, "RATE_LIMITED", "RATE_LIMITED"]
        assert [each.used for each in answers[-1].readings] == [2, 2]
        assert answers[-1].refusal.violated == ("two",)
        assert answers[-1].principal.subject == "u1"
        assert [each.used for each in known.usage([Charge(TEN, "user:u1"), address])] == [2, 2]

    def test_refusal_of_the_credential_spends_nothing_anywhere(self, known, clock):
        """Whoever is not proven does not eat the budget of an address."""
        known.end_session("s1", expires_at_ms=clock.now_ms() + 1000)
        address = Charge(TWO, "ip:203.0.113.9")
        assert code(known.decide(by_session(Charge(TEN), address))) == "TOKEN_REVOKED"
        assert known.usage([address])[0].used == 0

    def test_token_of_another_account_is_refused_before_limits(self, known):
        """Also when it would be limited on several nodes."""
        query = Query(
            charges={"": (Charge(TWO, "ip:203.0.113.9"), Charge(TEN))},
            kind=CredentialKind.ACCESS,
            credential_id="s1",
            subject="u2",
        )
        assert code(known.decide(query)) == "INVALID_TOKEN"

    def test_longest_wait_of_all_nodes_is_told(self, store, clock, server_of):
        """A part that is only looked at says how long it must be waited for."""
        near, _, far = charges_on_all(server_of("cluster"), TWO)
        for charge in (far, near):
            for _ in range(2):
                store.decide(by_nobody(charge))
            clock.advance(10)
        refusal = store.decide(by_nobody(far, near)).refusal
        assert (refusal.retry_after_s, refusal.violated) == (50, ("two", "two"))

    def test_part_that_does_not_answer_leaves_the_others_unspent(self, own_cluster):
        """What was spent is given back as far as its node answers."""
        charges = charges_on_all(own_cluster, TEN, cost=3)
        with closing(open_redis(own_cluster.url, budget_s=PATIENT_S)) as store:
            assert store.decide(by_nobody(*charges)).is_allowed
            own_cluster.nodes[2].kill()
            with pytest.raises(StoreUnavailableError):
                store.decide(by_nobody(*charges))
            eventually(lambda: answers(store, charges[0]), "an answer of the first node")
            assert [each.used for each in store.usage(charges[:2])] == [3, 3]

    def test_answer_of_another_form_is_an_error(self, known, monkeypatch):
        """As on a single server."""
        monkeypatch.setattr(known._link, "run_call", lambda *_: [b"GOOD"])
        with pytest.raises(StoreUnavailableError):
            known.usage([Charge(TWO, "ip:203.0.113.9")])

    def test_strict_refresh_that_races_on_several_nodes_is_let_in_once(self, known, monkeypatch):
        """Both have been let pass by every limit; the later one is told by the last call, and the session ends."""
        query = by_refresh(Charge(TEN), Charge(TEN, "ip:203.0.113.9"), is_strict=True)
        spend, others = known._spend, []

        def race(*args):
            monkeypatch.undo()
            others.append(known.decide(query))
            spend(*args)

        monkeypatch.setattr(known, "_spend", race)
        assert code(known.decide(query)) == "TOKEN_REUSED"
        assert code(others[0]) is None
        assert code(known.decide(by_session())) == "TOKEN_REVOKED"

    def test_other_credentials_find_their_account(self, known):
        """A refresh token and a key name no account; whose they are is on another node."""
        address = Charge(TWO, "ip:203.0.113.9")
        assert known.decide(by_refresh(Charge(TEN), address)).principal.subject == "u1"
        assert known.decide(by_key(Charge(TEN), address)).principal.subject == "u1"


def answers(store, charge):
    try:
        return bool(store.usage([charge]))
    except StoreUnavailableError:
        return False


class TestNodes:
    def test_slot_that_moved_is_followed(self, own_cluster):
        """The client learns of it by the answer, and the request is counted once."""
        first, second, _ = own_cluster.nodes
        charge = Charge(TEN, ip_on(own_cluster, 0))
        with closing(open_redis(own_cluster.url, budget_s=PATIENT_S)) as store:
            assert store.decide(by_nobody(charge)).is_allowed
            slot = slot_of(own_cluster, charge.partition)
            store.reset(charge.partition)
            target = second.call("CLUSTER", "MYID")
            for node in (second, first, own_cluster.nodes[2]):
                node.call("CLUSTER", "SETSLOT", slot, "NODE", target)
            assert [store.decide(by_nobody(charge)).readings[0].used for _ in range(2)] == [1, 2]

    def test_slot_that_is_moving_is_followed(self, own_cluster):
        """While it moves, key by key: what is new is counted where it goes, what is there where it still is."""
        first, second, third = own_cluster.nodes
        name = ip_on(own_cluster, 0)
        slot, ids = slot_of(own_cluster, name), [node.call("CLUSTER", "MYID") for node in own_cluster.nodes]
        ask = by_nobody(Charge(TEN, name))
        with closing(open_redis(own_cluster.url, budget_s=PATIENT_S)) as store:
            used = [store.decide(ask).readings[0].used]
            second.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
            first.call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
            used.append(store.decide(ask).readings[0].used)
            keys = first.call("CLUSTER", "GETKEYSINSLOT", slot, 10)
            assert first.call("MIGRATE", "127.0.0.1", second.port, "", 0, 5000, "KEYS", *keys) == b"OK"
            used += [store.decide(ask).readings[0].used for _ in range(2)]
            for node in (second, first, third):
                node.call("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
            used.append(store.decide(ask).readings[0].used)
            assert used == [1, 2, 3, 4, 5]
            assert first.call("CLUSTER", "COUNTKEYSINSLOT", slot) == 0

    def test_account_that_is_half_moved_is_an_error_until_it_has_moved(self, own_cluster):
        """A decision needs all its keys on one node; it is never made with some of them."""
        first, second, third = own_cluster.nodes
        name = ip_on(own_cluster, 0)
        slot, ids = slot_of(own_cluster, name), [node.call("CLUSTER", "MYID") for node in own_cluster.nodes]
        both = by_nobody(Charge(TEN, name), Charge(TWO, name))
        with closing(open_redis(own_cluster.url, budget_s=PATIENT_S)) as store:
            assert store.decide(both).is_allowed
            second.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
            first.call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
            keys = first.call("CLUSTER", "GETKEYSINSLOT", slot, 10)
            first.call("MIGRATE", "127.0.0.1", second.port, keys[0], 0, 5000)
            with pytest.raises(StoreUnavailableError):
                store.decide(both)
            first.call("MIGRATE", "127.0.0.1", second.port, "", 0, 5000, "KEYS", *keys[1:])
            assert [each.used for each in store.decide(both).readings] == [2, 2]
            for node in (second, first, third):
                node.call("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
            assert store.decide(both).refusal.violated == ("two",)

    def test_dead_node_takes_only_its_own_accounts_with_it(self, own_cluster):
        """The others are served as before."""
        charges = charges_on_all(own_cluster, TEN)
        with closing(open_redis(own_cluster.url, budget_s=PATIENT_S)) as store:
            for charge in charges:
                assert store.decide(by_nobody(charge)).is_allowed
            own_cluster.nodes[1].kill()
            with pytest.raises(StoreUnavailableError):
                store.decide(by_nobody(charges[1]))
            for charge in (charges[0], charges[2]):
                eventually(lambda each=charge: answers(store, each), "an answer of the others")
                assert store.decide(by_nobody(charge)).readings[0].used == 2

    def test_forgotten_scripts_and_answers_of_no_form_are_mended_and_refused(self, known, server_of):
        """As on a single server."""
        server_of("cluster").call("SCRIPT", "FLUSH")
        assert known.decide(by_session(Charge(TEN))).is_allowed
        known._link.drop()
        assert known.decide(by_session(Charge(TEN))).readings[0].used == 2
        with pytest.raises(StoreUnavailableError):
            known._link.call("EVALSHA", "0" * 40, 1, "x")
        assert known._link.call("GET", "never") is None

    def test_cluster_that_is_not_there_is_an_error(self):
        """Opened without a call, it is asked at every decision anew."""
        with closing(open_redis("redis+cluster://127.0.0.1:1", budget_s=0.5)) as store:
            for _ in range(2):
                with pytest.raises(StoreUnavailableError):
                    store.ping()

    @pytest.mark.parametrize("kind", ["session", "key"])
    def test_what_lost_its_pointer_with_a_node_can_be_ended(self, known, new_store, signer, clock, kind):
        """By naming its account: the node of the account still has it, and the pointer stays ended when it is back."""
        record_id = {"session": "s1", "key": "k1"}[kind]
        known._link.call("DEL", known._pointer(kind, record_id))
        store = new_store(clock)
        issuer = Issuer(watch(store), signer, clock=clock, session_expires_s=60)
        {"session": issuer.end_session, "key": issuer.end_key}[kind](record_id, subject="u1")
        for again in (False, True):
            for each in (known, store, new_store(clock)):
                if kind == "key":
                    assert code(each.decide(by_key())) == "API_KEY_INVALID"
                else:
                    assert code(each.decide(by_session())) == code(each.decide(by_refresh())) == "TOKEN_REVOKED"
            # The record under the account is ended by itself, too: without its pointer nothing comes back by it.
            known._link.call("DEL", known._pointer(kind, record_id))
            if not again:
                store.put_state(SessionState("s1", "u1", clock.now_ms() + 10**7))
                store.put_state(KeyState("k1", "u1", DIGEST))

    def test_slots_that_know_nothing_say_so(self, known):
        """A session that was never there is unknown."""
        assert known.decide(by_session(session="s2")) == Unknown("session", "s2")
