"""Connections to Redis: one try within the budget, and one kind of error."""

import contextlib
import os
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable
from typing import Protocol

from redis.connection import AbstractConnection
from redis.exceptions import NoScriptError, RedisError

from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.stores.redis_scripts import Argument, Call, Script, pack

# A connection that was idle for longer is looked at before it is used: the server may have closed it.
_IDLE_S = 0.5
# How often this process was forked off; asking the system for the process' id would cost a call each time.
_forks = 0


def _count_fork() -> None:
    global _forks  # noqa: PLW0603 -- belongs to the process
    _forks += 1


os.register_at_fork(after_in_child=_count_fork)


class Link(Protocol):
    """A way to a Redis that answers one command at a time."""

    is_cluster: bool

    def call(self, *command: Argument) -> object:
        """Send a command once and return its answer.

        Raises:
            StoreUnavailableError: No good answer came; the command may or may not have been done.
        """
        ...

    def call_each(self, *command: Argument) -> list[object]:
        """Send a command to every server that takes decisions; raises as ``call`` does."""
        ...

    def run(self, script: Script, keys: tuple[bytes, ...], arguments: tuple[Argument, ...]) -> object:
        """Run a script once and return its answer; raises as ``call`` does."""
        ...

    def run_call(self, call: Call) -> object:
        """Run a script once by a call that is kept for the next time; raises as ``call`` does."""
        ...

    def confirm(self) -> None:
        """Return when a replica has what this thread has written, or the budget is over; never raises."""
        ...

    def drop(self) -> None:
        """Let go of a connection whose answer could not be understood."""
        ...

    def close(self) -> None:
        """Close every connection; the next command opens one again."""
        ...


class _PerThread(threading.local):
    """What one thread keeps."""

    connection: AbstractConnection | None = None
    forks = 0
    used_at_s = 0.0


class KeptLink:
    """One kept connection per thread to a single server, or to the master that Sentinel names.

    A kept connection costs half of what a pool costs. Nothing is ever sent twice: a command whose answer was lost may
    have been counted. A connection is dropped at every error, so that no answer is ever read for another question, and
    a master that was replaced is looked for anew.

    Args:
        connect: Makes a connection that is not open yet.
        confirm_ms: How long to wait for a replica that may become the master; 0 where there is none.
    """

    is_cluster = False

    def __init__(self, connect: Callable[[], AbstractConnection], *, confirm_ms: int = 0) -> None:
        self._connect = connect
        self._confirm_ms = confirm_ms
        self._mine = _PerThread()
        self._all: weakref.WeakSet[AbstractConnection] = weakref.WeakSet()

    def call(self, *command: Argument) -> object:
        """Send a command once and return its answer."""
        try:
            return self._send(pack(command))
        except NoScriptError as error:
            raise StoreUnavailableError(str(error)) from error

    def call_each(self, *command: Argument) -> list[object]:
        """Send a command to the one server."""
        return [self.call(*command)]

    def run(self, script: Script, keys: tuple[bytes, ...], arguments: tuple[Argument, ...]) -> object:
        """Run a script once and return its answer."""
        return self.run_call(Call(script, keys, arguments))

    def run_call(self, call: Call) -> object:
        """Run a script once by a call that is kept for the next time."""
        try:
            return self._send(call.packed())
        except NoScriptError:
            # It was not run, so this is no second time.
            return self.call(b"EVAL", call.script.text, len(call.keys), *call.keys, *call.arguments)

    def confirm(self) -> None:
        """Return when a replica has what this thread has written, or the budget is over."""
        if self._confirm_ms:
            # Without an answer it is written all the same, and the directory knows it too.
            with contextlib.suppress(StoreUnavailableError):
                self.call("WAIT", 1, self._confirm_ms)

    def drop(self) -> None:
        """Let go of this thread's connection."""
        if self._mine.connection is not None:
            self._mine.connection.disconnect()
            self._mine.connection = None

    def close(self) -> None:
        """Close every connection; the next command opens one again."""
        for connection in list(self._all):
            connection.disconnect()

    def _send(self, packed: list[bytes]) -> object:
        mine = self._mine
        connection = mine.connection
        try:
            if connection is None or mine.forks != _forks or time.monotonic() - mine.used_at_s > _IDLE_S:
                connection = self._take()
            connection.send_packed_command(packed, check_health=False)
            answer = connection.read_response()
        except NoScriptError:
            raise
        except (RedisError, OSError, ValueError) as error:
            # ValueError: an answer that is not Redis' protocol.
            self.drop()
            raise StoreUnavailableError(_reason_of(error)) from error
        except BaseException:
            # Interrupted between question and answer: the answer must never be read as another's.
            self.drop()
            raise
        mine.used_at_s = time.monotonic()
        return answer

    def _take(self) -> AbstractConnection:
        mine = self._mine
        if mine.forks != _forks:
            # After a fork the parent goes on using its connection.
            mine.connection, mine.forks = None, _forks
        if mine.connection is not None and _is_stale(mine.connection):
            self.drop()
        if mine.connection is None:
            mine.connection = self._connect()
            mine.connection.connect()
            _keep_time_in_system(mine.connection)
            self._all.add(mine.connection)
        return mine.connection


def _keep_time_in_system(connection: AbstractConnection) -> None:
    """Have the system end a call that takes longer than the budget.

    Python keeps a timeout by asking before each call whether the socket is ready: two calls more for each question, and
    at each of them another thread may take the interpreter. TLS works no other way.
    """
    connected = getattr(connection, "_sock", None)
    budget_s = connection.socket_timeout
    if type(connected) is not socket.socket or not budget_s:
        return
    whole_s = int(budget_s)
    budget = struct.pack("@ll", whole_s, int((budget_s - whole_s) * 1_000_000))  # struct timeval
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, budget)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, budget)
    connected.settimeout(None)


def _reason_of(error: Exception) -> str:
    # The system's word for it, "temporarily unavailable", says nothing of time.
    if isinstance(error.__context__, BlockingIOError):
        return "no answer within the budget"
    return f"{type(error).__name__}: {error}"


def _is_stale(connection: AbstractConnection) -> bool:
    """Say whether a connection that should be silent has something to read: its end, or an answer to nobody."""
    try:
        return connection.can_read(timeout=0)
    except (RedisError, OSError):
        return True
