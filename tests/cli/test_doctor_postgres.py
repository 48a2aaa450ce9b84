"""What the doctor finds of a PostgreSQL, and the command that it prescribes."""

import time

import pytest
from sqlalchemy import make_url

from voxgate.accounts.database import Database
from voxgate.accounts.postgres_health import examine
from voxgate.cli.checks import CHECKS, check_database
from voxgate.cli.findings import State
from voxgate.settings import Settings

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)]


@pytest.fixture
def look(data, database_url):
    """Examine the database; returns text and mending of each finding that is not ok."""

    def call(url=database_url, **settings):
        found = list(check_database(Settings(data=data, database_url=url, **settings)))
        return {finding.text: finding for finding in found if finding.state is not State.OK}

    return call


@pytest.fixture
def changed(postgres, database_url):
    """Change a setting of the database for one test."""
    name = make_url(database_url).database
    changes = []

    def change(setting, value):
        changes.append(setting)
        postgres.run(f"ALTER DATABASE {name} SET {setting} = {value}")

    yield change
    for setting in changes:
        postgres.run(f"ALTER DATABASE {name} RESET {setting}")


def test_server_of_the_tests_is_told_to_lose_data(look):
    """A server that does not write to disk is warned about, with the command that changes it."""
    found = look()
    assert any("fsync is off" in text for text in found)
    assert {finding.state for finding in found.values()} == {State.WARN}
    assert "psql -c 'ALTER SYSTEM SET fsync = on' -c 'SELECT pg_reload_conf()'" in {
        finding.mend for finding in found.values()
    }


def test_durable_commits_are_no_finding(look, changed):
    """What is right is not warned about."""
    changed("synchronous_commit", "on")
    assert not any("synchronous_commit" in text for text in look())


def test_missing_database_is_made_by_the_named_command(look, database_url):
    """The commonest fault of a first start."""
    url = make_url(database_url).set(database="nosuch").render_as_string(hide_password=False)
    (finding,) = look(url).values()
    assert (finding.state, finding.mend) == (State.FAIL, "createdb --encoding=UTF8 --template=template0 nosuch")


def test_server_that_is_away_fails(look, tmp_path):
    """And its address is not told, as it may hold a password."""
    (finding,) = look(f"postgresql://ann:hunter2@/voxgate?host={tmp_path}").values()
    assert (finding.state, finding.mend) == (State.FAIL, "start PostgreSQL, or correct VOXGATE_DATABASE_URL")
    assert "hunter2" not in finding.text


def test_missing_schema_is_a_warning(look, databases):
    """The next start, or init, brings it."""
    url = databases.make_empty()
    assert "voxgate init" in {finding.mend for finding in look(url).values()}
    databases.drop(url)


def test_too_little_room_for_connections_is_told(look):
    """Before requests are refused for it."""
    assert any("may take 650" in text for text in look(workers=64))


def test_clock_that_is_off_is_told(database_url):
    """Leases and lifetimes of two machines would not agree."""
    database = Database(database_url)
    found = list(examine(database, connections=1, now_ms=int(time.time() * 1000) - 60_000))
    database.close()
    assert any("its clock is" in finding.text for finding in found)


def test_jobs_that_nobody_takes_are_told(look, database_url, postgres):
    """A house that leaves its jobs to workers needs one."""
    columns = {
        **dict.fromkeys(("id", "owner", "text", "voice_name", "output_format", "fingerprint"), "x"),
        **dict.fromkeys(("speed_ratio", "pitch_semitones", "characters", "segments_done", "segments_total"), 1),
        **dict.fromkeys(("attempts", "fence", "lease_until_ms", "created_at_ms", "expires_at_ms"), 1),
        "state": "queued",
    }
    values = ", ".join(repr(value) for value in columns.values())
    name = make_url(database_url).database
    postgres.run(f"INSERT INTO job ({', '.join(columns)}) VALUES ({values})", database=name)  # noqa: S608 -- our own
    assert not any("jobs" in text for text in look())
    (finding,) = (each for text, each in look(jobs="worker").items() if "1 jobs have waited" in text)
    assert finding.mend.startswith("voxgate worker")


def test_command_examines_it_before_there_is_a_folder(run, monkeypatch, data):
    """With an address the database exists apart from the data folder."""
    monkeypatch.delitem(CHECKS, "speech")
    assert "PostgreSQL" in run("doctor").output
    assert not data.exists()
