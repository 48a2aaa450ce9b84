"""What every store promises, shown on the embedded one."""

import hashlib
import sqlite3
import threading

import pytest

from voxgate.gate.decision import AccountState, Charge, KeyState, Query, SessionState, Unknown
from voxgate.gate.errors import ConfigurationError, StoreUnavailableError
from voxgate.gate.limits import Limit, parse_limits
from voxgate.gate.principal import CredentialKind
from voxgate.gate.stores import SqliteStore, open_store

TEN = Limit("ten", 10, 60)
TWO = Limit("two", 2, 60)
DIGEST = hashlib.sha256(b"secret").digest()


@pytest.fixture
def known(store, clock):
    """A store that knows an account with a session and a key."""
    store.put_state(AccountState("u1"))
    store.put_state(SessionState("s1", "u1", clock.now_ms() + 3_600_000))
    store.put_state(KeyState("k1", "u1", DIGEST, frozenset({"read"}), clock.now_ms() + 60_000))
    return store


def by_session(*charges, **more):
    return Query(charges={"": charges}, kind=CredentialKind.ACCESS, credential_id="s1", subject="u1", **more)


def by_key(*charges, digest=DIGEST, **more):
    return Query(charges={"": charges}, kind=CredentialKind.API_KEY, credential_id="k1", digest=digest, **more)


def code(answer):
    return answer.refusal.code if answer.refusal else None


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


class TestLimits:
    def test_exactly_the_quota_passes(self, known):
        """Ten pass, the eleventh is told when to come back."""
        answers = [known.decide(by_session(Charge(TEN))) for _ in range(11)]
        assert [answer.is_allowed for answer in answers] == [True] * 10 + [False]
        refusal = answers[-1].refusal
        assert (refusal.code, refusal.retry_after_s, refusal.violated) == ("RATE_LIMITED", 60, ("ten",))
        assert refusal.message == "Too many requests. Limit: 10 per 1 minute"
        assert [answer.readings[0].remaining for answer in answers] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]

    def test_waiting_exactly_retry_after_is_enough(self, known, clock):
        """And a second less is not."""
        for pause in (0, 17.3):
            clock.advance(pause)
            known.decide(by_session(Charge(TWO)))
        retry_after_s = known.decide(by_session(Charge(TWO))).refusal.retry_after_s
        assert retry_after_s == 43
        clock.advance(retry_after_s - 1)
        assert not known.decide(by_session(Charge(TWO))).is_allowed
        clock.advance(1)
        assert known.decide(by_session(Charge(TWO))).is_allowed

    def test_no_burst_passes_over_a_window_edge(self, known, clock):
        """Ten at the end of a minute and ten at the start of the next are twenty in a minute."""
        clock.advance(59.9)
        first = sum(known.decide(by_session(Charge(TEN))).is_allowed for _ in range(15))
        clock.advance(0.2)
        second = sum(known.decide(by_session(Charge(TEN))).is_allowed for _ in range(15))
        assert (first, second) == (10, 0)

    def test_refusal_spends_nothing_anywhere(self, known):
        """All or nothing: the wide limit is not spent by requests that the narrow one refuses."""
        for _ in range(5):
            known.decide(by_session(Charge(TEN), Charge(TWO)))
        used = {each.limit.name: each.used for each in known.decide(by_session(Charge(TEN), Charge(TWO))).readings}
        assert used == {"ten": 2, "two": 2}

    def test_refused_credential_spends_nothing(self, known, clock):
        """A revoked token does not eat its account's budget."""
        known.end_session("s1", expires_at_ms=clock.now_ms() + 1000)
        known.decide(by_session(Charge(TWO)))
        assert known.decide(by_key(Charge(TWO))).readings[0].used == 1

    def test_one_account_has_one_budget(self, known):
        """Over tokens and keys alike."""
        known.decide(by_session(Charge(TWO)))
        known.decide(by_key(Charge(TWO)))
        assert not known.decide(by_session(Charge(TWO))).is_allowed

    def test_partitions_do_not_share(self, store):
        """What one address spends another does not miss."""
        ask = {name: Query(charges={"": (Charge(TWO, f"ip:{name}"),)}) for name in ("a", "b")}
        assert [store.decide(ask[name]).is_allowed for name in "aaabb"] == [True, True, False, True, True]

    def test_cost_weighs(self, known):
        """A request of cost four spends four."""
        answers = [known.decide(by_session(Charge(TEN, cost=4))) for _ in range(3)]
        assert [answer.is_allowed for answer in answers] == [True, True, False]
        assert answers[2].readings[0].remaining == 2

    def test_longest_wait_is_told(self, known):
        """With several limits exhausted, waiting for one alone would be in vain."""
        hour = Limit("hour", 2, 3600)
        for _ in range(2):
            known.decide(by_session(Charge(TWO), Charge(hour)))
        refusal = known.decide(by_session(Charge(TWO), Charge(hour))).refusal
        assert (refusal.retry_after_s, refusal.violated) == (3600, ("two", "hour"))

    def test_usage_spends_nothing(self, known):
        """Looking is free, and nothing that was looked at changes."""
        known.decide(by_session(Charge(TEN)))
        readings = [known.usage([Charge(TEN, "user:u1"), Charge(TWO, "user:u1")]) for _ in range(20)][-1]
        assert [(each.used, each.remaining, each.next_free_ms) for each in readings] == [(1, 9, 60_000), (0, 2, 0)]

    def test_reset_forgets_a_partition(self, known):
        """From the next decision everything fits again, for this partition alone."""
        for _ in range(3):
            known.decide(by_session(Charge(TWO), Charge(TEN)))
        known.decide(Query(charges={"": (Charge(TWO, "ip:a"),)}))
        assert known.reset("user:u1") == 2
        assert known.decide(by_session(Charge(TWO))).readings[0].used == 1
        assert known.usage([Charge(TWO, "ip:a")])[0].used == 1

    def test_no_charges_means_no_limit(self, known):
        """A tier without limits is let through."""
        assert known.decide(by_session()).readings == ()


