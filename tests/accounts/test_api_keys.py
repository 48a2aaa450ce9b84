"""API keys over their public functions, asked for at the real store of the gate."""

import pytest
from tests.accounts.conftest import START_MS

from voxgate.gate.api_keys import parse_key
from voxgate.gate.decision import Query
from voxgate.gate.errors import Refusal
from voxgate.gate.principal import CredentialKind


def ask(store, text, *, scopes=frozenset()):
    key = parse_key(text)
    query = Query(
        charges={"": ()}, kind=CredentialKind.API_KEY, credential_id=key.key_id, digest=key.digest, scopes=scopes
    )
    return store.decide(query)


class TestCreate:
    def test_key_works_at_once(self, api_keys, account, store):
        """The gate knows a key before its text is shown."""
        key = api_keys.create(account.subject, name="laptop")
        assert ask(store, key.text).principal.credential_id == key.key_id

    def test_text_is_not_printed(self, api_keys, account):
        """A key that is printed by mistake tells only its id."""
        key = api_keys.create(account.subject, name="laptop")
        assert key.text not in repr(key)

    def test_scopes_bind(self, api_keys, account, store):
        """A key with scopes does what they say and nothing else."""
        key = api_keys.create(account.subject, name="laptop", scopes=frozenset({"tts:generate"}))
        assert ask(store, key.text, scopes=frozenset({"tts:generate"})).is_allowed
        assert ask(store, key.text, scopes=frozenset({"tts:read"})).refusal.code == "INSUFFICIENT_SCOPE"

    def test_expiry_binds(self, api_keys, account, store, clock):
        """A key ends at its time."""
        key = api_keys.create(account.subject, name="laptop", expires_in_s=60)
        clock.at_ms += 59_999
        assert ask(store, key.text).is_allowed
        clock.at_ms += 1
        assert ask(store, key.text).refusal.code == "API_KEY_EXPIRED"

    def test_every_bad_field_is_named_at_once(self, api_keys, account):
        """One answer names all that is wrong."""
        refusal = api_keys.create(account.subject, name="x" * 101, scopes=frozenset({"All Rights"}), expires_in_s=0)
        assert refusal.code == "VALIDATION_FAILED"
        assert [fault.pointer for fault in refusal.faults] == ["/name", "/scopes", "/expires_in"]

    @pytest.mark.parametrize("scope", ["admin", "tts:*", "TTS:READ", "tts:read tts:generate", ""])
    def test_scopes_are_a_closed_vocabulary(self, api_keys, account, scope):
        """A word that no route asks for is a mistake, not a promise."""
        refusal = api_keys.create(account.subject, name="", scopes=frozenset({"tts:read", scope}))
        assert refusal.faults[0].pointer == "/scopes"

    @pytest.mark.parametrize("expires_in_s", [-1, 59, 10 * 365 * 86_400 + 1])
    def test_life_is_bounded(self, api_keys, account, expires_in_s):
        """A minute is the shortest that can be used, ten years the longest that can be meant."""
        assert api_keys.create(account.subject, name="", expires_in_s=expires_in_s).faults[0].pointer == "/expires_in"

    def test_live_keys_are_bounded(self, api_keys, account, clock, monkeypatch):
        """The cap counts what works: a key that is revoked or has expired makes room."""
        monkeypatch.setattr("voxgate.accounts.api_keys.MAX_LIVE_KEYS", 3)
        made = [api_keys.create(account.subject, name="", expires_in_s=60) for _ in range(2)]
        assert api_keys.create(account.subject, name="") == Refusal("TOO_MANY_KEYS")
        api_keys.revoke(account.subject, made[0].key_id)
        assert api_keys.create(account.subject, name="").key_id
        assert api_keys.create(account.subject, name="") == Refusal("TOO_MANY_KEYS")
        clock.at_ms += 60_000
        assert api_keys.create(account.subject, name="").key_id

    def test_unknown_account_gets_none(self, api_keys):
        """A key belongs to somebody."""
        assert api_keys.create("0" * 32, name="laptop") == Refusal("ACCOUNT_UNKNOWN")


class TestList:
    def test_tells_all_but_the_secret(self, api_keys, account, clock):
        """Each key with its owner's name for it, oldest first, and never its text."""
        clock.at_ms += 1
        key = api_keys.create(
            account.subject, name="my\x00 laptop", scopes=frozenset({"tts:read", "tts:generate"}), expires_in_s=60
        )
        first, second = api_keys.list(account.subject)
        assert first.name == "first key"
        assert (second.key_id, second.name, second.scopes) == (key.key_id, "my laptop", {"tts:read", "tts:generate"})
        assert (second.created_at_ms, second.expires_at_ms) == (START_MS + 1, START_MS + 60_001)
        assert second.hint in key.text
        assert key.text not in repr(second)

    def test_tells_nothing_of_others(self, api_keys, account, register):
        """A list belongs to one account."""
        other = register("other", "other@example.com").account
        assert {key.key_id for key in api_keys.list(other.subject)}.isdisjoint(
            key.key_id for key in api_keys.list(account.subject)
        )
        assert api_keys.list("0" * 32) == ()

    def test_tells_of_expired_keys_for_a_while(self, api_keys, account, clock):
        """Their owner sees why they are refused, and not for ever."""
        key = api_keys.create(account.subject, name="short", expires_in_s=60)
        clock.at_ms += 86_400_000
        assert key.key_id in {info.key_id for info in api_keys.list(account.subject)}
        clock.at_ms += 30 * 86_400_000
        assert key.key_id not in {info.key_id for info in api_keys.list(account.subject)}


class TestRevoke:
    def test_key_is_refused_from_the_next_request(self, api_keys, account, store):
        """A revoked key opens nothing and is listed no more."""
        key = api_keys.create(account.subject, name="laptop")
        assert api_keys.revoke(account.subject, key.key_id) is True
        assert ask(store, key.text).refusal == Refusal("API_KEY_INVALID")
        assert key.key_id not in {info.key_id for info in api_keys.list(account.subject)}

    def test_revoking_again_is_no_error(self, api_keys, account):
        """A lost answer can be asked for again."""
        key = api_keys.create(account.subject, name="laptop")
        assert [api_keys.revoke(account.subject, key.key_id) for _ in range(2)] == [True, True]

    def test_key_of_another_is_left_alone(self, api_keys, register, account, store):
        """Nobody ends another's key, and is not told that it exists."""
        made = register("other", "other@example.com")
        key_id = parse_key(made.api_key).key_id
        assert api_keys.revoke(account.subject, key_id) is False
        assert api_keys.revoke(account.subject, "unknown") is False
        assert ask(store, made.api_key).is_allowed

    @pytest.mark.parametrize("tier", ["standard", "premium"])
    def test_new_key_carries_the_account_as_it_is(self, api_keys, accounts, account, store, tier):
        """The store is told of the account with the key, so its tier is right at once."""
        accounts.set_tier(account.subject, tier)
        key = api_keys.create(account.subject, name="laptop")
        assert ask(store, key.text).principal.tier == tier
