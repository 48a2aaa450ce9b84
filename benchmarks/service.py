"""A real `voxgate serve` for a benchmark: its own folder, a free port, one account, and limits that are never met."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_LISTENING = re.compile(rb"listening on (http://127\.0\.0\.1:\d+)")
_WIDE = (
    *("DEFAULT", "STANDARD", "TTS_GENERATE", "TTS_STATUS", "LOGIN", "LOGIN_ADDRESS", "REGISTER", "REFRESH"),
    "OPENAI_SPEECH",
)
WIDE = {f"RATELIMIT_{name}": "1000000 per minute" for name in _WIDE} | {
    "TTS_JOBS_AT_ONCE_STANDARD": "10000",
    "TTS_JOBS_UNFINISHED_STANDARD": "10000",
}
"""Limits wide enough for any run."""

_START_S = 60


@dataclass(frozen=True, slots=True)
class Service:
    """A service that answers.

    Attributes:
        pid: Process of the command; its workers and engines are its descendants.
        client: Asks it, with the credential of its one account.
    """

    pid: int
    client: "Client"


class Client:
    """Asks one service over one kept-alive connection; for one thread.

    Args:
        url: Address of the service.
        key: API key of an account; empty before there is one.
    """

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url
        self.key = key
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)

    def another(self) -> "Client":
        """Return a client with a connection of its own."""
        return Client(self.url, self.key)

    def open(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        """Send a request; the caller reads the whole answer before the next one."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        sent = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, body=sent, headers=headers)
        return self._connection.getresponse()

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Send a request and return its status and body."""
        answer = self.open(method, path, body)
        return answer.status, answer.read()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def join(self) -> None:
        """Register an account and use its key from now on."""
        who = {"username": "soak", "email": "soak@example.org", "password": "four plain words here"}
        status, data = self.ask("POST", "/api/v1/auth/register", who)
        if status != http.HTTPStatus.CREATED:
            raise RuntimeError(f"no account: {status} {data!r}")
        self.key = json.loads(data)["api_key"]


@contextlib.contextmanager
def serving(**settings: str) -> Iterator[Service]:
    """Serve for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="voxgate-bench-") as folder, (Path(folder) / "log").open("w+b") as log:
        environment = {"PATH": os.environ["PATH"], "HOME": folder, **WIDE, **settings}
        command = [sys.executable, "-m", "voxgate", "serve", "--port", "0", "--data", f"{folder}/data"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            client = Client(_wait_for_url(process, Path(folder) / "log"))
            client.join()
            yield Service(process.pid, client)
            client.close()
        finally:
            process.terminate()
            process.wait(30)


def _wait_for_url(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + _START_S
    while not (found := _LISTENING.search(log.read_bytes())):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the service did not start: {log.read_text()}")
        time.sleep(0.05)
    return found[1].decode()