DAY = parse_limits("3 per calendar day", name="day")[0]
MONTH = parse_limits("3 per calendar month", name="month")[0]
PAIR = parse_limits("2 at once", name="pair")[0]


class TestCalendar:
    """FakeClock starts on 2027-01-15, 08:00 UTC."""

    @pytest.fixture(autouse=True)
    def long_session(self, known, clock):
        known.put_state(SessionState("s1", "u1", clock.now_ms() + 400 * 86_400_000))

    def test_quota_of_the_day_ends_at_midnight(self, known, clock):
        """Three in the day, however late; at midnight UTC three more."""
        answers = [known.decide(by_session(Charge(DAY))) for _ in range(4)]
        assert [answer.is_allowed for answer in answers] == [True, True, True, False]
        assert answers[3].refusal.retry_after_s == 16 * 3600
        assert answers[3].refusal.message == "Too many requests. Limit: 3 per calendar day"
        clock.advance(16 * 3600 - 1)
        assert not known.decide(by_session(Charge(DAY))).is_allowed
        clock.advance(1)
        assert known.decide(by_session(Charge(DAY))).readings[0].used == 1

    def test_quota_of_the_month_ends_with_it(self, known, clock):
        """On the first of the next month, also at the turn of the year."""
        for days in (17, 28, 31):  # to the first of February, March and April
            known.decide(by_session(Charge(MONTH, cost=3)))
            refusal = known.decide(by_session(Charge(MONTH))).refusal
            clock.advance(refusal.retry_after_s - 1)
            assert not known.decide(by_session(Charge(MONTH))).is_allowed, days
            clock.advance(1)
            assert known.decide(by_session()).is_allowed

    def test_month_is_told_in_whole_days(self, known):
        """From the fifteenth at eight: sixteen days and sixteen hours."""
        known.decide(by_session(Charge(MONTH, cost=3)))
        retry_after_s = known.decide(by_session(Charge(MONTH))).refusal.retry_after_s
        assert retry_after_s == 16 * 86_400 + 16 * 3600

    def test_cost_weighs(self, known):
        """Characters of a day, say."""
        assert known.decide(by_session(Charge(DAY, cost=2))).readings[0].remaining == 1
        assert not known.decide(by_session(Charge(DAY, cost=2))).is_allowed
        assert known.usage([Charge(DAY, "user:u1")])[0].used == 2


