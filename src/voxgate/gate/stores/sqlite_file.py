"""One SQLite file shared by threads and processes: fair turns, a bounded wait, and one kind of error."""

import contextlib
import os
import sqlite3
import threading
import time
from pathlib import Path

from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.stores.change_count import ChangeCount
from voxgate.gate.stores.sqlite_schema import make_tables

# SQLite's own busy waiting is unfair: under contention single calls stalled for 1.9 s. Short tries of our own are fair.
_TRY_EVERY_S = 0.0003


class SqliteFile:
    """A SQLite file in WAL mode with the store's tables, opened at first use and again after trouble.

    Args:
        path: The file; its folder must exist.
        budget_s: Longest wait for a turn, in seconds.
    """

    def __init__(self, path: Path, *, budget_s: float) -> None:
        self._path = path
        self._budget_s = budget_s
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        # SQLite's own data_version asks the file, and changes with every request that another process has counted.
        self._changes = ChangeCount(path.with_name(f"{path.name}-changes"))
        self.version = self._changes.read
        """Returns what differs as soon as a process has noted a change."""
        self.note_change = self._changes.increase
        """Notes a change that may lift a refusal; within a turn, so that whoever sees it waits for what has changed."""

    def __enter__(self) -> sqlite3.Connection:
        """Hold the file alone for one transaction: threads queue on a lock, processes on the file.

        Raises:
            StoreUnavailableError: No turn came within the budget, or SQLite failed.
        """
        deadline = time.monotonic() + self._budget_s
        if not self._lock.acquire(timeout=self._budget_s):
            raise StoreUnavailableError("the store is busy")
        try:
            return self._begin(deadline)
        except BaseException as error:
            self._lock.release()
            if isinstance(error, sqlite3.Error):
                raise self._unavailable(error) from error
            raise

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Keep what was done, or undo all of it when something broke.

        Raises:
            StoreUnavailableError: SQLite failed; nothing was changed.
        """
        try:
            if error is None:
                self._finish("COMMIT")
        except sqlite3.Error as failure:
            error = failure
        try:
            if error is not None:
                self._finish("ROLLBACK")
        except sqlite3.Error:
            # The connection cannot be trusted any more; the next turn opens a new one.
            self._drop()
        finally:
            self._lock.release()
        if isinstance(error, sqlite3.Error):
            raise self._unavailable(error) from error

    def close(self) -> None:
        """Close the file; the next transaction opens it again."""
        with self._lock:
            self._drop()

    def _begin(self, deadline: float) -> sqlite3.Connection:
        while True:
            try:
                if self._connection is None:
                    self._connection = self._open()
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
                time.sleep(_TRY_EVERY_S)
            else:
                return self._connection

    def _open(self) -> sqlite3.Connection:
        # For its owner alone, also in an instance folder that others may read; SQLite's companions take the same mode.
        # A file that is there is not opened: closing it would end the locks that another store of this process has.
        with contextlib.suppress(OSError):  # SQLite says itself what is wrong
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o600))
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            # Survives kill -9 of every process; after a power cut the truth is read again from the directory.
            connection.execute("PRAGMA synchronous = NORMAL")
            make_tables(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _finish(self, statement: str) -> None:
        if self._connection is not None:
            self._connection.execute(statement)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _unavailable(self, error: sqlite3.Error) -> StoreUnavailableError:
        return StoreUnavailableError(f"{self._path}: {error}")
