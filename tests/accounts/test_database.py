"""The database: its schema on the way from empty to this version, its transactions, and its trouble."""

import importlib.util
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, exc, inspect, make_url, text

from voxgate.accounts import database as module
from voxgate.accounts.database import Database, DatabaseUnavailableError
from voxgate.accounts.models import Base, User, UserSession
from voxgate.accounts.schema import MIGRATIONS, head_revision, migrate
from voxgate.gate.errors import ConfigurationError

START = """
import sys
from voxgate.accounts.database import Database
database = Database(sys.argv[1])
sys.stdin.readline()
database.migrate()
database.ping()
print("alembic" in sys.modules)
"""


ON_A_FILE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
POOL_MAX = {"sqlite": 15, "postgres": 10}


@pytest.fixture
def empty_url(databases):
    url = databases.make_empty()
    yield url
    databases.drop(url)


@pytest.fixture
def empty(empty_url):
    opened = Database(empty_url)
    yield opened
    opened.close()


@pytest.fixture
def empty_path(empty_url):
    """Where the empty database lies, when it is a file."""
    return Path(make_url(empty_url).database)


@pytest.fixture
def impatient(database_url):
    """A second owner of the same database that waits a moment for a lock; PostgreSQL ends all it asks after two."""
    opened = Database(database_url, budget_s=0.5)
    yield opened
    opened.close()


def user(name):
    texts = dict.fromkeys(("username", "username_key", "email", "email_key", "password_hash", "tier", "subject"), name)
    return User(is_active=True, version=1, created_at_ms=1, updated_at_ms=1, **texts)


def add_user(database, name="someone"):
    with database.session() as session:
        session.add(user(name))


def everything_in(database):
    """Return the schema of a file as SQLite keeps it, and every row."""
    with database.engine.connect() as connection:
        made = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master").all()
        tables = [name for kind, name, *_ in made if kind == "table"]
        return made, {name: connection.exec_driver_sql(f"SELECT * FROM {name}").all() for name in tables}  # noqa: S608


def has_user(database, name="someone"):
    with database.reading() as session:
        return session.get(User, name) is not None


def start_processes(count, url):
    """Start processes that migrate at the same moment; returns what each printed."""
    arguments = [sys.executable, "-c", START, url]
    pipe = subprocess.PIPE
    running = [subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(count)]
    for process in running:  # each has imported what it needs or is on its way; the line lets them go together
        process.stdin.write("\n")
        process.stdin.flush()
    finished = [(process.communicate(timeout=200), process.returncode) for process in running]
    assert [(code, errors) for (_, errors), code in finished] == [(0, "")] * count
    return [printed.strip() for (printed, _), _ in finished]


