"""The one SQL database: its connections, its transactions, its schema, and how its trouble is told."""

import contextlib
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session, sessionmaker

from voxgate.accounts.pools import ClosingPool
from voxgate.accounts.schema import head_revision, upgrade
from voxgate.gate.errors import ConfigurationError, VoxgateError

SETTING = "VOXGATE_DATABASE_URL"
FORMS = "write 'sqlite:////path/voxgate.db' or 'postgresql://user:password@host/database'"

# Several processes may start at once: one migrates, the others wait for it this long.
_MIGRATION_WAIT_S = 30
# PostgreSQL is reached by psycopg 3, whatever of these an address says.
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
# These mean that a statement was wrong, not that the database is in trouble.
_STATEMENT_ERRORS = (exc.IntegrityError, exc.ProgrammingError, exc.DataError, exc.NotSupportedError)
# Alembic keeps its context in module globals, so two threads of one process must take turns.
_migrating = threading.Lock()


class DatabaseUnavailableError(VoxgateError):
    """The database is locked, full, read-only, broken or unreachable; the transaction left nothing behind."""


class Database:
    """The accounts' and jobs' database; safe to share between threads.

    Args:
        url: ``sqlite:////var/lib/voxgate/voxgate.db`` or ``postgresql://user:password@host/database``.
        budget_s: Longest wait in seconds for a lock or a free connection.

    Raises:
        ConfigurationError: The URL cannot be used.
    """

    def __init__(self, url: str, *, budget_s: float = 1.0) -> None:
        parsed = _parse_url(url)
        self._path = Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
        self.engine = _create_engine(parsed, budget_s=budget_s)
        self._writing = sessionmaker(self.engine, expire_on_commit=False)
        # On PostgreSQL each statement sees what is committed, also within a transaction, which would be two trips more.
        how = {"is_reading": True} | ({} if self._path else {"isolation_level": "AUTOCOMMIT"})
        self._reading = sessionmaker(self.engine.execution_options(**how), expire_on_commit=False)

    @property
    def is_postgres(self) -> bool:
        """Whether it is a PostgreSQL, which several machines can share."""
        return self._path is None

    def session(self) -> contextlib.AbstractContextManager[Session]:
        """Return one transaction that may write: committed at the end, rolled back on any exception.

        On SQLite it takes the write lock at its first statement, so what it reads stays true until
        it commits.

        Raises:
            DatabaseUnavailableError: Within the block, when the database cannot be used.
        """
        return _transaction(self._writing)

    def reading(self) -> contextlib.AbstractContextManager[Session]:
        """Return one transaction that only reads and never waits for a writer.

        Raises:
            DatabaseUnavailableError: Within the block, when the database cannot be used.
        """
        return _transaction(self._reading)

    def migrate(self) -> None:
        """Bring the schema to this version; milliseconds when it is there already.

        Safe when several threads or processes do it at once: one migrates, the others wait.

        Raises:
            ConfigurationError: A newer version has changed the schema already.
            DatabaseUnavailableError: The database cannot be used.
        """
        if self._path is not None:
            _create_private(self._path)
        stamp, head = self.revision(), head_revision()
        if stamp is not None and stamp > head:
            raise ConfigurationError(SETTING, f"the database has schema {stamp}, newer than this version's {head}")
        if stamp != head:
            try:
                self._upgrade()
            except DatabaseUnavailableError as error:
                where = f"{self._path}: " if self._path is not None else ""  # SQLite's own text names no file
                raise DatabaseUnavailableError(f"{where}{error}") from error

    def revision(self) -> str | None:
        """Return the revision of the schema, or None where there is none, or nobody answers."""
        try:
            with self.reading() as session:
                return session.execute(text("SELECT version_num FROM alembic_version")).scalar()
        except (exc.ProgrammingError, DatabaseUnavailableError):
            return None  # the table is not there yet; real trouble shows itself again in whatever is done next

    def ping(self) -> None:
        """Return when the database answers.

        Raises:
            DatabaseUnavailableError: It does not.
        """
        with self.reading() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every idle connection now, and each that is in use when it comes back."""
        self.engine.pool.dispose()  # the engine's own would begin a new pool, which nobody closes

    def _upgrade(self) -> None:
        # Whatever goes wrong is the database's: tables of another program, or a role that may not make any.
        with _translated(but=()), _migrating, self.engine.connect() as connection:
            connection.detach()  # its long wait for the lock must not come back to the pool
            if self._path is not None:
                _enter_wal(connection)
            _upgrade(connection)


def _parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except exc.ArgumentError as error:
        raise ConfigurationError(SETTING, f"not a database URL; {FORMS}") from error
    if parsed.drivername in _POSTGRES:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        raise ConfigurationError(SETTING, f"{parsed.drivername!r} is not supported; {FORMS}")
    if parsed.database in {None, "", ":memory:"}:
        raise ConfigurationError(SETTING, "a database in memory is not shared between threads; name a file")
    return parsed


def _create_engine(url: URL, *, budget_s: float) -> Engine:
    # Parameters are hidden because error texts reach the log, and parameters hold password hashes.
    try:
        if url.get_backend_name() == "sqlite":
            engine = create_engine(
                url,
                hide_parameters=True,
                poolclass=ClosingPool,
                pool_timeout=budget_s,
                # The one that was used last comes first: it alone need not read again what another has written.
                pool_use_lifo=True,
            )
            _prepare_sqlite(engine, budget_s=budget_s)
            return engine
        from voxgate.accounts.postgres import create_postgres_engine  # noqa: PLC0415 -- its driver is an extra

        return create_postgres_engine(url, budget_s=budget_s)
    except ModuleNotFoundError as error:
        mend = "python3 -m pip install 'voxgate[postgres]'"
        raise ConfigurationError(SETTING, f"no driver for {url.drivername!r} is installed; {mend}") from error
    except exc.ArgumentError as error:
        raise ConfigurationError(SETTING, f"no driver for {url.drivername!r} is installed; {FORMS}") from error


def _prepare_sqlite(engine: Engine, *, budget_s: float) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions; `begin` below does
        connection.execute(f"PRAGMA busy_timeout = {int(budget_s * 1000)}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")  # in WAL, NORMAL may lose answered commits at power loss

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that reads and then writes fails at once when another has written meanwhile.
        is_reading = connection.get_execution_options().get("is_reading", False)
        connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


@contextlib.contextmanager
def _transaction(sessions: sessionmaker[Session]) -> Iterator[Session]:
    with _translated(), sessions.begin() as session:
        yield session


@contextlib.contextmanager
def _translated(*, but: tuple[type[Exception], ...] = _STATEMENT_ERRORS) -> Iterator[None]:
    try:
        yield
    except but:
        raise
    except (exc.DBAPIError, exc.TimeoutError) as error:
        raise DatabaseUnavailableError(re.sub(r"\s+", " ", str(error.args[0]))) from error


def _create_private(path: Path) -> None:
    """Create the file for its owner alone; SQLite gives its companion files the same mode.

    A file that is there is not opened: to close any handle of it would end the locks of whoever has the database open
    in this process (POSIX, fcntl), and another process would then remove the log from under it.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise DatabaseUnavailableError(f"{path}: {error.strerror}") from error


def _enter_wal(connection: Connection) -> None:
    """Switch the file to WAL, which lasts; SQLite does not wait for other starters here, so it is asked again."""
    driver: Any = connection.connection.dbapi_connection  # SQLAlchemy's own would begin a transaction
    driver.execute(f"PRAGMA busy_timeout = {_MIGRATION_WAIT_S * 1000}")
    give_up_at = time.monotonic() + _MIGRATION_WAIT_S
    while True:
        try:
            driver.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up_at:
                raise DatabaseUnavailableError(str(error)) from error
            time.sleep(0.01)
        else:
            return


def _upgrade(connection: Connection) -> None:
    with connection.begin():  # takes the lock, then reads the stamp: of many starters only one migrates
        if connection.dialect.name != "sqlite":
            from voxgate.accounts.postgres import lock_migrations  # noqa: PLC0415 -- its driver is an extra

            lock_migrations(connection, wait_s=_MIGRATION_WAIT_S)
        upgrade(connection)
