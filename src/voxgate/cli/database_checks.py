"""What the doctor looks at in the accounts' database: that it answers, its schema, its server, and jobs that wait."""

import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text as sql

from voxgate.accounts.database import Database, DatabaseUnavailableError
from voxgate.accounts.schema import head_revision
from voxgate.cli.findings import Finding, State
from voxgate.settings import Settings

# A worker that runs takes a job within a second; one that waits so long has none.
_LONG_WAIT_S = 60
_WAITING = sql("SELECT count(*) FROM job WHERE state = 'queued' AND lease_until_ms < :before_ms")


def check_database(settings: Settings) -> Iterator[Finding]:
    """Look at whether the accounts' database answers and has today's schema."""
    if settings.database_url.startswith("sqlite:"):
        if not settings.data.exists():
            return
        if not Path(settings.database_url.removeprefix("sqlite:///")).exists():
            yield Finding(State.OK, "database", "will be made at the first start")
            return
    database = Database(settings.database_url)
    try:
        yield from _examine(database, settings)
    except DatabaseUnavailableError as error:
        yield Finding(State.FAIL, "database", str(error), _mend(str(error), database))
    finally:
        database.close()


def _examine(database: Database, settings: Settings) -> Iterator[Finding]:
    database.ping()
    if database.is_postgres:
        yield from _examine_server(database, settings)
    schema, head = database.revision(), head_revision()
    if schema is not None and schema > head:
        text = f"has schema {schema}, made by a newer version; this one needs {head}"
        yield Finding(State.FAIL, "database", text, "install that version again, or restore the folder's backup")
        return
    if schema != head:
        text = f"answers, with schema {schema or 'none'} where {head} is needed"
        yield Finding(State.WARN, "database", text, "voxgate init")
        return
    yield Finding(State.OK, "database", f"answers, schema {schema}")
    with database.reading() as session:
        before_ms = int((time.time() - _LONG_WAIT_S) * 1000)
        waiting = session.scalar(_WAITING, {"before_ms": before_ms})
    if waiting and settings.jobs != "local":
        text = f"{waiting} jobs have waited for more than a minute"
        yield Finding(State.WARN, "jobs", text, f"voxgate worker --data {settings.data}")


def _examine_server(database: Database, settings: Settings) -> Iterator[Finding]:
    from voxgate.accounts.postgres import POOL_MAX  # noqa: PLC0415 -- its driver is an extra
    from voxgate.accounts.postgres_health import examine  # noqa: PLC0415

    connections = POOL_MAX * (settings.workers + 1)
    for found in examine(database, connections=connections, now_ms=int(time.time() * 1000)):
        yield Finding(State.WARN if found.mend else State.OK, "database", found.text, found.mend)


def _mend(error: str, database: Database) -> str:
    if not database.is_postgres:
        return f"make {database.engine.url.database} readable and writable, or restore it from a backup"
    name = database.engine.url.database
    if "does not exist" in error and f'database "{name}"' in error:
        return f"createdb --encoding=UTF8 --template=template0 {name}"
    return "start PostgreSQL, or correct VOXGATE_DATABASE_URL"
