"""PostgreSQL in trouble: every wait is bounded, a restart fails no request, and no row is quoted."""

import sys
import threading

import pytest
from sqlalchemy import exc, make_url, select, text
from tests.support.databases import Served
from tests.support.postgres import running_postgres
from tests.support.silence import waits  # noqa: F401 -- a fixture is found by its name
from tests.support.waiting import eventually

from voxgate.accounts.database import Database, DatabaseUnavailableError
from voxgate.accounts.models import User
from voxgate.accounts.postgres import CONNECT_TIMEOUT_S
from voxgate.gate.errors import ConfigurationError
from voxgate.speech.jobs.base import JobsUnavailableError
from voxgate.speech.jobs.prepared import Prepared
from voxgate.speech.jobs.rows import open_transaction

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def server():
    """A server of this file alone, which may be killed."""
    with running_postgres() as started:
        yield started


@pytest.fixture(scope="module")
def served(server):
    return Served(server)


@pytest.fixture
def url(served, server):
    made = served.make()
    yield made
    server.resume()
    eventually(server.answers, "an answer of PostgreSQL")
    served.drop(made)


@pytest.fixture
def database(url):
    opened = Database(url, budget_s=0.5)
    yield opened
    opened.close()


@pytest.fixture
def patient(url):
    """One whose bounds a busy machine keeps too, for what is not about them."""
    opened = Database(url, budget_s=20)
    yield opened
    opened.close()


def warm(database, count):
    """Have so many connections open and idle."""
    for each in [database.engine.connect() for _ in range(count)]:
        each.close()


def pings(database, count):
    """Ask one after the other; returns how many failed."""
    failed = 0
    for _ in range(count):
        try:
            database.ping()
        except DatabaseUnavailableError:
            failed += 1
    return failed


def user(name="someone"):
    texts = dict.fromkeys(("username", "username_key", "email", "email_key", "password_hash", "tier", "subject"), name)
    return User(is_active=True, version=1, created_at_ms=1, updated_at_ms=1, **texts)


class TestAddress:
    @pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
    def test_every_spelling_means_the_same_driver(self, url, scheme):
        """Addresses are taken as providers hand them out."""
        database = Database(url.replace("postgresql://", f"{scheme}://"))
        database.ping()
        assert database.is_postgres
        assert database.engine.url.drivername == "postgresql+psycopg"
        database.close()

    def test_another_driver_is_refused(self):
        """Waits are bounded in this driver alone."""
        with pytest.raises(ConfigurationError, match="postgresql://user:password@host/database"):
            Database("postgresql+asyncpg://localhost/voxgate")

    def test_missing_driver_names_the_extra(self, monkeypatch):
        """An installation without the extra says how to get it."""
        monkeypatch.setitem(sys.modules, "voxgate.accounts.postgres", None)
        with pytest.raises(ConfigurationError, match=r"voxgate\[postgres\]"):
            Database("postgresql://localhost/voxgate")

    def test_options_of_the_address_win(self, url):
        """An operator may choose another bound."""
        database = Database(f"{url}&options=-c%20statement_timeout%3D7000&application_name=mine")
        with database.reading() as session:
            assert session.scalar(text("SHOW statement_timeout")) == "7s"
            assert session.scalar(text("SHOW lock_timeout")) == "1s"
            assert session.scalar(text("SHOW application_name")) == "mine"
        database.close()

    def test_password_is_in_no_error(self, url):
        """What reaches the log does not tell how to get in."""
        database = Database(str(make_url(url).set(password="hunter2", database="nosuch")))
        with pytest.raises(DatabaseUnavailableError, match="nosuch") as caught:
            database.migrate()
        assert "hunter2" not in f"{caught.value}{caught.value.__cause__!r}"


class TestBounds:
    def test_lock_is_waited_for_no_longer_than_the_budget(self, database, url):
        """Who waits for a row that another one holds is refused in time, and the row is as it was."""
        with database.session() as session:
            session.add(user())
        other = Database(url)
        with other.session() as session:
            session.get(User, "someone", with_for_update=True)
            with pytest.raises(DatabaseUnavailableError, match="lock timeout"), database.session() as waiting:
                waiting.get(User, "someone", with_for_update=True)
        other.close()
        assert pings(database, 1) == 0

    def test_statement_is_ended_after_twice_the_budget(self, database):
        """A statement that takes too long is ended by the server, and its connection goes on."""
        with pytest.raises(DatabaseUnavailableError, match="statement timeout"), database.session() as session:
            session.execute(text("SELECT pg_sleep(60)"))
        assert pings(database, 1) == 0

    def test_row_is_not_quoted_in_an_error(self, database):
        """PostgreSQL's second line holds what was written; nobody gets to see it."""
        with database.session() as session:
            session.add(user("secret-name"))
        with pytest.raises(exc.IntegrityError) as caught, database.session() as session:
            session.add(user("secret-name"))
        assert "secret-name" not in f"{caught.value}{caught.value.orig}"

    def test_reading_is_one_statement(self, database, server):
        """Reading opens no transaction, so it leaves none open either."""
        with database.reading() as session:
            (pid,) = session.execute(text("SELECT pg_backend_pid()")).one()
            states = dict(server.run("SELECT pid, state FROM pg_stat_activity"))
        assert states[pid] == "idle"

    def test_isolation_is_chosen_by_us(self, url, served, server):
        """A server that is set to another isolation gives no errors of serialization."""
        server.run(f"ALTER DATABASE {make_url(url).database} SET default_transaction_isolation = 'serializable'")
        database = Database(url)
        with database.session() as session:
            assert session.scalar(text("SHOW transaction_isolation")) == "read committed"
        database.close()
        server.run(f"ALTER DATABASE {make_url(url).database} RESET default_transaction_isolation")