class TestAtOnce:
    def ask(self, store, lease_id):
        return store.decide(by_session(Charge(PAIR), lease_id=lease_id))

    def test_quota_runs_at_once_and_no_more(self, known):
        """The third waits until one is given back."""
        assert [self.ask(known, name).is_allowed for name in "abc"] == [True, True, False]
        known.release([Charge(PAIR, "user:u1")], lease_id="a")
        assert self.ask(known, "c").is_allowed
        assert known.usage([Charge(PAIR, "user:u1")])[0].used == 2

    def test_lost_lease_is_free_after_its_time(self, known, clock):
        """A worker that died holds nothing for ever; Retry-After is when that is so at the latest."""
        self.ask(known, "a")
        clock.advance(100)
        self.ask(known, "b")
        assert self.ask(known, "c").refusal.retry_after_s == 200
        clock.advance(200)
        assert self.ask(known, "c").is_allowed
        assert not self.ask(known, "d").is_allowed

    def test_release_is_safe_to_repeat(self, known):
        """Also for a name that holds nothing, and beside limits of another kind."""
        self.ask(known, "a")
        charges = [Charge(PAIR, "user:u1"), Charge(TEN, "user:u1")]
        for _ in range(2):
            known.release(charges, lease_id="a")
        known.release(charges, lease_id="never")
        assert [reading.used for reading in known.usage(charges)] == [0, 0]

    def test_refused_request_holds_nothing(self, known):
        """All or nothing: another limit's refusal leaves no lease."""
        for name in "ab":
            known.decide(by_session(Charge(TWO), Charge(PAIR), lease_id=name))
            known.release([Charge(PAIR, "user:u1")], lease_id=name)
        assert not known.decide(by_session(Charge(TWO), Charge(PAIR), lease_id="c")).is_allowed
        assert known.usage([Charge(PAIR, "user:u1")])[0].used == 0

    def test_clock_set_back_holds_for_one_lease_at_most(self, known, clock):
        """An end that lies too far in the future is brought back."""
        self.ask(known, "a")
        self.ask(known, "b")
        clock.advance(-3600)
        assert self.ask(known, "c").refusal.retry_after_s == 300


