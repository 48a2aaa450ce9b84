"""What every store promises of credentials and accounts, shown on each."""

import hashlib

from tests.support.queries import DIGEST, TEN, TWO, by_key, by_refresh, by_session, code
from tests.support.servers import EVERY_STORE

from voxgate.gate.decision import AccountState, Charge, KeyState, Query, SessionState, Unknown
from voxgate.gate.principal import CredentialKind

pytestmark = EVERY_STORE


class TestCredentials:
    def test_live_session_is_its_account(self, known):
        """Subject, kind, id, tier and scopes come from one call."""
        principal = known.decide(by_session(granted=frozenset({"a"}))).principal
        assert (principal.subject, principal.kind, principal.credential_id) == ("u1", CredentialKind.ACCESS, "s1")
        assert (principal.tier, principal.scopes, principal.is_premium) == ("standard", {"a"}, False)

    def test_live_key_is_its_account(self, known):
        """A key brings its account and its scopes."""
        principal = known.decide(by_key()).principal
        assert (principal.subject, principal.kind, principal.scopes) == ("u1", CredentialKind.API_KEY, {"read"})

    def test_unknown_records_are_said_to_be_unknown(self, store, clock):
        """What the store does not know is neither valid nor invalid: the directory is asked."""
        assert store.decide(by_session()) == Unknown("session", "s1")
        assert store.decide(by_key()) == Unknown("key", "k1")
        store.put_state(SessionState("s1", "u1", clock.now_ms() + 1000))
        assert store.decide(by_session()) == Unknown("account", "u1")

    def test_ended_session_is_refused_for_ever(self, known, clock):
        """No later state revives it."""
        known.end_session("s1", expires_at_ms=clock.now_ms() + 1000)
        known.put_state(SessionState("s1", "u1", clock.now_ms() + 3_600_000))
        assert code(known.decide(by_session())) == "TOKEN_REVOKED"

    def test_session_ended_before_it_was_known_stays_ended(self, store, clock):
        """A read-through that comes late cannot revive what was ended meanwhile."""
        store.end_session("s1", expires_at_ms=clock.now_ms() + 1000)
        store.put_state(AccountState("u1"))
        store.put_state(SessionState("s1", "u1", clock.now_ms() + 3_600_000))
        assert code(store.decide(by_session())) == "TOKEN_REVOKED"

    def test_credential_that_names_no_account_finds_it_in_any_process(self, known, new_store, clock):
        """Also where it was never seen before, and once it has ended."""
        for ask in (by_refresh, by_key):
            assert known.decide(ask()).principal.subject == "u1"
            assert new_store(clock).decide(ask()).principal.subject == "u1"
        known.end_session("s1", expires_at_ms=clock.now_ms() + 1000)
        known.end_key("k1")
        for store in (known, new_store(clock)):
            assert code(store.decide(by_refresh())) == "TOKEN_REVOKED"
            assert code(store.decide(by_key())) == "API_KEY_INVALID"
            assert code(store.decide(by_session())) == "TOKEN_REVOKED"

    def test_ended_by_a_process_that_never_saw_it(self, known, new_store, clock):
        """Whoever ends it, everybody sees it at once."""
        known.decide(by_refresh())
        known.decide(by_key())
        other = new_store(clock)
        other.end_session("s1", expires_at_ms=clock.now_ms() + 1000)
        other.end_key("k1")
        assert code(known.decide(by_refresh())) == "TOKEN_REVOKED"
        assert code(known.decide(by_key())) == "API_KEY_INVALID"

    def test_ended_and_never_known_is_ended(self, store, clock):
        """Nobody needs to ask the directory."""
        store.end_session("s1", expires_at_ms=clock.now_ms() + 1000)
        store.end_key("k1")
        assert code(store.decide(by_session())) == code(store.decide(by_refresh())) == "TOKEN_REVOKED"
        assert code(store.decide(by_key())) == "API_KEY_INVALID"

    def test_session_ends_at_its_time(self, known, clock):
        """A session has an absolute end."""
        clock.advance(3599.999)
        assert code(known.decide(by_session())) is None
        clock.advance(0.001)
        assert code(known.decide(by_session())) == "TOKEN_EXPIRED"

    def test_session_of_another_subject_is_refused(self, known):
        """A token whose subject and session do not belong together is no token of ours."""
        query = Query(charges={}, kind=CredentialKind.ACCESS, credential_id="s1", subject="u2")
        assert code(known.decide(query)) == "INVALID_TOKEN"

    def test_wrong_secret_is_refused(self, known):
        """The id of a key opens nothing."""
        assert code(known.decide(by_key(digest=hashlib.sha256(b"other").digest()))) == "API_KEY_INVALID"

    def test_revoked_key_is_refused_for_ever(self, known):
        """No later state revives it."""
        known.end_key("k1")
        known.put_state(KeyState("k1", "u1", DIGEST))
        assert code(known.decide(by_key())) == "API_KEY_INVALID"

    def test_key_revoked_before_it_was_known_stays_revoked(self, store):
        """A read-through that comes late cannot revive it."""
        store.end_key("k1")
        store.put_state(AccountState("u1"))
        store.put_state(KeyState("k1", "u1", DIGEST))
        assert code(store.decide(by_key())) == "API_KEY_INVALID"

    def test_expired_key_is_told_only_to_its_holder(self, known, clock):
        """Whoever has not the secret learns nothing of the key."""
        clock.advance(60)
        assert code(known.decide(by_key())) == "API_KEY_EXPIRED"
        assert code(known.decide(by_key(digest=b""))) == "API_KEY_INVALID"


