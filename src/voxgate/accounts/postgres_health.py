"""What an operator should know of a PostgreSQL before trusting it: version, writability, encoding, durability, room."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Row, text

from voxgate.accounts.database import Database

MIN_VERSION = 14
MAX_CLOCK_DIFFERENCE_S = 5

_QUESTION = text("""
    SELECT current_setting('server_version') AS version, current_setting('server_version_num')::integer AS number,
        pg_is_in_recovery() AS is_replica, current_setting('server_encoding') AS encoding,
        current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit,
        current_setting('max_connections')::integer AS connections_max,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
        (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
""")


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One thing that was looked at.

    Attributes:
        text: What was found.
        mend: A command or a deed that mends it; empty when there is nothing to mend.
    """

    text: str
    mend: str = ""


def examine(database: Database, *, connections: int, now_ms: int) -> Iterator[HealthFinding]:
    """Look at the server; one read.

    Args:
        database: On a PostgreSQL.
        connections: How many the processes of this machine may take at once.
        now_ms: This machine's time, milliseconds since the epoch.

    Raises:
        DatabaseUnavailableError: It does not answer.
    """
    with database.reading() as session:
        seen = session.execute(_QUESTION).one()
    yield _judge_version(seen)
    yield from _judge_data(seen)
    room = seen.connections_max - seen.connections
    if room < connections:
        found = f"has room for {room} more connections, and the servers here may take {connections}"
        wanted = seen.connections + 2 * connections
        mend = f"psql -c 'ALTER SYSTEM SET max_connections = {wanted}', then restart PostgreSQL"
        yield HealthFinding(found, mend)
    difference_s = abs(seen.now_ms - now_ms) / 1000
    if difference_s > MAX_CLOCK_DIFFERENCE_S:
        yield HealthFinding(f"its clock is {difference_s:.0f} s off", "let both machines keep their time by NTP")


def _judge_version(seen: Row[tuple[object, ...]]) -> HealthFinding:
    if seen.number < MIN_VERSION * 10_000:
        return HealthFinding(f"PostgreSQL {seen.version} is too old", f"install PostgreSQL {MIN_VERSION} or newer")
    return HealthFinding(f"PostgreSQL {seen.version}")


def _judge_data(seen: Row[tuple[object, ...]]) -> Iterator[HealthFinding]:
    if seen.is_replica:
        yield HealthFinding("is a replica, which cannot be written", "name the primary in VOXGATE_DATABASE_URL")
    if seen.encoding != "UTF8":
        yield HealthFinding(
            f"stores text as {seen.encoding}: other scripts are refused",
            "createdb --encoding=UTF8 --template=template0 voxgate",
        )
    for name, value in (("fsync", seen.fsync), ("synchronous_commit", seen.commit)):
        if value == "off":
            found = f"{name} is off: what was answered can be lost in a power cut"
            yield HealthFinding(found, f"psql -c 'ALTER SYSTEM SET {name} = on' -c 'SELECT pg_reload_conf()'")
