"""Races: many threads and processes at one account, and one winner."""

import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from voxgate.accounts.database import Database, DatabaseUnavailableError
from voxgate.accounts.lifecycle import Accounts
from voxgate.accounts.registration import Registration
from voxgate.gate.api_keys import parse_key
from voxgate.gate.decision import Query
from voxgate.gate.errors import Refusal
from voxgate.gate.principal import CredentialKind
from voxgate.gate.stores import SqliteStore

REGISTER = """
import sys
from pathlib import Path
from voxgate.accounts.database import Database
from voxgate.accounts.lifecycle import Accounts
from voxgate.accounts.passwords import Hasher
from voxgate.gate.clock import SystemClock
from voxgate.gate.stores import SqliteStore
database, store = Database(sys.argv[1], budget_s=60), SqliteStore(Path(sys.argv[2]), budget_s=60)
accounts = Accounts(database, store, hasher=Hasher(memory_kib=8), clock=SystemClock(), profile="development")
sys.stdin.readline()
for number in range(20):
    made = accounts.register(username=f"user{number}", email=f"{number}@example.com", password="password123")
    print(getattr(made, "code", "CREATED"))
"""


@pytest.fixture
def database(database_url):
    """One that everybody waits for: the last of twenty has its turn late on a busy machine."""
    opened = Database(database_url, budget_s=60)
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path, clock):
    opened = SqliteStore(tmp_path / "gate.db", clock=clock, budget_s=60)
    yield opened
    opened.close()


def outcome(made):
    return "CREATED" if isinstance(made, Registration) else made.code


def at_once(count, call):
    """Call from many threads that all start at the same moment."""
    barrier = threading.Barrier(count)

    def run(number):
        barrier.wait(60)
        return call(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


@pytest.mark.parametrize(
    ("username", "email", "answer"),
    [("same", "{}@example.com", "USERNAME_TAKEN"), ("user{}", "same@example.com", "EMAIL_TAKEN")],
)
def test_twenty_registrations_of_one_name_make_one_account(register, accounts, username, email, answer):
    """One succeeds, nineteen are told that it is taken, none fails."""
    made = at_once(20, lambda number: register(username.format(number), email.format(number)))
    assert Counter(map(outcome, made)) == {"CREATED": 1, answer: 19}
    assert len(accounts.list()) == 1


def test_two_processes_that_register_the_same_twenty_names_make_twenty(database_url, tmp_path, accounts):
    """Processes share the database, and each name has one owner."""
    arguments = [sys.executable, "-c", REGISTER, database_url, str(tmp_path / "gate.db")]
    pipe = subprocess.PIPE
    running = [subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    finished = [process.communicate("\n", timeout=200) for process in running]
    assert [errors for _, errors in finished] == [""] * 2
    outcomes = Counter(word for printed, _ in finished for word in printed.split())
    assert outcomes == {"CREATED": 20, "USERNAME_TAKEN": 20}
    assert len(accounts.list()) == 20


def test_changes_from_many_threads_are_all_counted(accounts, account):
    """No change is lost, each has its own version."""
    changed = at_once(8, lambda number: accounts.set_active(account.subject, number % 2 == 0))
    assert sorted(each.version for each in changed) == list(range(2, 10))


def test_store_ends_with_the_newest_state(accounts, register, store, sessions):
    """However the messages to the store overtake each other, it keeps what SQL says, and no ended session lives."""
    made = register()
    subject = made.account.subject
    pair = sessions.open(made.account, address="", device="")
    at_once(8, lambda number: accounts.set_active(subject, number % 2 == 0))
    key = parse_key(made.api_key)
    by_key = Query(charges={"": ()}, kind=CredentialKind.API_KEY, credential_id=key.key_id, digest=key.digest)
    assert store.decide(by_key).is_allowed == accounts.find(subject).is_active
    accounts.set_active(subject, True)
    assert store.decide(by_key).is_allowed
    by_session = Query(charges={"": ()}, kind=CredentialKind.ACCESS, credential_id=pair.session_id)
    assert store.decide(by_session).refusal == Refusal("TOKEN_REVOKED")


def test_new_password_leaves_no_session_of_the_old_one(accounts, account, sessions, store):
    """A login that races with the change either loses or is ended by it."""
    barrier = threading.Barrier(9)

    def log_in(_number):
        barrier.wait(60)
        return sessions.open(account, address="", device="")

    def change():
        barrier.wait(60)
        accounts.set_password(account.subject, "seven stones")

    with ThreadPoolExecutor(9) as threads:
        changing = threads.submit(change)
        opened = list(threads.map(log_in, range(8)))
        changing.result()
    for pair in opened:
        if hasattr(pair, "session_id"):
            query = Query(charges={"": ()}, kind=CredentialKind.ACCESS, credential_id=pair.session_id)
            assert store.decide(query).refusal.code == "TOKEN_REVOKED"


def test_locked_database_refuses_registration_and_keeps_nothing(accounts, database, database_url, store, hasher, clock):
    """A locked table is told within the budget; afterwards the same registration succeeds."""
    impatient = Database(database_url, budget_s=0.02)  # so short that nothing but a refusal may be asked of it
    hurried = Accounts(impatient, store, hasher=hasher, clock=clock, profile="development")
    fields = {"username": "testuser", "email": "test@example.com", "password": "password123"}
    with database.session() as session:
        if database.is_postgres:
            session.execute(text("LOCK TABLE users IN EXCLUSIVE MODE"))
        session.connection()
        with pytest.raises(DatabaseUnavailableError):
            hurried.register(**fields)
        assert accounts.list() == ()
    assert outcome(accounts.register(**fields)) == "CREATED"
    impatient.close()
