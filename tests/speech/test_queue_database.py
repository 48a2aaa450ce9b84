"""The queue and its database: the migrated table, the two dialects, and a database in trouble."""

import logging

import pytest
from sqlalchemy import bindparam, delete, inspect, literal, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from tests.speech.job_stage import (
    FINGERPRINT,
    START_MS,
    GivenClock,
    audio,
    create_database,
    locked,
    open_engine,
    submit,
)

from voxgate.accounts.database import Database
from voxgate.speech.jobs.base import JobState, JobsUnavailableError
from voxgate.speech.jobs.claiming import CLAIM_NEXT
from voxgate.speech.jobs.prepared import Prepared
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.jobs.rows import open_transaction
from voxgate.speech.jobs.statements import SELECT_PACES
from voxgate.speech.jobs.table import job as table
from voxgate.speech.request import SpeechRequest

ON_A_FILE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture
def clock():
    return GivenClock()


@pytest.fixture
def engine(jobs_url):
    engine = create_database(jobs_url)
    yield engine
    engine.dispose()


def describe(engine):
    """Describe the table as the database sees it."""
    seen = inspect(engine)
    columns = [(column["name"], repr(column["type"]), column["nullable"]) for column in seen.get_columns("job")]
    indexes = {index["name"]: index["column_names"] for index in seen.get_indexes("job")}
    return columns, seen.get_pk_constraint("job")["constrained_columns"], indexes


class TestMigratedTable:
    @pytest.fixture
    def database(self, database_url):
        database = Database(database_url)
        yield database
        database.close()

    def test_migration_makes_the_table_that_the_queue_uses(self, database, databases):
        """The migration and the table's definition, which do not know each other, agree."""
        url = databases.make_empty()
        defined = create_database(url)
        assert describe(database.engine) == describe(defined)
        defined.dispose()
        databases.drop(url)

    def test_queue_works_on_the_accounts_database(self, database, clock):
        """Submit, claim, renew, finish, read, as the service does it."""
        queue = JobQueue(database.engine, now_ms=clock.now_ms)
        job = submit(queue)
        claimed = queue.claim("w")
        assert queue.renew(claimed, done=1, total=2)
        assert queue.finish(claimed, audio())
        assert queue.find(job.id, "ann").state is JobState.DONE

    def test_reading_waits_for_no_writer(self, database, clock):
        """A status is answered while another connection holds the write lock."""
        queue = JobQueue(database.engine, now_ms=clock.now_ms)
        job = submit(queue)
        with locked(database.engine):
            assert queue.find(job.id, "ann") == job
            assert queue.list("ann").jobs == (job,)
            assert queue.find_audio(FINGERPRINT) is None


class TestDisk:
    @pytest.fixture
    def engine(self, database_url):
        """The accounts' database, whose transactions wait for the disk."""
        database = Database(database_url)
        yield database.engine
        database.close()

    @ON_A_FILE
    def test_only_what_must_survive_a_power_cut_waits_for_the_disk(self, engine):
        """A claim is void after a power cut, as nobody is left who knows of it; what is told to anybody is not."""
        how = Prepared(text("PRAGMA synchronous"))

        def waits(**terms):
            with open_transaction(engine, **terms) as transaction:
                return transaction.read(how)[0][0] > 1

        assert [waits(), waits(is_lasting=False), waits()] == [True, False, True]

    @ON_A_FILE
    def test_transaction_that_need_not_last_leaves_nothing_when_it_fails(self, engine, clock):
        """The next one finds no half of it, and waits for the disk again."""
        queue = JobQueue(engine, now_ms=clock.now_ms)
        job = submit(queue)

        def fail():
            with open_transaction(engine, is_lasting=False) as transaction:
                transaction.read(Prepared(delete(table)))
                transaction.read(Prepared(text("SELECT nothing")))

        with pytest.raises(JobsUnavailableError, match="nothing"):
            fail()
        assert queue.find(job.id, "ann") == job
        with open_transaction(engine) as transaction:
            assert transaction.read(Prepared(text("PRAGMA synchronous")))[0][0] > 1


class TestPrepared:
    def test_values_come_as_each_driver_takes_them(self):
        """What stands in a statement is filled in; what does not is asked for, and is no null when it is forgotten."""
        statement = Prepared(select(literal(7)).where(bindparam("asked") == 1))
        _, by_place = statement.bound(sqlite.dialect(), {"asked": 5})
        _, by_name = statement.bound(psycopg.dialect(), {"asked": 5})
        assert sorted(by_place) == sorted(by_name.values()) == [1, 5, 7]
        with pytest.raises(KeyError, match="asked"):
            statement.bound(sqlite.dialect(), {})
        assert "asked" not in statement.bound(psycopg.dialect(), {})[1]


