"""Fills an empty database with what another one holds: everything, or nothing."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Table, exc, func, insert, literal, select, text
from sqlalchemy.orm import Session

from voxgate.accounts.database import Database
from voxgate.accounts.schema import head_revision
from voxgate.gate.errors import VoxgateError

_ROWS_AT_ONCE = 500


class CopyError(VoxgateError):
    """Nothing was copied: the one is not empty, or the other holds what cannot be taken."""


def copy_database(source: Database, target: Database, tables: Sequence[Table]) -> dict[str, int]:
    """Copy every row into a database that holds none yet; nobody writes to either meanwhile.

    Args:
        source: What is copied; only read.
        target: What is filled; it has today's schema.
        tables: What to copy, in an order in which no row names one that comes later.

    Returns:
        How many rows each table had.

    Raises:
        CopyError: The source has not today's schema, the target has a row, or refuses one.
        DatabaseUnavailableError: One of them cannot be used; the target is as it was.
    """
    with target.session() as writing:
        if target.is_postgres:
            names = ", ".join(table.name for table in tables)
            writing.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
        _refuse_rows(writing, tables)
        _refuse_schema(source)
        # A transaction that may write keeps others from writing, which a copy must not miss.
        with source.session() as reading:
            counts = {table.name: _copy(table, reading, writing) for table in tables}
        if target.is_postgres:
            _count_on(writing, tables)
        return counts


def _refuse_rows(session: Session, tables: Sequence[Table]) -> None:
    for table in tables:
        if session.execute(select(literal(1)).select_from(table).limit(1)).first():
            raise CopyError(f"the database is in use: {table.name} has rows; take an empty one")


def _refuse_schema(source: Database) -> None:
    found, needed = source.revision(), head_revision()
    if found is None:
        raise CopyError("what is to be copied is no database of voxgate")
    if found != needed:
        raise CopyError(f"what is to be copied has schema {found} and not {needed}; start this version with it once")


def _copy(table: Table, reading: Session, writing: Session) -> int:
    count = 0
    for rows in _read(table, reading):
        try:
            writing.execute(insert(table), rows)
        except (exc.DataError, exc.IntegrityError) as error:
            raise CopyError(f"a row of {table.name} is refused: {error.orig}") from error
        count += len(rows)
    return count


def _read(table: Table, session: Session) -> Iterator[list[dict[str, object]]]:
    found = session.execute(select(table), execution_options={"yield_per": _ROWS_AT_ONCE})
    for rows in found.mappings().partitions():
        yield [dict(row) for row in rows]


def _count_on(session: Session, tables: Sequence[Table]) -> None:
    """Let PostgreSQL number new rows after those that were copied."""
    for table in tables:
        column = table.autoincrement_column
        if column is not None:
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            session.execute(select(func.setval(sequence, func.max(column))).select_from(table))
