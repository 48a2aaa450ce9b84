"""The databases of the tests: what asks for one runs on a file and on a real PostgreSQL, with few exceptions.

Each test has a database of its own, copied from one that was migrated once.
"""

import contextlib
import itertools
import shutil

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from tests.support.postgres import running_postgres

from voxgate.accounts.database import Database

KINDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))

ON_THE_FILE_ALONE = {
    "tests/browser/": "asks a browser, whatever keeps the accounts",
    "tests/cli/test_bodies.py": "is about the server before the application",
    "tests/cli/test_certificates.py": "makes files",
    "tests/cli/test_commands.py::TestTop": "asks nothing of a database",
    "tests/cli/test_doctor.py": "looks at files; what it finds of PostgreSQL stands in test_doctor_postgres.py",
    "tests/cli/test_renewal.py": "is about the processes",
    "tests/cli/test_say.py": "speaks without a database",
    "tests/cli/test_serve.py": "is about the port and the processes",
    "tests/cli/test_signing.py": "keeps its keys in files",
    "tests/cli/test_stalls.py": "is about the connections of clients",
    "tests/cli/test_tls.py": "is about the port",
    "tests/cli/test_voices.py": "lists voices without a database",
    "tests/journeys/test_edge_attacks.py": "is about the server before the application, and about addresses",
    "tests/journeys/test_envoy.py": "is about the server before the service",
    "tests/journeys/test_exactness.py": "counts in the gate's store",
    "tests/journeys/test_hostile_requests.py::test_bodies": "refuses before SQL is asked",
    "tests/journeys/test_hostile_requests.py::test_fields": "sends what tests/web/test_fuzz.py sends to both",
    "tests/journeys/test_hostile_requests.py::test_odd_credentials": "refuses before SQL is asked",
    "tests/journeys/test_hostile_requests.py::test_odd_methods": "refuses before SQL is asked",
    "tests/journeys/test_hostile_requests.py::test_two_credentials": "refuses before SQL is asked",
    "tests/journeys/test_hostile_requests.py::test_unknown_fields": "refuses before SQL is asked",
    "tests/journeys/test_hostile_texts.py": "is about the engine's processes, and takes long",
    "tests/journeys/test_nginx.py": "is about the server before the service",
    "tests/journeys/test_openai_journey.py": "streams audio; what a stream leaves in SQL has tests/web",
    "tests/journeys/test_readme.py": "does what the README says, which begins with a file",
    "tests/journeys/test_request_boundaries.py": "is about the server before the application",
    "tests/journeys/test_sessions_and_keys.py::test_guide_runs": "does what the guide says, beside a file",
    "tests/journeys/test_signing_keys.py": "keeps its keys in files",
    "tests/journeys/test_slow_clients.py": "is about the connections of clients",
    "tests/journeys/test_soak.py": "is about the engine's processes; jobs have test_budgets.py and test_workers.py",
    "tests/journeys/test_speech_journey.py::test_mandarin": "is about the audio",
    "tests/journeys/test_speech_journey.py::test_pitch": "is about the audio",
    "tests/journeys/test_speech_journey.py::test_speed": "is about the audio",
    "tests/speech/test_local_speech.py": "is about the synthesizer behind the queue",
    "tests/web/test_api_keys.py::TestWho::test_401": "refuses before SQL is asked",
    "tests/web/test_audio.py::Test206": "sends parts of a file, whose row test_audio.py::Test200 has read",
    "tests/web/test_audio.py::Test304": "sends nothing of a file, whose row test_audio.py::Test200 has read",
    "tests/web/test_bodies.py": "refuses before SQL is asked",
    "tests/web/test_decide.py::TestForgery::test_a_path_of_two_readings": "refuses before anybody is looked up",
    "tests/web/test_decide.py::TestForgery::test_a_strange_method": "refuses before anybody is looked up",
    "tests/web/test_decide.py::TestRules::test_what_is_no_rule": "reads rules at the start",
    "tests/web/test_docs.py": "shows pages without a row",
    "tests/web/test_fuzz.py::test_any_bytes": "refuses before SQL is asked",
    "tests/web/test_fuzz.py::test_every_content_type": "refuses before SQL is asked",
    "tests/web/test_fuzz.py::test_no_field_but_the_documented": "refuses before SQL is asked",
    "tests/web/test_locked.py": "locks the file; the locks of PostgreSQL stand in test_postgres.py",
    "tests/web/test_openai_speech.py::TestAudio": "streams audio; what a stream leaves in SQL stands in TestErrors",
    "tests/web/test_openai_speech.py::TestErrors::test_bad_field": "refuses before SQL is asked",
    "tests/web/test_openai_speech.py::TestErrors::test_wrong_paths": "refuses before SQL is asked",
    "tests/web/test_openai_speech.py::TestModels": "lists models without a row",
    "tests/web/test_openai_speech.py::TestOurOwn": "streams audio; what a stream leaves in SQL stands in TestErrors",
    "tests/web/test_openapi.py": "describes routes without a row",
    "tests/web/test_postgres.py": "has a server of its own, which it lets hang",
    "tests/web/test_problems.py::TestHttp": "refuses before SQL is asked",
    "tests/web/test_problems.py::TestTable": "is about a table of the program",
    "tests/web/test_voices.py": "speaks previews without a row",
}
"""What PostgreSQL would run for nothing, by the beginning of its name, and why."""


