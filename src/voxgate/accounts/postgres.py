"""PostgreSQL: connections that wait a bounded time, trouble that is not waited for twice, and who may migrate."""

import logging
import threading
import time
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import Connection, Engine, create_engine, event, exc, text
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.pool import PoolProxiedConnection

from voxgate.accounts.pools import ClosingPool

POOL_KEPT = 5
POOL_MAX = 10
"""Connections that one process keeps open, and that it takes at most."""

CONNECT_TIMEOUT_S = 2
"""Longest wait for a connection; libpq takes no shorter one."""

_IDLE_IN_TRANSACTION_S = 10
_PROBE_EVERY_S = 0.5
_WAIT_INTERVAL_S = 0.1
# Any number will do, as long as every version of voxgate takes the same one and no other program of the database does.
_MIGRATION_LOCK = 0x766F78676174

# SQLAlchemy names the logger of a pool after its class, which stands here: what it tells at its end is no news of ours.
logging.getLogger(f"{__name__}.BoundedPool").setLevel(logging.WARNING)


class PatientConnection(psycopg.Connection[Any]):
    """A connection that gives up a server that does not say a word, and tells errors without quoting any row.

    The server ends what waits too long by itself. What it cannot end, because it is stopped or out of reach, ends here.
    """

    silence_s: float | None = None
    """Seconds that one answer may take; None for no bound."""

    def wait(self, gen: PQGen[RV], interval: float = _WAIT_INTERVAL_S, timeout: float | None = None) -> RV:
        """Return what the server answers.

        Raises:
            psycopg.OperationalError: It did not answer in time; the connection is closed.
            psycopg.Error: It refused; the text is its first line, as the others quote what was written.
        """
        bound_s = self.silence_s if timeout is None else timeout
        began = time.monotonic()
        try:
            return super().wait(gen, interval, bound_s)
        except psycopg.Error as error:
            if timeout is None and bound_s is not None and time.monotonic() - began >= bound_s:
                self.close()
                raise SilentServerError(f"the server did not answer within {bound_s:g} s") from None
            error.args = (str(error).partition("\n")[0], *error.args[1:])
            raise


class SilentServerError(psycopg.OperationalError):
    """The server takes connections, or seems to, and does not answer."""


class BoundedPool(ClosingPool):
    """A pool that asks a silent server again by one caller in half a second, and refuses all others at once.

    Without it every thread of a process would wait for the whole of a hang, also those that are needed for requests
    that ask no database.
    """

    _choosing = threading.Lock()
    _silent_at: float | None = None
    _asked_at = 0.0

    def connect(self) -> PoolProxiedConnection:
        """Return a connection.

        Raises:
            exc.TimeoutError: The server did not answer a moment ago, or no connection came free in time.
        """
        if self._silent_at is not None:
            with self._choosing:
                if self.is_silent or _is_recent(self._asked_at):
                    raise exc.TimeoutError("the database did not answer a moment ago")
                self._asked_at = time.monotonic()
        return super().connect()

    @property
    def is_silent(self) -> bool:
        """Whether somebody has waited in vain a moment ago."""
        return self._silent_at is not None and _is_recent(self._silent_at)

    def note_silence(self) -> None:
        """Remember that the server did not answer in time."""
        self._silent_at = time.monotonic()

    def note_answer(self) -> None:
        """Remember that it answers."""
        self._silent_at = None


def create_postgres_engine(url: URL, *, budget_s: float) -> Engine:
    """Return an engine whose every wait is bounded.

    Args:
        url: The address; its driver is psycopg.
        budget_s: Longest wait in seconds for a lock or a free connection; a statement may take twice as long, and a
            server that says nothing is given up half a second later.
    """
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=BoundedPool,
        pool_size=POOL_KEPT,
        max_overflow=POOL_MAX - POOL_KEPT,
        pool_timeout=budget_s,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
    )
    arguments = _connect_arguments(url, budget_s=budget_s)

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, _args: object, given: dict[str, Any]) -> PatientConnection:
        pool = _pool_of(engine)
        if pool.is_silent:  # found out by this very caller, on a connection that was open
            raise SilentServerError("the server did not answer")
        try:
            connection = PatientConnection.connect(**{**given, **arguments})
        except psycopg.errors.ConnectionTimeout:
            pool.note_silence()
            raise
        connection.silence_s = 2 * budget_s + 0.5
        return connection

    _note_silence(engine)
    return engine


def lock_migrations(connection: Connection, *, wait_s: int) -> None:
    """Make the others that migrate wait until this transaction ends; the changes themselves may take their time.

    Args:
        connection: In the transaction that migrates; it is not to be used for anything else afterwards.
        wait_s: Longest wait in seconds for another one that migrates.
    """
    driver: Any = connection.connection.dbapi_connection
    driver.silence_s = None
    connection.execute(text(f"SET LOCAL lock_timeout = '{wait_s}s'"))
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATION_LOCK})


def _note_silence(engine: Engine) -> None:
    """Tell the pool of a server that says nothing, and that it answers again."""

    @event.listens_for(engine, "handle_error")
    def hear(context: ExceptionContext) -> None:
        if isinstance(context.original_exception, SilentServerError):
            _pool_of(engine).note_silence()

    @event.listens_for(engine, "invalidate")
    def lose(_connection: object, _record: object, error: BaseException | None) -> None:
        if isinstance(error, SilentServerError):  # met by whoever uses the driver without SQLAlchemy
            _pool_of(engine).note_silence()

    @event.listens_for(engine, "checkout")
    def check_out(_connection: object, _record: object, _proxy: object) -> None:
        _pool_of(engine).note_answer()  # it was just connected or asked


def _connect_arguments(url: URL, *, budget_s: float) -> dict[str, Any]:
    settings = {
        "lock_timeout": int(budget_s * 1000),
        "statement_timeout": int(2 * budget_s * 1000),
        # A process that hangs with a lock in its hands must not stop the others for longer.
        "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION_S * 1000,
    }
    given = str(url.query.get("options", ""))
    options = [f"-c {name}={value}" for name, value in settings.items() if name not in given]
    return {
        "options": " ".join((*options, given)).strip(),
        "connect_timeout": url.query.get("connect_timeout", CONNECT_TIMEOUT_S),
        "application_name": url.query.get("application_name", "voxgate"),
    }


def _is_recent(moment: float) -> bool:
    return time.monotonic() - moment < _PROBE_EVERY_S


def _pool_of(engine: Engine) -> BoundedPool:
    pool = engine.pool
    assert isinstance(pool, BoundedPool)  # noqa: S101 -- made so above
    return pool
