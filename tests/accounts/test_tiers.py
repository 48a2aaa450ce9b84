"""Limits as data over their public functions: tiers, accounts and keys, and what the gate's store is told."""

import pytest

from voxgate.accounts.api_keys import ApiKeys
from voxgate.accounts.lifecycle import Accounts
from voxgate.accounts.tiers import TierTable
from voxgate.gate.errors import Refusal, StoreUnavailableError

POLICIES = frozenset({"tts-generate", "tts-status"})


@pytest.fixture
def accounts(database, store, hasher, clock):
    return Accounts(database, store, hasher=hasher, clock=clock, profile="development", policies=POLICIES)


@pytest.fixture
def tiers(database, store, clock):
    return TierTable(database, store, clock=clock, policies=POLICIES)


@pytest.fixture
def members(accounts, register, tiers):
    """Three accounts of one tier."""
    tiers.define("gold", {"*": "7 per minute"})
    made = [register(f"user{number}", f"user{number}@example.com").account for number in range(3)]
    return [accounts.set_tier(each.subject, "gold") for each in made]


@pytest.fixture
def told(store, monkeypatch):
    """Every state that the store is told from now on."""
    states, put_state = [], store.put_state
    monkeypatch.setattr(store, "put_state", lambda state: (states.append(state), put_state(state)))
    return states


def test_change_reaches_every_account_of_the_tier(tiers, members, told, directory, monkeypatch):
    """In batches of any size, each with a version that no older state replaces."""
    monkeypatch.setattr("voxgate.accounts.tiers._BATCH", 2)
    assert tiers.change("gold", {"tts-generate": "2 per minute"}).accounts == 3
    assert {state.subject for state in told} == {each.subject for each in members}
    assert {state.limits for state in told} == {"*=7 per 1 minute|tts-generate=2 per 1 minute"}
    assert {state.version for state in told} == {each.version + 1 for each in members}
    assert directory.find_account(members[0].subject) in told


def test_interrupted_change_is_completed_by_the_same_change(tiers, members, store, told, monkeypatch):
    """The truth stands in SQL first."""

    def refuse(state):
        raise StoreUnavailableError(state.subject)

    with monkeypatch.context() as down:
        down.setattr(store, "put_state", refuse)
        with pytest.raises(StoreUnavailableError):
            tiers.define("gold", {"*": "9 per minute"})
    assert tiers.define("gold", {"*": "9 per minute"}).accounts == 3
    assert {state.limits for state in told} == {"*=9 per 1 minute"}


def test_own_limits_come_before_those_of_the_tier(accounts, members, directory):
    """Policy by policy."""
    subject = members[0].subject
    changed = accounts.change(subject, limits={"tts-status": "3 per minute", "*": "8 per minute"})
    assert changed.limits == "*=8 per 1 minute|tts-status=3 per 1 minute"
    assert directory.find_account(subject).limits == changed.limits
    accounts.change(subject, limits={"*": None})
    assert directory.find_account(subject).limits == "*=7 per 1 minute|tts-status=3 per 1 minute"


def test_several_terms_change_together_or_not_at_all(accounts, account):
    """A refused term changes nothing else."""
    refused = accounts.change(account.subject, is_active=False, limits={"*": "never"})
    assert refused.code == accounts.change(account.subject, is_active=False, tier="silver").code == "VALIDATION_FAILED"
    assert accounts.find(account.subject) == account


def test_unknown_account_and_tier_are_refused(accounts, tiers):
    """Whatever stands where a name belongs."""
    assert accounts.change("a\0b", is_active=True) == Refusal("ACCOUNT_UNKNOWN")
    assert accounts.set_role("0" * 32, "admin", is_granted=True) == Refusal("ACCOUNT_UNKNOWN")
    assert tiers.remove("a\0b") == tiers.remove("gold") == Refusal("TIER_UNKNOWN")


def test_key_has_networks_and_limits(database, store, clock, account, directory):
    """In one spelling each; what is left out of a change stays; a successor has the same."""
    api_keys = ApiKeys(database, store, clock=clock, policies=POLICIES)
    networks = ("2001:DB8::/32", "192.0.2.7", "192.0.2.7/32")
    made = api_keys.create(account.subject, networks=networks, limits={"tts-status": "3/minute"})
    state = directory.find_key(made.key_id)
    assert (state.networks, state.limits) == (("192.0.2.7/32", "2001:db8::/32"), "tts-status=3 per 1 minute")
    changed = api_keys.change(account.subject, made.key_id, networks=())
    assert (changed.networks, changed.limits) == ((), {"tts-status": "3 per 1 minute"})
    assert directory.find_key(made.key_id).version == state.version + 1
    successor = api_keys.rotate(account.subject, made.key_id).issued
    assert directory.find_key(successor.key_id).limits == state.limits


@pytest.mark.parametrize(
    ("terms", "pointers"),
    [
        ({"networks": ("192.0.2.7/24", "::1%eth0", "x", "")}, [f"/allowed_networks/{place}" for place in range(4)]),
        ({"networks": ("192.0.2.7",) * 33}, ["/allowed_networks"]),
        ({"limits": {"login": "1/minute", "*": "often", "tts-status": "1/minute;" * 90}},
         ["/limits/login", "/limits/*", "/limits/tts-status"]),
    ],
)  # fmt: skip
def test_bad_terms_of_a_key_are_named(database, store, clock, account, terms, pointers):
    """All at once."""
    api_keys = ApiKeys(database, store, clock=clock, policies=POLICIES)
    assert [fault.pointer for fault in api_keys.create(account.subject, **terms).faults] == pointers