class TestFile:
    def test_facts_survive_a_restart(self, known, tmp_path, clock):
        """What was ended stays ended and what was spent is spent, in a new process too."""
        known.decide(by_key(Charge(TWO)))
        known.end_session("s1", expires_at_ms=clock.now_ms() + 3_600_000)
        known.close()
        again = SqliteStore(tmp_path / "gate.db", clock=clock)
        assert code(again.decide(by_session())) == "TOKEN_REVOKED"
        assert again.decide(by_key(Charge(TWO))).readings[0].used == 2
        again.close()

    def test_two_stores_on_one_file_are_one(self, known, tmp_path, clock):
        """Every process of the machine sees the same facts at once."""
        other = SqliteStore(tmp_path / "gate.db", clock=clock)
        passed = [each.decide(by_session(Charge(TWO))).is_allowed for each in (known, other, known, other)]
        assert passed == [True, True, False, False]
        other.end_session("s1", expires_at_ms=clock.now_ms())
        assert code(known.decide(by_session())) == "TOKEN_REVOKED"
        other.close()

    def test_dead_rows_are_swept(self, store, clock, tmp_path):
        """Neither windows nor sessions pile up."""
        store.put_state(SessionState("old", "u1", clock.now_ms() + 1000))
        for number in range(300):
            store.decide(Query(charges={"": (Charge(TWO, f"ip:{number}"),)}))
        clock.advance(61)
        for _ in range(2000):
            store.decide(Query(charges={"": (Charge(Limit("wide", 100_000, 60), "ip:x"),)}))
        with sqlite3.connect(tmp_path / "gate.db") as connection:
            assert connection.execute("SELECT count(*) FROM window").fetchone() == (1,)
            assert connection.execute("SELECT count(*) FROM session").fetchone() == (0,)

    def test_file_held_by_another_is_waited_for_and_then_refused(self, known, tmp_path, clock):
        """Never longer than the budget, and nothing is changed."""
        impatient = SqliteStore(tmp_path / "gate.db", clock=clock, budget_s=0.05)
        holder = sqlite3.connect(tmp_path / "gate.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="locked"):
            impatient.decide(by_session(Charge(TWO)))
        holder.execute("ROLLBACK")
        assert impatient.decide(by_session(Charge(TWO))).readings[0].used == 1
        holder.close()
        impatient.close()

    def test_turn_of_another_thread_is_waited_for_and_then_refused(self, known, tmp_path, clock):
        """A thread that hangs in the store does not hang the others."""
        store = SqliteStore(tmp_path / "gate.db", clock=clock, budget_s=0.05)
        inside, leave = threading.Event(), threading.Event()

        def hold():
            with store._file.transaction():
                inside.set()
                leave.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        inside.wait()
        with pytest.raises(StoreUnavailableError, match="busy"):
            store.ping()
        leave.set()
        thread.join()
        store.ping()
        store.close()

    def test_missing_folder_is_unavailable(self, tmp_path):
        """Trouble with the file is one kind of error."""
        with pytest.raises(StoreUnavailableError, match="unable to open"):
            SqliteStore(tmp_path / "nowhere" / "gate.db").ping()

    def test_damaged_file_is_unavailable_and_heals(self, tmp_path):
        """A file that is no database is an error, and a good file in its place is used without a restart."""
        path = tmp_path / "gate.db"
        path.write_bytes(b"no database at all, but long enough to be looked at" * 40)
        store = SqliteStore(path)
        with pytest.raises(StoreUnavailableError):
            store.ping()
        path.unlink()
        store.ping()
        store.close()

    def test_failed_write_changes_nothing(self, known, monkeypatch):
        """A decision that breaks in its middle spends nothing."""
        monkeypatch.setattr("voxgate.gate.stores.sqlite_schema.PUT_WINDOW", "INSERT INTO nowhere VALUES (?, ?, ?, ?)")
        with pytest.raises(StoreUnavailableError):
            known.decide(by_session(Charge(TWO)))
        monkeypatch.undo()
        assert known.decide(by_session(Charge(TWO))).readings[0].used == 1

    def test_version_tells_of_other_processes_and_of_trouble(self, known, tmp_path, clock):
        """Own changes do not count; a file that cannot say is another version too."""
        before = known.version()
        known.decide(by_session(Charge(TWO)))
        assert known.version() == before
        other = SqliteStore(tmp_path / "gate.db", clock=clock)
        other.reset("user:u1")
        other.close()
        after = known.version()
        assert after != before
        with known._file.transaction() as connection:
            pass
        connection.close()
        assert known.version() not in {before, after}

    def test_lost_connection_is_opened_again(self, known):
        """A connection that cannot even roll back is replaced."""
        with pytest.raises(StoreUnavailableError), known._file.transaction() as connection:
            connection.close()
        assert known.decide(by_session(Charge(TWO))).is_allowed


class TestOpenStore:
    def test_path_opens_the_embedded_store(self, tmp_path):
        """The folder is made."""
        store = open_store(tmp_path / "new" / "gate.db")
        store.ping()
        store.close()
        assert (tmp_path / "new" / "gate.db").exists()

    def test_url_is_refused_by_name(self):
        """A store that this version does not have is not silently replaced by another."""
        with pytest.raises(ConfigurationError, match="redis://"):
            open_store("redis://127.0.0.1:6379/0")
