"""Clients that have stopped reading: their connections are dropped by the kernel, with what waits for them in memory.

The server under the workers bounds how long a client may take to send its headers, but not how long one may take
nothing of its answer. Linux can: TCP_USER_TIMEOUT (RFC 5482) counts while nothing that was sent is acknowledged or
taken, and a connection has it from the socket that it was accepted on. Other systems have no such option.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

STALL_MS = 120_000
_OPTION = getattr(socket, "TCP_USER_TIMEOUT", None)
_OPEN_FILES = Path("/proc/self/fd")
_WAIT_S = 30.0
_POLL_S = 0.05


def drop_stalled(port: int, *, stall_ms: int = STALL_MS) -> threading.Thread | None:
    """Drop every connection to a port of this process that takes nothing for so long; None where that cannot be done.

    Returns:
        The thread that waits until the server listens; it ends then, or after half a minute.
    """
    if _OPTION is None or not _OPEN_FILES.is_dir():
        return None
    thread = threading.Thread(target=_mark, args=(port, stall_ms), name="voxgate-stalls", daemon=True)
    thread.start()
    return thread


def _mark(port: int, stall_ms: int) -> None:
    until = time.monotonic() + _WAIT_S
    while not _mark_listening(port, stall_ms) and time.monotonic() < until:
        time.sleep(_POLL_S)


def _mark_listening(port: int, stall_ms: int) -> bool:
    """Mark each socket of this process that listens on a port; False when there is none yet."""
    is_marked = False
    for entry in os.listdir(_OPEN_FILES):  # noqa: PTH208 -- numbers, not paths
        with contextlib.suppress(OSError), _borrowed(int(entry)) as one:
            if _listens(one, port):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, stall_ms)
                is_marked = True
    return is_marked


@contextlib.contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """Give the socket of a descriptor, which stays open; OSError when it is closed meanwhile, or no socket.

    Nothing is duplicated to be closed again: to close any handle of a file ends every lock that this process has on
    it (POSIX, fcntl), and a database without its locks loses what others write.
    """
    one = socket.socket(fileno=descriptor)
    try:
        yield one
    finally:
        one.detach()


def _listens(one: socket.socket, port: int) -> bool:
    if one.family not in (socket.AF_INET, socket.AF_INET6) or one.type != socket.SOCK_STREAM:
        return False
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) and one.getsockname()[1] == port