class TestOutage:
    def test_restart_fails_no_request(self, patient, server):
        """Connections that a restart has closed are replaced before they are used."""
        warm(patient, 5)
        server.stop()
        assert pings(patient, 2) == 2
        server.start()
        assert pings(patient, 10) == 0

    def test_crash_fails_no_request_afterwards(self, patient, server):
        """As soon as the server has recovered, every request is answered."""
        warm(patient, 5)
        server.crash()
        eventually(server.answers, "an answer of PostgreSQL")
        assert pings(patient, 10) == 0

    def test_transaction_that_a_crash_cut_off_is_told(self, patient, server):
        """What was begun has left nothing behind."""

        def write():
            with patient.session() as session:
                session.add(user())
                session.flush()
                server.stop()
                server.start()

        with pytest.raises(DatabaseUnavailableError):
            write()
        with patient.reading() as session:
            assert session.get(User, "someone") is None

    def test_hang_is_found_out_by_one_and_told_to_all_others_at_once(self, database, server, waits):  # noqa: F811
        """A stopped server costs one caller a bounded wait, and one more in half a second; the others none."""
        warm(database, 5)
        server.pause()
        assert pings(database, 6) == 6
        assert waits == [1.5]
        waits.let_pass(0.5)
        assert pings(database, 6) == 6
        assert waits == [1.5, CONNECT_TIMEOUT_S]
        server.resume()
        eventually(server.answers, "an answer of PostgreSQL")
        waits.let_pass(0.5)
        assert pings(database, 10) == 0
        assert len(waits) == 2

    def test_hang_that_a_job_meets_is_told_to_all_others_at_once(self, database, server, waits):  # noqa: F811
        """Jobs use the driver without SQLAlchemy, and what they find out counts for everybody."""
        warm(database, 2)

        def ask():
            with open_transaction(database.engine) as transaction:
                server.pause()
                transaction.read(Prepared(select(1)))

        with pytest.raises(JobsUnavailableError, match="did not answer"):
            ask()
        assert database.engine.pool.is_silent
        assert pings(database, 5) == 5
        assert waits == [1.5]

    def test_server_that_hangs_from_the_start_is_told(self, url, server, waits):  # noqa: F811
        """A connection that is taken and never answered is given up."""
        server.pause()
        database = Database(url, budget_s=0.1)
        with pytest.raises(DatabaseUnavailableError):
            database.migrate()
        assert waits == [CONNECT_TIMEOUT_S]
        database.close()

    def test_one_of_many_asks_a_silent_server(self, database, server, monkeypatch):
        """While one waits, no other thread is kept."""
        warm(database, 2)
        server.pause()
        assert pings(database, 1) == 1
        # From now on it is time for one to ask again, and not for a second one, however slowly these threads begin.
        monkeypatch.setattr("voxgate.accounts.postgres._PROBE_EVERY_S", 600)
        database.engine.pool._silent_at -= 600
        database.engine.pool._asked_at -= 600
        told = []

        def ask():
            with pytest.raises(DatabaseUnavailableError) as caught:
                database.ping()
            told.append(str(caught.value))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted("a moment ago" in text for text in told) == [False, *[True] * 7]


class TestSchema:
    def test_role_that_may_make_no_tables_is_told_in_one_line(self, server):
        """The commonest fault of a first start is no crash."""
        name = server.create()
        server.run("CREATE ROLE guest LOGIN")
        database = Database(server.url(name).replace("postgres@", "guest@"))
        with pytest.raises(DatabaseUnavailableError, match="permission denied") as caught:
            database.migrate()
        assert "\n" not in str(caught.value)
        database.close()
        server.drop(name)
        server.run("DROP ROLE guest")

    def test_waiting_for_another_one_that_migrates_ends(self, server, monkeypatch):
        """A starter that hangs in the middle does not keep the others for ever."""
        monkeypatch.setattr("voxgate.accounts.database._MIGRATION_WAIT_S", 1)
        name = server.create()
        with server.connect(name) as holder:
            holder.execute(f"SELECT pg_advisory_lock({0x766F78676174})")
            database = Database(server.url(name))
            with pytest.raises(DatabaseUnavailableError, match="lock timeout"):
                database.migrate()
            holder.execute(f"SELECT pg_advisory_unlock({0x766F78676174})")
            database.migrate()
            database.close()
        server.drop(name)
