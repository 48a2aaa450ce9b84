"""Serves one target with granian: one worker, four threads, a free port; the same for all."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import process
from benchmarks.load import PATH
from benchmarks.targets import Target
from benchmarks.targets.base import Place

ROOT = Path(__file__).resolve().parent.parent
BLOCKING_THREADS = 4
_START_S = 30.0
_STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """A target that is being served."""

    port: int
    pid: int

    def cpu_ns(self) -> int:
        """Return the CPU time that the server has used so far, all its processes together."""
        return process.cpu_ns(self.pid)

    def rss_mib(self) -> float:
        """Return the resident memory of the worker."""
        return process.rss_mib(self.pid)

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask once, without a credential; returns status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_STOP_S)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()


@contextlib.contextmanager
def serve(target: Target, place: Place) -> Iterator[Server]:
    """Serve a target until the block ends.

    Raises:
        RuntimeError: The server did not start; its own words are in the message.
    """
    port = free_port()
    environment = {**os.environ, **place.environment(), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryFile("w+") as output:
        running = subprocess.Popen(
            _command(target, port), env=environment, cwd=place.folder, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            server = Server(port=port, pid=running.pid)
            if not _answers(server, running):
                output.seek(0)
                raise RuntimeError(f"{target.name} did not start: {output.read()[-2000:]}")
            yield server
        finally:
            stop(running)


def stop(running: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """End a process that was started here."""
    running.terminate()
    try:
        running.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _command(target: Target, port: int) -> list[str]:
    is_wsgi = target.interface == "wsgi"
    threads = ["--blocking-threads", str(BLOCKING_THREADS)] if is_wsgi else ["--loop", "uvloop"]
    place = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--runtime-threads", "1", *threads]
    quiet = ["--no-access-log", "--no-ws", "--log-level", "warning"]
    application = f"{target.module}:{target.factory}"
    return [sys.executable, "-m", "granian", "--interface", target.interface, *place, *quiet, "--factory", application]


def _answers(server: Server, running: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _START_S
    while running.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            server.get(PATH)
            return True
        time.sleep(0.05)
    return False
