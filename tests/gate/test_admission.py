"""The decision as a whole: what is refused without the store, what one call decides, what is looked up again."""

import pytest

from voxgate.gate import api_keys, events
from voxgate.gate.admission import Admission
from voxgate.gate.decision import AccountState, Charge, KeyState, SessionState
from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.issuing import Issuer
from voxgate.gate.principal import CredentialKind
from voxgate.gate.tiers import Rule
from voxgate.gate.verifying import Credential

ADDRESS = "192.0.2.7"


@pytest.fixture
def issuer(store, signer, clock):
    return Issuer(store, signer, clock=clock, session_expires_s=3600)


@pytest.fixture
def counted(admission, monkeypatch):
    """The store's calls, in order."""
    calls = []
    for name in ("decide", "put_state", "usage"):
        real = getattr(admission.store, name)
        monkeypatch.setattr(
            admission.store, name, lambda *a, _name=name, _real=real: (calls.append(_name), _real(*a))[1]
        )
    return calls


@pytest.fixture
def ask(admission):
    """Ask for a route under a rule."""
    rules = {}

    def ask(text=None, kind=CredentialKind.ACCESS, **rule):
        rule = rules.setdefault(str(rule), Rule(**rule))
        route = admission.prepare(rule, name="route")
        credential = None if text is None else Credential(kind, text)
        query = admission.verifier.verify(route, credential) if route.rule.credentials else None
        return admission.decide(route, query, address=ADDRESS, endpoint="/x")

    return ask


def code(decision):
    return decision.refusal.code if decision.refusal else None


@pytest.fixture
def ann(issuer):
    issuer.set_account("ann")
    return issuer.open_session("ann")


class TestOneStoreCall:
    def test_allowed_request_makes_one(self, ask, ann, counted):
        """Session, account, tier and every limit are one call."""
        assert ask(ann.access_token, policy="two").is_allowed
        assert counted == ["decide"]

    def test_key_makes_one(self, ask, ann, issuer, counted):
        """A key too."""
        key = issuer.new_key("ann").text
        assert ask(key, CredentialKind.API_KEY).is_allowed
        assert counted == ["decide"]

    @pytest.mark.parametrize(
        ("text", "kind", "expected"),
        [
            (None, CredentialKind.ACCESS, "TOKEN_MISSING"),
            ("garbage", CredentialKind.ACCESS, "INVALID_TOKEN"),
            ("vgr_garbage", CredentialKind.REFRESH, "INVALID_TOKEN"),
            ("sk-vg_garbage", CredentialKind.API_KEY, "API_KEY_INVALID"),
        ],
    )
    def test_what_form_or_signature_refuse_makes_none(self, ask, counted, text, kind, expected):
        """Garbage and mistyped keys never reach the store."""
        assert code(ask(text, kind, credentials=frozenset(CredentialKind))) == expected
        assert counted == []

    def test_expired_token_makes_none(self, ask, ann, clock, counted):
        """The token itself says that it is over."""
        clock.advance(900)
        assert code(ask(ann.access_token)) == "TOKEN_EXPIRED"
        assert counted == []


class TestKinds:
    def test_key_route_asks_for_a_key(self, ask):
        """The text says what is missing."""
        assert code(ask(credentials=frozenset({CredentialKind.API_KEY}))) == "API_KEY_MISSING"

    def test_refresh_token_opens_no_ordinary_route(self, ask, ann):
        """A refresh token cannot stand in for an access token."""
        assert code(ask(ann.refresh_token, CredentialKind.REFRESH)) == "INVALID_TOKEN"

    def test_refresh_token_opens_its_route_until_the_session_ends(self, ask, ann, issuer):
        """Logging out kills it at once."""
        only = frozenset({CredentialKind.REFRESH})
        assert ask(ann.refresh_token, CredentialKind.REFRESH, credentials=only).principal.subject == "ann"
        issuer.end_session(ann.session_id)
        assert code(ask(ann.refresh_token, CredentialKind.REFRESH, credentials=only)) == "TOKEN_REVOKED"

    def test_key_does_not_open_a_route_for_tokens(self, ask, ann, issuer):
        """A key cannot manage the account that made it."""
        only = frozenset({CredentialKind.ACCESS})
        decision = ask(issuer.new_key("ann").text, CredentialKind.API_KEY, credentials=only)
        assert code(decision) == "INSUFFICIENT_SCOPE"


