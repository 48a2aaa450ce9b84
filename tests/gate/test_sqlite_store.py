"""What the embedded store promises of its file."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from tests.support.queries import DIGEST, TWO, by_key, by_session, code

from voxgate.gate.decision import AccountState, Charge, Query, SessionState
from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.limits import Limit
from voxgate.gate.stores import SqliteStore


def test_facts_survive_a_restart(known, tmp_path, clock):
    """What was ended stays ended and what was spent is spent, in a new process too."""
    known.decide(by_key(Charge(TWO)))
    known.end_session("s1", expires_at_ms=clock.now_ms() + 3_600_000)
    known.close()
    again = SqliteStore(tmp_path / "gate.db", clock=clock)
    assert code(again.decide(by_session())) == "TOKEN_REVOKED"
    assert again.decide(by_key(Charge(TWO))).readings[0].used == 2
    again.close()


def test_two_stores_on_one_file_are_one(known, tmp_path, clock):
    """Every process of the machine sees the same facts at once."""
    other = SqliteStore(tmp_path / "gate.db", clock=clock)
    passed = [each.decide(by_session(Charge(TWO))).is_allowed for each in (known, other, known, other)]
    assert passed == [True, True, False, False]
    other.end_session("s1", expires_at_ms=clock.now_ms())
    assert code(known.decide(by_session())) == "TOKEN_REVOKED"
    other.close()


def test_opening_it_once_more_ends_no_lock_of_this_process(known, tmp_path, clock):
    """Otherwise another process would take itself for the last one, and remove the log that this one writes."""
    again = SqliteStore(tmp_path / "gate.db", clock=clock)
    again.ping()
    look = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('DELETE FROM window'); c.commit(); c.close()"
    )
    subprocess.run([sys.executable, "-c", look, str(tmp_path / "gate.db")], check=True)
    assert (tmp_path / "gate.db-wal").exists()
    again.close()


def test_dead_rows_are_swept(store, clock, tmp_path):
    """Neither windows nor sessions pile up."""
    store.put_state(SessionState("old", "u1", clock.now_ms() + 1000))
    for number in range(300):
        store.decide(Query(charges={"": (Charge(TWO, f"ip:{number}"),)}))
    clock.advance(61)
    for _ in range(2000):
        store.decide(Query(charges={"": (Charge(Limit("wide", 100_000, 60), "ip:x"),)}))
    with closing(sqlite3.connect(tmp_path / "gate.db")) as connection:
        assert connection.execute("SELECT count(*) FROM window").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM session").fetchone() == (0,)


def test_file_of_an_earlier_version_is_completed(tmp_path, clock):
    """What it knows goes on: sessions, keys, and who has ended."""
    with closing(sqlite3.connect(tmp_path / "gate.db")) as connection:
        connection.executescript(
            """
            CREATE TABLE account (
                subject TEXT PRIMARY KEY, tier TEXT NOT NULL, is_active INTEGER NOT NULL, version INTEGER NOT NULL
            ) WITHOUT ROWID;
            CREATE TABLE session (
                session_id TEXT PRIMARY KEY, subject TEXT NOT NULL, expires_at_ms INTEGER NOT NULL,
                is_ended INTEGER NOT NULL
            ) WITHOUT ROWID;
            CREATE TABLE key (
                key_id TEXT PRIMARY KEY, subject TEXT NOT NULL, digest BLOB NOT NULL, scopes TEXT NOT NULL,
                expires_at_ms INTEGER, is_ended INTEGER NOT NULL
            ) WITHOUT ROWID;
            INSERT INTO account VALUES ('u1', 'standard', 1, 0);
            INSERT INTO session VALUES ('s1', 'u1', 9000000000000, 0), ('s2', 'u1', 9000000000000, 1);
            """
        )
        connection.execute("INSERT INTO key VALUES ('k1', 'u1', ?, '', NULL, 0)", (DIGEST,))
        connection.commit()
    for _ in range(2):
        with closing(SqliteStore(tmp_path / "gate.db", clock=clock)) as store:
            assert store.decide(by_session(generation=1)).is_allowed
            assert store.decide(by_key()).is_allowed
            assert code(store.decide(by_session(session="s2"))) == "TOKEN_REVOKED"


def test_file_held_by_another_is_waited_for_and_then_refused(known, tmp_path, clock):
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


def test_turn_of_another_thread_is_waited_for_and_then_refused(known, tmp_path, clock):
    """A thread that hangs in the store does not hang the others."""
    store = SqliteStore(tmp_path / "gate.db", clock=clock, budget_s=0.05)
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with store._file:
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


def test_missing_folder_is_unavailable(tmp_path):
    """Trouble with the file is one kind of error."""
    with pytest.raises(StoreUnavailableError, match="unable to open"):
        SqliteStore(tmp_path / "nowhere" / "gate.db").ping()


def test_damaged_file_is_unavailable_and_heals(tmp_path):
    """A file that is no database is an error, and a good file in its place is used without a restart."""
    path = tmp_path / "gate.db"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 40)
    store = SqliteStore(path)
    with pytest.raises(StoreUnavailableError):
        store.ping()
    path.unlink()
    store.ping()
    store.close()


def test_failed_write_changes_nothing(known, monkeypatch):
    """A decision that breaks in its middle spends nothing."""
    monkeypatch.setattr("voxgate.gate.stores.sqlite_schema.PUT_WINDOW", "INSERT INTO nowhere VALUES (?, ?, ?, ?)")
    with pytest.raises(StoreUnavailableError):
        known.decide(by_session(Charge(TWO)))
    monkeypatch.undo()
    assert known.decide(by_session(Charge(TWO))).readings[0].used == 1


def test_version_tells_of_changes_of_any_process_and_of_nothing_else(known, tmp_path, clock):
    """What other processes count lifts no refusal, so it leaves what is remembered."""
    before = known.version()
    known.decide(by_session(Charge(TWO)))
    other = SqliteStore(tmp_path / "gate.db", clock=clock)
    other.decide(by_session(Charge(TWO)))
    assert known.version() == other.version() == before
    other.reset("user:u1")
    assert known.version() != before
    assert known.version() == other.version()
    other.close()


def test_version_that_cannot_be_told_is_another_each_time(tmp_path, clock):
    """Without the count of changes nothing is remembered, and nothing else is lost."""
    (tmp_path / "gate.db-changes").mkdir()
    store = SqliteStore(tmp_path / "gate.db", clock=clock)
    store.put_state(AccountState("u1"))
    assert store.version() != store.version()
    store.close()


def test_lost_connection_is_opened_again(known):
    """A connection that cannot even roll back is replaced."""
    with pytest.raises(StoreUnavailableError), known._file as connection:
        connection.close()
    assert known.decide(by_session(Charge(TWO))).is_allowed


def test_interrupted_turn_is_given_back(known, monkeypatch):
    """Whatever ends the wait for a turn, the next one comes; nobody waits for a thread that is gone."""
    with monkeypatch.context() as patch:
        patch.setattr(known._file, "_begin", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt), known._file:
            pass
    assert known.decide(by_session(Charge(TWO))).is_allowed


def test_turn_whose_connection_is_gone_ends(known):
    """There is nothing to keep and nothing to undo, and the next turn opens the file again."""
    with known._file:
        known._file._drop()
    assert known.decide(by_session(Charge(TWO))).is_allowed