class TestAccount:
    def test_disabled_account_ends_every_credential(self, known):
        """Sessions and keys alike, from the next decision."""
        known.put_state(AccountState("u1", is_active=False, version=1))
        assert code(known.decide(by_session())) == "ACCOUNT_DISABLED"
        assert code(known.decide(by_key())) == "ACCOUNT_DISABLED"

    def test_older_state_never_replaces_a_newer(self, known):
        """A read-through that raced with a change cannot undo it."""
        known.put_state(AccountState("u1", is_active=False, version=5))
        known.put_state(AccountState("u1", is_active=True, version=4))
        assert code(known.decide(by_session())) == "ACCOUNT_DISABLED"
        known.put_state(AccountState("u1", is_active=True, version=6))
        assert code(known.decide(by_session())) is None

    def test_account_of_any_name_is_itself_alone(self, store, clock):
        """Names come from strangers: braces, colons, and what looks like a name of ours."""
        names = ["a", "a}", "{a}", "a:own", "%", "user:a", "ip:a", "é"]
        for name in names:
            store.put_state(AccountState(name))
            store.put_state(SessionState(f"of {name}", name, clock.now_ms() + 1000))
        for name in names:
            query = Query(
                charges={"": (Charge(TWO),)}, kind=CredentialKind.ACCESS, credential_id=f"of {name}", subject=name
            )
            answer = store.decide(query)
            assert (answer.principal.subject, answer.readings[0].used) == (name, 1)

    def test_change_of_tier_holds_from_the_next_decision(self, known):
        """Limits and rights of the new tier bind at once."""
        query = Query(
            charges={"standard": (Charge(TWO),), "premium": (Charge(TEN),)},
            kind=CredentialKind.ACCESS,
            credential_id="s1",
            tier="premium",
        )
        assert code(known.decide(query)) == "PREMIUM_REQUIRED"
        known.put_state(AccountState("u1", "premium", version=1))
        answer = known.decide(query)
        assert (code(answer), answer.principal.is_premium, answer.readings[0].limit) == (None, True, TEN)

    def test_missing_scope_is_refused_and_named(self, known):
        """A credential with scopes may do only that."""
        answer = known.decide(by_key(scopes=frozenset({"read", "write"})))
        assert (code(answer), answer.refusal.scopes) == ("INSUFFICIENT_SCOPE", ("read", "write"))
        assert code(known.decide(by_key(scopes=frozenset({"read"})))) is None

    def test_credential_without_scopes_may_do_what_its_account_may(self, known):
        """No scopes means no restriction."""
        assert code(known.decide(by_session(scopes=frozenset({"read"})))) is None