class TestSchema:
    def test_migrated_schema_is_what_the_models_say(self, empty):
        """From nothing the migrations make exactly the models' tables, and only the jobs' beside them."""
        empty.migrate()
        with empty.engine.connect() as connection:
            differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
        foreign = [found for found in differences if not _is_of_the_jobs(found)]
        assert foreign == []

    def test_every_change_can_be_taken_back(self, empty):
        """Downgrading to the beginning leaves only Alembic's own stamp."""
        empty.migrate()
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with empty.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
            assert inspect(connection).get_table_names() == ["alembic_version"]

    @ON_A_FILE
    def test_fresh_file_is_what_the_migrations_make(self, empty, databases):
        """Written at once or made step by step, in an old file: the same tables, indexes, stamp and nothing else."""
        empty.migrate()
        old = Database(databases.make_empty())
        with old.engine.begin() as connection:
            migrate(connection)
        assert everything_in(empty) == everything_in(old)
        old.close()

    def test_newest_revision_is_the_highest_file_number(self):
        """The stamp can be judged by file names alone, because revisions are numbered in one line."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        assert ScriptDirectory.from_config(config).get_heads() == [head_revision()]

    def test_second_run_changes_nothing_and_calls_nobody(self, empty, monkeypatch):
        """A schema that is there already costs one read."""
        empty.migrate()
        monkeypatch.setattr(module, "_upgrade", lambda _connection: pytest.fail("migrated twice"))
        empty.migrate()

    def test_processes_that_start_at_once_migrate_once(self, empty_url):
        """Four starters of one empty database all come up; a later one does not even load Alembic."""
        start_processes(4, empty_url)
        assert start_processes(1, empty_url) == ["False"]

    @ON_A_FILE
    def test_fresh_file_takes_no_alembic(self, empty_url):
        """The first start of all is as quick as the others."""
        assert start_processes(1, empty_url) == ["False"]

    def test_failed_migration_leaves_the_database_as_it_was(self, empty):
        """The whole upgrade is one transaction."""
        with empty.session() as session:
            session.execute(text("CREATE TABLE api_keys (mine integer)"))
        with pytest.raises(DatabaseUnavailableError, match=r"api_keys\"? already exists"):
            empty.migrate()
        assert inspect(empty.engine).get_table_names() == ["api_keys"]

    def test_newer_schema_is_refused(self, database):
        """An older program never writes into a newer database."""
        with database.session() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(ConfigurationError, match="9999"):
            database.migrate()

    @ON_A_FILE
    def test_file_is_for_its_owner_alone(self, empty, empty_path):
        """Password hashes are readable by nobody else, in the companion files neither."""
        empty.migrate()
        add_user(empty)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in empty_path.parent.glob(f"{empty_path.name}*")}
        assert set(modes.values()) == {0o600}
        assert f"{empty_path.name}-wal" in modes

    @ON_A_FILE
    def test_opening_it_once_more_ends_no_lock_of_this_process(self, empty, empty_url, empty_path):
        """Otherwise another process would take itself for the last one, and remove the log that this one writes."""
        empty.migrate()
        add_user(empty)
        again = Database(empty_url)
        again.migrate()
        change = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('DELETE FROM users'); c.commit()"
        subprocess.run([sys.executable, "-c", f"{change}; c.close()", str(empty_path)], check=True)
        assert empty_path.with_name(f"{empty_path.name}-wal").exists()
        with empty.reading() as session:
            assert session.query(User).count() == 0
        again.close()

    @ON_A_FILE
    def test_waits_for_another_starter_to_enter_wal(self, empty, empty_path, monkeypatch):
        """A file that another process holds while it starts is asked for again."""
        holder = sqlite3.connect(empty_path, isolation_level=None)
        holder.execute("CREATE TABLE other (a)")
        holder.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(module, "_MIGRATION_WAIT_S", 0.001)
        stopped = SimpleNamespace(monotonic=lambda: 0, sleep=lambda _seconds: holder.execute("ROLLBACK"))
        monkeypatch.setattr(module, "time", stopped)
        empty.migrate()
        holder.close()
        assert has_user(empty) is False

    @ON_A_FILE
    def test_does_not_wait_for_ever_to_enter_wal(self, empty, empty_path, monkeypatch):
        """A file that stays locked is told as trouble."""
        holder = sqlite3.connect(empty_path, isolation_level=None)
        holder.execute("CREATE TABLE other (a)")
        holder.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(module, "_MIGRATION_WAIT_S", -1)
        with pytest.raises(DatabaseUnavailableError, match="locked"):
            empty.migrate()
        holder.close()


class TestTransactions:
    def test_commits_at_the_end(self, database):
        """What a block wrote is there for everybody after it."""
        add_user(database)
        assert has_user(database)

    def test_rolls_back_on_any_exception(self, database):
        """A block that failed has written nothing."""
        with pytest.raises(ZeroDivisionError), database.session() as session:
            session.execute(text("DELETE FROM alembic_version")).rowcount / 0
        with database.reading() as session:
            assert session.execute(text("SELECT version_num FROM alembic_version")).scalar() == head_revision()

    def test_reader_does_not_wait_for_a_writer(self, database, database_url):
        """A long write transaction leaves readers alone, and they see only what is committed."""
        other = Database(database_url)
        with database.session() as session:
            session.add(user("someone"))
            session.flush()
            assert not has_user(other)
        assert has_user(other)
        other.close()

    def test_foreign_keys_hold(self, database):
        """A key of nobody cannot be stored."""
        row = UserSession(
            session_id="s", subject="nobody", created_at_ms=1, expires_at_ms=2, ended_at_ms=None, address="", device=""
        )
        with pytest.raises(exc.IntegrityError), database.session() as session:
            session.add(row)

    @ON_A_FILE
    def test_commits_are_on_disk(self, database):
        """A commit waits for the disk; in WAL the weaker setting may lose it when the power fails."""
        with database.reading() as session:
            assert session.execute(text("PRAGMA synchronous")).scalar() == 2
            assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"

    @ON_A_FILE
    def test_connection_that_was_used_last_comes_first(self, database):
        """However many are idle: SQLite throws away what it has read whenever another connection has written."""
        idle = [database.engine.raw_connection() for _ in range(3)]
        for connection in idle:
            connection.close()
        used = set()
        for _ in range(3):
            with database.session() as session:
                used.add(session.connection().connection.dbapi_connection)
                session.execute(text("PRAGMA user_version"))
        assert len(used) == 1

    def test_error_texts_hide_what_was_written(self, database):
        """An error that reaches the log carries no password hash."""
        add_user(database, "secret-hash")
        with pytest.raises(exc.IntegrityError) as caught:
            add_user(database, "secret-hash")
        assert "secret-hash" not in str(caught.value)


class TestTrouble:
    @ON_A_FILE
    def test_locked_file_is_told_and_nothing_is_written(self, database, impatient):
        """A writer that holds the file longer than the budget makes others give up, not hang."""
        with database.session() as session:
            session.execute(text("SELECT 1"))
            with pytest.raises(DatabaseUnavailableError, match="locked"):
                add_user(impatient)
        assert not has_user(impatient)
        add_user(impatient)
        assert has_user(database)

    @ON_A_FILE
    def test_full_disk_is_told_and_nothing_is_written(self, database):
        """Reads go on, and writes recover by themselves when space returns."""

        @event.listens_for(database.engine, "checkout")
        def fill(connection, _record, _proxy):
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")

        with pytest.raises(DatabaseUnavailableError, match="full"), database.session() as session:
            session.execute(text("CREATE TABLE big (a)"))
        assert not has_user(database)
        event.remove(database.engine, "checkout", fill)
        database.close()
        add_user(database)

    @ON_A_FILE
    def test_read_only_file_is_told(self, database):
        """A file system that went read-only refuses writes and serves reads."""

        @event.listens_for(database.engine, "checkout")
        def freeze(connection, _record, _proxy):
            connection.execute("PRAGMA query_only = ON")

        with pytest.raises(DatabaseUnavailableError, match="readonly"):
            add_user(database)
        assert not has_user(database)

    def test_exhausted_pool_is_told(self, impatient, database_kind):
        """A process takes so many connections at most; a request that gets none within the budget is refused."""
        taken = [impatient.engine.connect() for _ in range(POOL_MAX[database_kind])]
        with pytest.raises(DatabaseUnavailableError):
            impatient.ping()
        for connection in taken:
            connection.close()
        impatient.ping()

    def test_missing_folder_is_told(self, tmp_path):
        """A path that does not exist is named."""
        with pytest.raises(DatabaseUnavailableError, match="nowhere"):
            Database(f"sqlite:///{tmp_path / 'nowhere' / 'voxgate.db'}").migrate()

    def test_file_of_another_kind_is_told(self, tmp_path):
        """A file that is no database is trouble with the database, not a defect."""
        path = tmp_path / "voxgate.db"
        path.write_bytes(b"not a database, but long enough to be read as one" * 100)
        database = Database(f"sqlite:///{path}")
        with pytest.raises(DatabaseUnavailableError, match=r"voxgate\.db: .*not a database"):
            database.migrate()
        database.close()

    def test_wrong_statement_is_not_called_trouble(self, database):
        """A defect of ours is raised as it is."""
        with pytest.raises(exc.ProgrammingError), database.session() as session:
            session.execute(text("SELECT :a, :b"), {"a": 1, "b": object()})

    @pytest.mark.parametrize(
        "url", ["nonsense", "sqlite://", "sqlite:///:memory:", "nosuch://host/name", "mssql+pymssql://host/name"]
    )
    def test_unusable_url_names_the_setting(self, url):
        """A URL that cannot work is refused at the start, with the setting to change."""
        with pytest.raises(ConfigurationError) as caught:
            Database(url)
        assert caught.value.setting == "VOXGATE_DATABASE_URL"


def _is_of_the_jobs(difference):
    kind, subject = difference[0], difference[1]
    name = subject.name if kind == "remove_table" else getattr(getattr(subject, "table", None), "name", "")
    return kind in {"remove_table", "remove_index"} and name == "job"


@pytest.mark.skipif(importlib.util.find_spec("voxgate.speech.jobs.table") is None, reason="without jobs")
def test_migrated_schema_holds_the_table_of_jobs(empty):
    """The queue's own description of its table is what the migrations make."""
    from voxgate.speech.jobs.table import metadata  # noqa: PLC0415 -- a room beside this one

    empty.migrate()
    with empty.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    ours = set(Base.metadata.tables)
    assert [
        found for found in differences if getattr(found[1], "name", "") not in ours and found[0] != "remove_index"
    ] == []


def test_closed_database_keeps_no_connection(empty):
    """Whoever closes it need not wait for a thread that is still at work, nor for one that begins only now."""
    used = []
    with empty.reading() as session:
        used.append(session.connection().connection.dbapi_connection)
        empty.close()
        assert session.execute(text("SELECT 1")).scalar() == 1
    with empty.reading() as late:
        used.append(late.connection().connection.dbapi_connection)
        assert late.execute(text("SELECT 1")).scalar() == 1
    for connection in used:
        with pytest.raises(Exception, match=r"(?i)closed"):
            connection.execute("SELECT 1")


def test_connection_that_is_put_back_at_the_very_end_is_closed(empty):
    """The last moment of its way back is no gap."""
    session = empty.reading()
    used = session.__enter__().connection().connection.dbapi_connection
    event.listen(empty.engine, "checkin", lambda *_: empty.close())
    session.__exit__(None, None, None)
    with pytest.raises(Exception, match=r"(?i)closed"):
        used.execute("SELECT 1")