class TestVerified:
    """What was proven is remembered under a key, and nothing else of it."""

    @pytest.fixture
    def route(self, admission):
        return admission.prepare(Rule(), name="route")

    def test_proof_is_recalled_until_the_token_expires(self, admission, route, ann, clock):
        """The very same question; after the end nothing."""
        shown = Credential(CredentialKind.ACCESS, ann.access_token)
        query = admission.verifier.verify(route, shown, key="a")
        clock.advance(899.999)
        assert admission.verifier.recall("a") is query
        clock.advance(0.001)
        assert admission.verifier.recall("a") is None

    def test_keys_are_recalled_and_refusals_are_not(self, admission, route, issuer):
        """A bad credential is read again each time; the memo remembers its refusal."""
        key = issuer.new_key("ann").text
        admission.verifier.verify(route, Credential(CredentialKind.API_KEY, key), key="good")
        admission.verifier.verify(route, Credential(CredentialKind.API_KEY, key + "x"), key="bad")
        assert admission.verifier.recall("good").kind is CredentialKind.API_KEY
        assert admission.verifier.recall("bad") is None

    def test_memory_is_bounded(self, admission, route, ann, monkeypatch):
        """The newest proofs."""
        monkeypatch.setattr("voxgate.gate.verifying.CAPACITY", 3)
        shown = Credential(CredentialKind.ACCESS, ann.access_token)
        for number in range(10):
            admission.verifier.verify(route, shown, key=number)
        assert [admission.verifier.recall(number) is None for number in (0, 6, 7, 9)] == [True, True, False, False]

    def test_guarded_route_without_a_question_is_refused(self, admission, route):
        """A caller that forgot to verify opens nothing."""
        assert code(admission.decide(route, None, address=ADDRESS, endpoint="/x")) == "TOKEN_MISSING"


class TestOpenRoutes:
    def test_open_route_is_limited_by_address(self, ask, admission):
        """Nobody is asked who they are; the default limit holds for each address."""
        nobody = frozenset()
        assert [code(ask(credentials=nobody)) for _ in range(3)] == [None, None, "RATE_LIMITED"]
        route = admission.prepare(Rule(credentials=nobody), name="route")
        assert admission.decide(route, None, address="192.0.2.8", endpoint="/x").is_allowed


class TestReadThrough:
    def test_lost_session_is_read_again(self, ask, ann, store, directory, clock):
        """An emptied store logs nobody out."""
        directory.add(AccountState("ann", "premium"), SessionState(ann.session_id, "ann", clock.now_ms() + 1000))
        for table in ("account", "session"):
            with store._file as connection:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 -- names of this test
        assert ask(ann.access_token).principal.tier == "premium"
        assert ask(ann.access_token).is_allowed
        assert directory.asked == [("session", ann.session_id), ("account", "ann")]

    def test_lost_end_of_a_session_revives_nothing(self, ask, ann, store, directory, clock):
        """What the directory knows to be ended is refused, though the store has forgotten it."""
        directory.add(AccountState("ann"), SessionState(ann.session_id, "ann", clock.now_ms() + 1000, is_ended=True))
        with store._file as connection:
            connection.execute("DELETE FROM session")
        assert code(ask(ann.access_token)) == "TOKEN_REVOKED"

    def test_what_is_nowhere_is_refused(self, ask, ann, store, signer, clock):
        """An unknown session is never taken as valid."""
        token = signer.issue_access("ann", "unknown", now_ms=clock.now_ms())
        assert code(ask(token)) == "TOKEN_REVOKED"
        assert code(ask(api_keys.new_key().text, CredentialKind.API_KEY)) == "API_KEY_INVALID"

    def test_without_a_directory_the_store_is_the_truth(self, store, signer, clock, admission):
        """What it does not know is refused."""
        alone = Admission(store=store, signer=signer, tiers=admission.tiers, clock=clock)
        route = alone.prepare(Rule(), name="route")
        shown = Credential(CredentialKind.ACCESS, signer.issue_access("ann", "unknown", now_ms=clock.now_ms()))
        query = alone.verifier.verify(route, shown)
        assert code(alone.decide(route, query, address=ADDRESS, endpoint="/x")) == "TOKEN_REVOKED"

    def test_lost_key_is_read_again(self, ask, directory):
        """A key works as soon as SQL knows it."""
        key = api_keys.new_key()
        directory.add(AccountState("ann"), KeyState(key.key_id, "ann", key.digest))
        assert ask(key.text, CredentialKind.API_KEY).principal.subject == "ann"


class TestGuessing:
    def test_guessed_keys_are_limited_by_address(self, ask, ann):
        """After four unknown keys a minute the address is told to wait."""
        codes = [code(ask(api_keys.new_key().text, CredentialKind.API_KEY)) for _ in range(5)]
        assert codes == ["API_KEY_INVALID"] * 4 + ["RATE_LIMITED"]

    def test_guesses_spend_no_budget_of_an_account(self, ask, ann):
        """And whoever holds a good token at that address is not locked out."""
        for _ in range(6):
            ask(api_keys.new_key().text, CredentialKind.API_KEY)
        assert ask(ann.access_token).readings[0].used == 1


