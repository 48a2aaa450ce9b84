"""Keys that are changed and rotated: what holds from the next request, what is inherited, and who wins a race."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.accounts.conftest import START_MS
from tests.accounts.test_api_keys import ask

from voxgate.accounts.key_values import MAX_OVERLAP_S, Rotation
from voxgate.gate.errors import Refusal, StoreUnavailableError

READ, GENERATE = frozenset({"tts:read"}), frozenset({"tts:generate"})
DAY_MS = 86_400_000


@pytest.fixture
def key(api_keys, account):
    return api_keys.create(account.subject, name="laptop", scopes=READ, expires_in_s=10 * 86_400)


def at_once(*calls):
    """Call from threads that all start at the same moment; gives the answers in order."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait(60)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def info_of(api_keys, account, key_id):
    return next(info for info in api_keys.list(account.subject) if info.key_id == key_id)


class TestChange:
    def test_scopes_hold_from_the_next_request(self, api_keys, account, key, store):
        """Narrowed, widened and lifted; the gate is told before the answer is given."""
        assert ask(store, key.text, scopes=GENERATE).refusal.code == "INSUFFICIENT_SCOPE"
        assert api_keys.change(account.subject, key.key_id, scopes=GENERATE).scopes == GENERATE
        assert ask(store, key.text, scopes=GENERATE).is_allowed
        assert ask(store, key.text, scopes=READ).refusal.code == "INSUFFICIENT_SCOPE"
        api_keys.change(account.subject, key.key_id, scopes=frozenset())
        assert ask(store, key.text, scopes=READ).is_allowed

    @pytest.mark.parametrize("expires_in_s", [60, 20 * 86_400])
    def test_end_holds_from_the_next_request(self, api_keys, account, key, store, clock, expires_in_s):
        """Drawn in and put off; counted from now."""
        api_keys.change(account.subject, key.key_id, expires_in_s=expires_in_s)
        clock.at_ms += expires_in_s * 1000 - 1
        assert ask(store, key.text).is_allowed
        clock.at_ms += 1
        assert ask(store, key.text).refusal.code == "API_KEY_EXPIRED"

    def test_end_can_be_lifted(self, api_keys, account, key, store, clock):
        """None means no end, not no change."""
        assert api_keys.change(account.subject, key.key_id, expires_in_s=None).expires_at_ms is None
        clock.at_ms += 11 * DAY_MS
        assert ask(store, key.text).is_allowed

    def test_what_is_not_named_stays(self, api_keys, account, key):
        """A new name changes the name."""
        changed = api_keys.change(account.subject, key.key_id, name="phone\n")
        assert (changed.name, changed.scopes, changed.expires_at_ms) == ("phone", READ, key.info.expires_at_ms)
        assert info_of(api_keys, account, key.key_id) == changed

    def test_every_bad_term_is_named_and_nothing_changes(self, api_keys, account, key):
        """One answer names all that is wrong."""
        refusal = api_keys.change(
            account.subject, key.key_id, name="x" * 101, scopes=frozenset({"admin"}), expires_in_s=1
        )
        assert [fault.pointer for fault in refusal.faults] == ["/name", "/scopes", "/expires_in"]
        assert info_of(api_keys, account, key.key_id) == key.info

    @pytest.mark.parametrize("key_id", ["", "unknown", "0" * 12, "a\0b", "\ud800", "x" * 500])
    def test_unknown_key_is_refused(self, api_keys, account, key_id):
        """Whatever stands where an id belongs."""
        assert api_keys.change(account.subject, key_id, name="x") == Refusal("KEY_NOT_FOUND")
        assert api_keys.rotate(account.subject, key_id) == Refusal("KEY_NOT_FOUND")
        assert api_keys.revoke(account.subject, key_id) is False

    def test_key_of_another_is_not_found(self, api_keys, register, key, store):
        """Nobody changes or replaces another's key."""
        other = register("other", "other@example.com").account
        assert api_keys.change(other.subject, key.key_id, scopes=frozenset()) == Refusal("KEY_NOT_FOUND")
        assert api_keys.rotate(other.subject, key.key_id, overlap_s=0) == Refusal("KEY_NOT_FOUND")
        assert ask(store, key.text, scopes=READ).is_allowed

    def test_revoked_key_stays_revoked(self, api_keys, account, key, store):
        """No change revives it."""
        api_keys.revoke(account.subject, key.key_id)
        assert api_keys.change(account.subject, key.key_id, expires_in_s=None) == Refusal("KEY_NOT_FOUND")
        assert ask(store, key.text).refusal.code == "API_KEY_INVALID"

    def test_expired_key_stays_expired(self, api_keys, account, key, clock):
        """It could pass the cap of live keys otherwise."""
        clock.at_ms += 10 * DAY_MS
        assert api_keys.change(account.subject, key.key_id, expires_in_s=None) == Refusal("KEY_EXPIRED")
        assert api_keys.rotate(account.subject, key.key_id) == Refusal("KEY_EXPIRED")

    def test_store_that_was_down_is_told_by_the_same_change_again(self, api_keys, account, key, store, monkeypatch):
        """The truth stands in SQL first; repeating the change brings it to the gate."""

        def refuse(_state):
            raise StoreUnavailableError("away")

        with monkeypatch.context() as down:
            down.setattr(store, "put_state", refuse)
            with pytest.raises(StoreUnavailableError):
                api_keys.change(account.subject, key.key_id, scopes=GENERATE)
        api_keys.change(account.subject, key.key_id, scopes=GENERATE)
        assert ask(store, key.text, scopes=READ).refusal.code == "INSUFFICIENT_SCOPE"

    def test_overtaken_message_does_not_bring_old_scopes_back(self, api_keys, account, key, store, monkeypatch):
        """A second change that commits and is told while the first is on its way to the store wins there too."""
        put_state, waiting = store.put_state, [GENERATE]

        def put_late(state):
            if waiting:
                api_keys.change(account.subject, key.key_id, scopes=waiting.pop())
            put_state(state)

        monkeypatch.setattr(store, "put_state", put_late)
        api_keys.change(account.subject, key.key_id, scopes=frozenset())
        assert ask(store, key.text, scopes=READ).refusal.code == "INSUFFICIENT_SCOPE"
        assert ask(store, key.text, scopes=GENERATE).is_allowed

    def test_many_changes_at_once_leave_store_and_sql_alike(self, api_keys, account, key, store):
        """Whoever was last in SQL holds at the gate."""
        changes = [
            lambda scopes=scopes: api_keys.change(account.subject, key.key_id, scopes=scopes)
            for scopes in [READ, GENERATE] * 4
        ]
        at_once(*changes)
        (scope,) = info_of(api_keys, account, key.key_id).scopes
        assert ask(store, key.text).principal.scopes == {scope}