def kinds_for(nodeid):
    """Return the databases that a test runs on."""
    return KINDS[:1] if nodeid.startswith(tuple(ON_THE_FILE_ALONE)) else KINDS


_FREELY = sql.SQL("SET lock_timeout = 500; SET session_replication_role = replica")
_RESTART = sql.SQL("SELECT setval(format('%I.%I', schemaname, sequencename), 1, false) FROM pg_sequences")


class Files:
    """Databases that are files, each fresh.

    Args:
        folder: Where they lie.
    """

    kind = "sqlite"

    def __init__(self, folder):
        self._folder = folder
        self._numbers = itertools.count()
        self._template = self.make_empty()
        migrate(self._template)

    def make_empty(self):
        """Make a database without a table; returns its address."""
        return f"sqlite:///{self._folder / f'voxgate{next(self._numbers)}.db'}"

    def make(self, path=None):
        """Make a database with today's schema, at a path if one is given; returns its address."""
        url = f"sqlite:///{path}" if path else self.make_empty()
        shutil.copy(make_url(self._template).database, make_url(url).database)
        return url

    def drop(self, url):
        """Leave it to pytest, which removes its folders."""


class Served:
    """Databases on a server. One that is given back is cleaned and given out again: to make one costs far more.

    Args:
        server: The PostgreSQL.
    """

    kind = "postgres"

    def __init__(self, server):
        self._server = server
        self._template = server.create()
        migrate(server.url(self._template))
        with contextlib.closing(server.connect(self._template)) as connection:
            self._tables = _list_tables(connection)
            self._cleaning = _write_cleaning(connection, self._tables)
        self._free = []

    def make_empty(self):
        """Make a database without a table; returns its address."""
        return self._server.url(self._server.create())

    def make(self, path=None):
        """Make a database with today's schema; returns its address."""
        return self._free.pop() if self._free else self._server.url(self._server.create(self._template))

    def drop(self, url):
        """Clean it, or remove it when a test has changed its tables or holds a lock."""
        name = make_url(url).database
        try:
            with contextlib.closing(self._server.connect(name)) as connection:
                assert _list_tables(connection) == self._tables
                connection.execute(self._cleaning)
        except (AssertionError, psycopg.Error):
            self._server.drop(name)
        else:
            self._free.append(url)


def _list_tables(connection):
    listed = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    return [table for (table,) in connection.execute(listed)]


def _write_cleaning(connection, tables):
    """Return the statements, as one, that bring a database back to what it holds now."""
    named = [sql.Identifier(table) for table in tables]
    inserts = [
        sql.SQL("INSERT INTO {} VALUES ({})").format(table, sql.SQL(", ").join(map(sql.Literal, row)))
        for table in named
        for row in connection.execute(sql.SQL("SELECT * FROM {}").format(table))
    ]
    # Without its triggers a table can be emptied before those that point to it.
    deletes = [sql.SQL("DELETE FROM {}").format(table) for table in named]
    return sql.SQL("; ").join((_FREELY, *deletes, *inserts, _RESTART)).as_string(connection)


def migrate(url):
    """Bring a database to today's schema."""
    database = Database(url)
    database.migrate()
    database.close()


def parametrize(metafunc):
    """Run a test on each of its databases, if it asks for one and does not choose for itself."""
    chosen = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "database_kind" in metafunc.fixturenames and "database_kind" not in chosen:
        kinds = kinds_for(metafunc.definition.nodeid)
        metafunc.parametrize("database_kind", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def postgres():
    """One server for all tests of this process."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def database_kind(request):
    """Which database the test runs on."""
    return request.param


@pytest.fixture(scope="session")
def databases(database_kind, request, tmp_path_factory):
    """Make databases of the kind that the test runs on."""
    if database_kind == "postgres":
        return Served(request.getfixturevalue("postgres"))
    return Files(tmp_path_factory.mktemp("databases"))


@pytest.fixture
def new_database(databases):
    """Make databases with today's schema that last as long as the test, as `make` does."""
    made = []

    def make(path=None):
        made.append(databases.make(path))
        return made[-1]

    yield make
    for url in made:
        databases.drop(url)


@pytest.fixture
def database_url(new_database):
    """The address of one database with today's schema."""
    return new_database()