class TestTrouble:
    @pytest.fixture
    def fail(self, admission, monkeypatch):
        """Take the store away."""

        def gone(_):
            raise StoreUnavailableError("gone")

        return lambda: monkeypatch.setattr(admission.store, "decide", gone)

    def test_store_that_does_not_answer_is_a_refusal(self, ask, ann, fail, told):
        """Closed, with a time to come back; never an exception, and told once."""
        fail()
        for _ in range(5):
            refusal = ask(ann.access_token).refusal
            assert (refusal.code, refusal.retry_after_s) == ("STORE_UNAVAILABLE", 1)
        assert told == [(events.STORE_UNAVAILABLE, {"reason": "gone"})]

    def test_store_that_has_failed_is_asked_by_a_probe_alone(self, ask, ann, admission, monkeypatch, clock):
        """One request in half a second tries; the others do not wait."""
        tries = []

        def gone(query):
            tries.append(query)
            raise StoreUnavailableError("gone")

        monkeypatch.setattr(admission.store, "decide", gone)
        for _ in range(20):
            ask(ann.access_token)
        assert len(tries) == 2
        clock.advance(0.5)
        for _ in range(20):
            ask(ann.access_token)
        assert len(tries) == 3
        clock.advance(-9)
        ask(ann.access_token)
        assert len(tries) == 4

    def test_store_that_answers_again_is_used_at_once(self, ask, ann, fail, admission, monkeypatch, clock, told):
        """The first probe that succeeds ends the trouble."""
        fail()
        for _ in range(3):
            ask(ann.access_token)
        assert admission.is_degraded
        monkeypatch.undo()
        clock.advance(0.5)
        assert ask(ann.access_token).is_allowed
        assert not admission.is_degraded
        assert told[-1] == (events.STORE_RECOVERED, {})

    def test_record_that_cannot_be_kept_is_a_refusal(self, ask, ann, store, directory, admission, monkeypatch, clock):
        """A store that forgets at once does not make the decision run for ever."""
        directory.add(AccountState("ann"), SessionState(ann.session_id, "ann", clock.now_ms() + 1000))
        with store._file as connection:
            connection.execute("DELETE FROM session")
        monkeypatch.setattr(admission.store, "put_state", lambda _: None)
        assert code(ask(ann.access_token)) == "STORE_UNAVAILABLE"


class TestEvents:
    def test_first_refusal_of_a_window_is_told(self, ask, ann, told, clock):
        """One line per window, however many requests are refused."""
        for _ in range(20):
            ask(ann.access_token)
        expected = {
            "user_id": "ann",
            "endpoint": "/x",
            "ip_address": ADDRESS,
            "code": "RATE_LIMITED",
            "limit": "standard",
            "credential_id": ann.session_id,
        }
        assert told == [(events.RATE_LIMIT_EXCEEDED, expected)]
        clock.advance(60)
        for _ in range(5):
            ask(ann.access_token)
        assert [fields.get("repeats") for _, fields in told] == [None, 16, None]
        assert told[1] == (events.RATE_LIMIT_EXCEEDED, {**expected, "repeats": 16})

    def test_use_of_a_key_is_told(self, ask, ann, issuer, told):
        """Who and where, never the key."""
        issued = issuer.new_key("ann")
        ask(issued.text, CredentialKind.API_KEY)
        expected = {"user_id": "ann", "endpoint": "/x", "ip_address": ADDRESS, "credential_id": issued.key_id}
        assert told == [(events.API_KEY_USAGE, expected)]

    def test_denied_right_is_told(self, ask, ann, told):
        """A request beyond its rights is an event."""
        ask(ann.access_token, tier="premium")
        assert told[0][0] == events.AUTHZ_FAIL

    @pytest.mark.parametrize(
        ("text", "kind", "expected"),
        [("garbage", CredentialKind.ACCESS, "INVALID_TOKEN"), ("sk-vg_x", CredentialKind.API_KEY, "API_KEY_INVALID")],
    )
    def test_a_forged_credential_is_told_once_and_never_shown(self, ask, told, text, kind, expected):
        """From where it came and why it was refused."""
        for _ in range(5):
            ask(text, kind)
        fields = {"user_id": None, "endpoint": "/x", "ip_address": ADDRESS, "code": expected, "limit": None}
        assert told == [(events.AUTHN_CREDENTIAL_REFUSED, fields)]

    def test_an_expired_token_is_everyday_life(self, ask, ann, told, clock):
        """Every client meets it every few minutes."""
        clock.advance(900)
        assert code(ask(ann.access_token)) == "TOKEN_EXPIRED"
        assert told == []


def test_limits_can_be_spent_and_read_without_a_credential(admission):
    """A login spends what belongs to its account and its address, all or nothing."""
    limit = admission.tiers.policy("two")[0]
    charges = [Charge(limit, "login:a"), Charge(limit, "ip:b")]
    assert [code(admission.spend(charges)) for _ in range(3)] == [None, None, "RATE_LIMITED"]
    assert [reading.used for reading in admission.usage(charges)] == [2, 2]
