"""Moving to another database: accounts, keys and jobs go with it whole, or stay where they are."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import select
from tests.cli.conftest import PASSWORD

from voxgate.accounts.database import Database
from voxgate.accounts.login import check_login
from voxgate.accounts.models import Base
from voxgate.cli.frame import opened
from voxgate.speech.jobs.table import metadata
from voxgate.speech.request import SpeechRequest


@pytest.fixture
def old(run, tmp_path, monkeypatch):
    """The file of a service with two accounts, one of which has two keys, a session and a job that waits."""
    with monkeypatch.context() as before:
        before.setenv("VOXGATE_DATA", str(tmp_path / "old"))
        before.delenv("VOXGATE_DATABASE_URL", raising=False)
        for name in ("ann", "bob"):
            run("users", "add", name, f"{name}@example.org", "--password-stdin", stdin=f"{PASSWORD}\n")
        run("keys", "new", "ann", "--name", "second")
        with opened(None) as services:
            ann = check_login(services.database, services.hasher, identifier="ann", password=PASSWORD)
            services.sessions.open(ann, address="127.0.0.1", device="curl")
            services.jobs.submit(SpeechRequest(text="Good morning."), owner=ann.subject, fingerprint="f" * 64)
    return tmp_path / "old" / "voxgate.db"


@pytest.fixture
def change(old):
    """Change the old file past the service."""

    def call(statement):
        with closing(sqlite3.connect(old)) as connection:
            connection.execute(statement)
            connection.commit()

    return call


def rows_of(database):
    """Every row of every table, by table."""
    tables = [*Base.metadata.sorted_tables, *metadata.sorted_tables]
    with database.reading() as session:
        return {table.name: sorted(map(repr, session.execute(select(table)).all())) for table in tables}


def test_every_row_is_the_same(run, old):
    """So keys and tokens open what they opened before."""
    assert run("import-database", old).exit_code == 0
    with opened(None) as services, closing(Database(f"sqlite:///{old}")) as before:
        assert rows_of(services.database) == rows_of(before)


def test_everything_moves(run, old):
    """Passwords open, keys are listed, the job waits, and new rows are numbered after those that came."""
    result = run("import-database", old)
    assert result.exit_code == 0, result.output
    counts = {name: int(count) for count, name in map(str.split, result.stdout.splitlines()[:-1])}
    assert counts.pop("security_events") > 0
    assert counts == {"users": 2, "api_keys": 3, "user_sessions": 1, "tiers": 0, "job": 1}
    made = run("users", "add", "carl", "carl@example.org", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert made.exit_code == 0, made.output
    assert "second" in run("keys", "list", "ann").stdout
    with opened(None) as services:
        ann = check_login(services.database, services.hasher, identifier="ann", password=PASSWORD)
        taken = services.jobs.claim("worker")
    assert (taken.owner, taken.text) == (ann.subject, "Good morning.")


def test_a_database_in_use_is_left_alone(run, old, ann):
    """Whoever has accounts there already keeps them, and gets no others."""
    result = run("import-database", old)
    assert (result.exit_code, "the database is in use" in result.stderr) == (1, True)
    assert "bob" not in run("users", "list").stdout


def test_what_moved_once_does_not_move_again(run, old):
    """The second time is refused, whatever the first one was."""
    assert run("import-database", old).exit_code == 0
    assert "is in use" in run("import-database", old).stderr


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DROP TABLE alembic_version", "is no database of voxgate"),
        ("UPDATE alembic_version SET version_num = '0001'", "has schema 0001 and not"),
        ("UPDATE alembic_version SET version_num = '9999'", "has schema 9999 and not"),
        ("INSERT INTO job SELECT * FROM job WHERE false", None),
    ],
)
def test_only_a_database_of_this_version_moves(run, old, change, statement, fault):
    """Anything else is told, and the new database stays empty."""
    change(statement)
    result = run("import-database", old)
    assert result.exit_code == (0 if fault is None else 1)
    assert (fault or "") in result.stderr
    assert ("ann" in run("users", "list").stdout) == (fault is None)


def test_a_file_that_is_no_database_is_told(run, tmp_path):
    """A text is no database, and no file is made where there is none."""
    (tmp_path / "notes.txt").write_text("nothing of ours, but long enough to be looked at " * 100)
    assert run("import-database", tmp_path / "notes.txt").exit_code == 1
    assert run("import-database", tmp_path / "missing.db").exit_code == 2
    assert not (tmp_path / "missing.db").exists()


@pytest.mark.parametrize("database_kind", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_a_row_that_is_refused_leaves_nothing_behind(run, old, change):
    """SQLite takes texts of any length; PostgreSQL names the table, and the rows before it are gone again."""
    change("UPDATE job SET voice_name = printf('%200d', 7)")
    result = run("import-database", old)
    assert (result.exit_code, "a row of job is refused" in result.stderr) == (1, True)
    assert "ann" not in run("users", "list").stdout


def test_nobody_writes_meanwhile(run, old):
    """A server that is about to write to the old file stops the move, and loses nothing."""
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        result = run("import-database", old)
        assert (result.exit_code, "locked" in result.stderr) == (1, True)
        connection.execute("ROLLBACK")
    assert run("import-database", old).exit_code == 0