class TestDialects:
    @pytest.fixture
    def claim(self):
        return CLAIM_NEXT.statement

    def test_postgresql_skips_rows_that_others_are_claiming(self, claim):
        """On PostgreSQL workers do not wait for each other."""
        sql = str(claim.compile(dialect=postgresql.dialect()))
        assert sql.startswith("UPDATE job SET")
        assert "FOR UPDATE OF waiting SKIP LOCKED" in sql
        assert "RETURNING job.id" in sql

    def test_postgresql_is_told_that_times_are_64_bits(self, claim):
        """Milliseconds do not fit into the integer that a number alone would become."""
        sql = str(claim.compile(dialect=postgresql.dialect()))
        assert sql.count("%(now_ms)s::BIGINT") > 1
        assert sql.count("%(until_ms)s::BIGINT") == 1
        assert sql.count("_ms)s") == sql.count("_ms)s::BIGINT")

    def test_sqlite_claims_in_one_statement(self, claim):
        """On SQLite the statement is atomic by itself; there is no row lock to ask for."""
        sql = str(claim.compile(dialect=sqlite.dialect()))
        assert "FOR UPDATE" not in sql
        assert "RETURNING id" in sql

    def test_values_are_plain(self, claim):
        """No driver has to know what an enum is."""
        given = {"worker_id": "w", "now_ms": 1, "until_ms": 2, "max_attempts": 3}
        values = claim.compile(dialect=postgresql.dialect()).construct_params(given).values()
        flat = [one for value in values for one in (value if isinstance(value, (list, tuple)) else [value])]
        assert {type(value) for value in flat} == {str, int}


class TestLongQueue:
    @ON_A_FILE
    def test_claim_looks_at_one_job_of_each_owner(self, engine, clock):
        """A claim takes no longer when an owner has many jobs waiting: SQLite takes as many steps as for a few."""
        queue = JobQueue(engine, now_ms=clock.now_ms)
        given = {"worker_id": "w", "now_ms": 2 * START_MS, "until_ms": 0, "max_attempts": 3}
        steps = []
        for jobs in (3, 60):
            for _ in range(jobs):
                submit(queue)
            steps.append(self._count_steps(engine, CLAIM_NEXT, given))
        assert steps[1] < steps[0] * 2

    @ON_A_FILE
    def test_pace_is_read_from_the_last_jobs_alone(self, engine, clock):
        """Asked every second by a busy service, it takes no longer when many jobs are done."""
        queue = JobQueue(engine, now_ms=clock.now_ms)
        steps = []
        for jobs in (3, 60):
            for _ in range(jobs):
                submit(queue)
                queue.finish(queue.claim("w"), audio(clock.now_ms() + 1000))
            steps.append(self._count_steps(engine, SELECT_PACES, {"count": 3}))
        assert steps[1] < steps[0] * 2

    @staticmethod
    def _count_steps(engine, statement, given):
        steps = 0

        def step():
            nonlocal steps
            steps += 1

        with engine.connect() as connection:
            driver = connection.connection.dbapi_connection
            driver.set_progress_handler(step, 1)
            assert connection.execute(statement.statement, given).all()
            driver.set_progress_handler(None, 1)
            connection.rollback()
        return steps


class TestTrouble:
    @pytest.fixture
    def queue(self, jobs_url, engine, clock):
        """A queue whose database gives up waiting at once."""
        impatient = open_engine(jobs_url, busy_ms=20)
        yield JobQueue(impatient, now_ms=clock.now_ms)
        impatient.dispose()

    def test_locked_database_is_said_and_reads_go_on(self, queue, engine):
        """A database that another keeps locked: one clear error, no half-written row, reads as ever."""
        job = submit(queue)
        with locked(engine):
            with pytest.raises(JobsUnavailableError, match=r"locked|lock timeout"):
                submit(queue)
            with pytest.raises(JobsUnavailableError):
                queue.claim("w")
            assert queue.list("ann").jobs == (job,)
        assert JobQueue(engine, now_ms=queue._now_ms).claim("w").id == job.id

    @ON_A_FILE
    def test_full_disk_is_said_and_recovers(self, queue, engine):
        """A database without room takes no job, keeps those it has, and works again by itself."""
        job = submit(queue)
        with queue._engine.connect() as connection:
            used = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {used}")
        with pytest.raises(JobsUnavailableError, match="full"):
            submit(queue, text="x" * 50_000)
        assert queue.find(job.id, "ann") == job
        with queue._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        submit(queue, text="x" * 50_000)

    @ON_A_FILE
    def test_read_only_database_is_said(self, queue):
        """A database that cannot be written takes no job and still answers."""
        job = submit(queue)
        with queue._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(JobsUnavailableError, match="readonly"):
            submit(queue)
        assert queue.find(job.id, "ann") == job

    def test_missing_table_is_said_without_the_text(self, databases, clock, caplog):
        """The error, its chain and the log name no text to be spoken."""
        caplog.set_level(logging.DEBUG)
        url = databases.make_empty()
        engine = open_engine(url)
        queue = JobQueue(engine, now_ms=clock.now_ms)
        with pytest.raises(JobsUnavailableError) as caught:
            queue.submit(SpeechRequest("my secret"), owner="ann", fingerprint=FINGERPRINT)
        engine.dispose()
        databases.drop(url)
        assert "secret" not in f"{caught.value}{caught.value.__cause__!r}{caplog.text}"
        assert caught.value.__suppress_context__

    def test_no_free_connection_is_said(self, queue, monkeypatch):
        """Waiting in vain for a connection is the same trouble."""

        def fail():
            raise PoolTimeoutError

        monkeypatch.setattr(queue, "_engine", type("Engine", (), {"raw_connection": staticmethod(fail)}))
        with pytest.raises(JobsUnavailableError, match="connection"):
            submit(queue)