class TestRotate:
    def test_successor_inherits_and_both_work(self, api_keys, account, key, store):
        """Name, scopes and end go over; a key for ten days does not become one for ever."""
        rotated = api_keys.rotate(account.subject, key.key_id)
        info = rotated.issued.info
        assert (info.name, info.scopes, info.expires_at_ms) == ("laptop", READ, START_MS + 10 * DAY_MS)
        assert (rotated.replaces, rotated.replaced_at_ms) == (key.key_id, START_MS + DAY_MS)
        for text in (key.text, rotated.issued.text):
            assert ask(store, text, scopes=READ).is_allowed
            assert ask(store, text, scopes=GENERATE).refusal.code == "INSUFFICIENT_SCOPE"
        assert info_of(api_keys, account, key.key_id).successor_id == info.key_id
        assert rotated.issued.text not in repr(rotated)

    def test_old_key_ends_with_the_overlap(self, api_keys, account, key, store, clock):
        """To the millisecond; the new one goes on."""
        rotated = api_keys.rotate(account.subject, key.key_id, overlap_s=90)
        clock.at_ms += 89_999
        assert ask(store, key.text).is_allowed
        clock.at_ms += 1
        assert ask(store, key.text).refusal.code == "API_KEY_EXPIRED"
        assert ask(store, rotated.issued.text).is_allowed

    def test_without_overlap_the_old_key_ends_at_once(self, api_keys, account, key, store):
        """For a key that has leaked."""
        rotated = api_keys.rotate(account.subject, key.key_id, overlap_s=0)
        assert ask(store, key.text).refusal.code == "API_KEY_INVALID"
        assert rotated.replaced_at_ms == START_MS
        assert key.key_id not in {info.key_id for info in api_keys.list(account.subject)}

    def test_overlap_never_lengthens_a_life(self, api_keys, account, key, store, clock):
        """A key that ends tomorrow ends tomorrow."""
        rotated = api_keys.rotate(account.subject, key.key_id, overlap_s=MAX_OVERLAP_S)
        assert rotated.replaced_at_ms == key.info.expires_at_ms
        clock.at_ms = key.info.expires_at_ms
        assert ask(store, key.text).refusal.code == "API_KEY_EXPIRED"

    @pytest.mark.parametrize("overlap_s", [-1, MAX_OVERLAP_S + 1])
    def test_overlap_is_bounded(self, api_keys, account, key, overlap_s):
        """Nothing is made when it is out of bounds."""
        assert api_keys.rotate(account.subject, key.key_id, overlap_s=overlap_s).faults[0].pointer == "/overlap_s"
        assert len(api_keys.list(account.subject)) == 2

    def test_a_key_is_replaced_once(self, api_keys, account, key):
        """Its successor can be replaced; the old one can only be ended."""
        rotated = api_keys.rotate(account.subject, key.key_id)
        assert api_keys.rotate(account.subject, key.key_id) == Refusal("KEY_ROTATED")
        assert api_keys.change(account.subject, key.key_id, expires_in_s=None) == Refusal("KEY_ROTATED")
        assert isinstance(api_keys.rotate(account.subject, rotated.issued.key_id), Rotation)
        assert api_keys.revoke(account.subject, key.key_id) is True

    def test_rotation_is_no_way_around_the_cap(self, api_keys, account, key, monkeypatch):
        """With an overlap there is one live key more; at once there is not."""
        monkeypatch.setattr("voxgate.accounts.api_keys.MAX_LIVE_KEYS", 2)
        assert api_keys.rotate(account.subject, key.key_id) == Refusal("TOO_MANY_KEYS")
        assert isinstance(api_keys.rotate(account.subject, key.key_id, overlap_s=0), Rotation)

    def test_end_that_the_store_missed_is_told_when_asked_again(self, api_keys, account, key, store, monkeypatch):
        """An old key that SQL has ended does not live on at the gate."""

        def refuse(_key_id, **_):
            raise StoreUnavailableError("away")

        with monkeypatch.context() as down:
            down.setattr(store, "end_key", refuse)
            with pytest.raises(StoreUnavailableError):
                api_keys.rotate(account.subject, key.key_id, overlap_s=0)
        assert api_keys.rotate(account.subject, key.key_id, overlap_s=0) == Refusal("KEY_NOT_FOUND")
        assert ask(store, key.text).refusal.code == "API_KEY_INVALID"

    def test_of_rotations_at_once_one_wins(self, api_keys, account, key):
        """One successor, however many ask; the others are told."""
        answers = at_once(*[lambda: api_keys.rotate(account.subject, key.key_id)] * 8)
        outcomes = Counter(getattr(answer, "code", "ROTATED") for answer in answers)
        assert outcomes == {"ROTATED": 1, "KEY_ROTATED": 7}
        assert len(api_keys.list(account.subject)) == 3

    @pytest.mark.parametrize("overlap_s", [0, 60])
    def test_end_that_races_with_a_rotation_holds(self, api_keys, account, key, store, overlap_s):
        """Whoever is first, the old key is dead afterwards; a successor exists only if it was told."""
        rotated, ended = at_once(
            lambda: api_keys.rotate(account.subject, key.key_id, overlap_s=overlap_s),
            lambda: api_keys.revoke(account.subject, key.key_id),
        )
        assert ended is True
        assert ask(store, key.text).refusal.code == "API_KEY_INVALID"
        assert len(api_keys.list(account.subject)) == 1 + isinstance(rotated, Rotation)
        assert isinstance(rotated, Rotation) or rotated == Refusal("KEY_NOT_FOUND")

    def test_keys_made_at_once_keep_the_cap(self, api_keys, account, monkeypatch):
        """Counting and making are one step."""
        monkeypatch.setattr("voxgate.accounts.api_keys.MAX_LIVE_KEYS", 4)
        answers = at_once(*[lambda: api_keys.create(account.subject, name="")] * 8)
        assert Counter(getattr(answer, "code", "MADE") for answer in answers) == {"MADE": 3, "TOO_MANY_KEYS": 5}
