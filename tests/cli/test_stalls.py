"""Connections of clients that stop reading are dropped, by the kernel where it can."""

import contextlib
import fcntl
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest

from voxgate.cli import stalls

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has the option")

STALL_MS = 1_000


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one


@pytest.fixture
def connect(listening):
    """Connect a client that never reads; gives the server's end."""
    with contextlib.ExitStack() as stack:

        def call():
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(listening.getsockname())
            accepted = stack.enter_context(listening.accept()[0])
            accepted.settimeout(60)
            return accepted

        yield call


def test_client_that_stops_reading_is_dropped(listening, connect):
    """What was accepted after the mark ends by itself while the client is still there."""
    stalls.drop_stalled(listening.getsockname()[1], stall_ms=STALL_MS).join(60)
    accepted = connect()
    with pytest.raises(TimeoutError) as dropped:
        accepted.sendall(bytes(1 << 26))
    assert dropped.value.errno is not None  # the kernel's, not the test's own patience


def test_other_sockets_are_left_alone(listening):
    """A socket of another port, and one that does not listen, keep what they have."""
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_connection(listening.getsockname()) as client:
        stalls.drop_stalled(listening.getsockname()[1]).join(60)
        marks = [one.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) for one in (listening, other, client)]
    assert marks == [stalls.STALL_MS, 0, 0]


def test_locks_of_this_process_stay(listening, tmp_path):
    """Whoever closes a second handle of a file ends all locks on it; a database would lose what others write."""
    path = tmp_path / "file"
    with path.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        stalls.drop_stalled(listening.getsockname()[1]).join(60)
        asked = f"import fcntl; fcntl.lockf(open({str(path)!r}, 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert "BlockingIOError" in done.stderr


def test_wait_for_a_server_that_never_listens_ends(monkeypatch):
    """A worker that cannot start keeps no thread for it."""
    now = iter(range(0, 1000, 10))
    monkeypatch.setattr(stalls, "time", SimpleNamespace(monotonic=lambda: next(now), sleep=lambda _s: None))
    stalls.drop_stalled(1).join(60)


def test_nothing_is_done_where_the_system_cannot(monkeypatch):
    """Other systems have no such option."""
    monkeypatch.setattr(stalls, "_OPTION", None)
    assert stalls.drop_stalled(1) is None
