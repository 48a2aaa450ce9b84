"""Transactions of the queue and the rows that come out of them, straight from the driver."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from sqlalchemy import Dialect, Engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection

from voxgate.speech.jobs.base import Job, JobState, JobsUnavailableError
from voxgate.speech.jobs.prepared import Prepared

Row = Sequence[Any]
"""One row: its columns in the order of the statement."""

_NOTHING: Mapping[str, object] = MappingProxyType({})


class Transaction:
    """What is asked within one transaction.

    Args:
        driver: The driver's connection.
        dialect: The kind of its database.
    """

    def __init__(self, driver: Any, dialect: Dialect) -> None:  # noqa: ANN401 -- of one driver or the other
        self._driver = driver
        self._dialect = dialect

    @property
    def is_postgres(self) -> bool:
        """Whether others can be in a transaction that writes at the same time; SQLite has one writer."""
        return self._dialect.name == "postgresql"

    def read(self, statement: Prepared, given: Mapping[str, object] = _NOTHING) -> list[Row]:
        """Run a statement and return its rows."""
        rows: list[Row] = self._driver.execute(*statement.bound(self._dialect, given)).fetchall()
        return rows

    def count(self, statement: Prepared, given: Mapping[str, object] = _NOTHING) -> int:
        """Run a statement that gives no rows and return how many it has changed."""
        changed: int = self._driver.execute(*statement.bound(self._dialect, given)).rowcount
        return changed


@contextmanager
def open_transaction(engine: Engine, *, is_reading: bool = False, is_lasting: bool = True) -> Iterator[Transaction]:
    """Open one transaction; its trouble is told without the statement's parameters, hence without anybody's text.

    Args:
        engine: SQLAlchemy engine, whose connections are used.
        is_reading: Nothing is written, and each statement stands alone: no lock is taken for more than one on SQLite,
            and two trips are spared on PostgreSQL.
        is_lasting: What is written survives a power cut. Without it SQLite does not wait for the disk; what other
            transactions have written is as safe as ever, and the end of a process loses nothing.

    Raises:
        JobsUnavailableError: The database did not do it.
    """
    try:
        pooled = engine.raw_connection()
        try:
            begin = _postgres_transaction if engine.dialect.name == "postgresql" else _sqlite_transaction
            with begin(pooled, is_reading=is_reading, is_lasting=is_lasting):
                yield Transaction(pooled.driver_connection, engine.dialect)
        except engine.dialect.loaded_dbapi.Error as error:
            if engine.dialect.is_disconnect(error, pooled, None):
                pooled.invalidate(error)
            raise
        finally:
            pooled.close()  # which rolls back what was not committed
    except PoolTimeoutError as error:
        raise JobsUnavailableError(f"no connection: {error}") from error
    except engine.dialect.loaded_dbapi.Error as error:
        # PostgreSQL quotes the row from the second line on.
        raise JobsUnavailableError(str(error).partition("\n")[0]) from None


def job_of(row: Row) -> Job:
    """Return a row of all columns, in their order, as the job that it is; a claim adds ``has_equal``."""
    return Job(row[0], row[1], JobState(row[2]), *row[3:])


@contextmanager
def _sqlite_transaction(pooled: PoolProxiedConnection, *, is_reading: bool, is_lasting: bool) -> Iterator[None]:
    driver: Any = pooled.driver_connection
    if is_reading:
        yield
        return
    if is_lasting:
        driver.execute("BEGIN IMMEDIATE")
        yield
        driver.commit()
        return
    usual = driver.execute("PRAGMA synchronous").fetchone()[0]
    driver.execute(f"PRAGMA synchronous = {min(usual, 1)}")
    try:
        driver.execute("BEGIN IMMEDIATE")
        yield
        driver.commit()
    finally:
        driver.rollback()  # or the setting cannot be changed; after a commit there is nothing to roll back
        driver.execute(f"PRAGMA synchronous = {usual}")


@contextmanager
def _postgres_transaction(pooled: PoolProxiedConnection, *, is_reading: bool, is_lasting: bool) -> Iterator[None]:  # noqa: ARG001 -- for SQLite
    driver: Any = pooled.driver_connection
    if not is_reading:
        yield
        driver.commit()
        return
    driver.autocommit = True
    try:
        yield
    finally:
        if not driver.closed:
            driver.autocommit = False
