"""The real command as processes of its own: started, asked over loopback, stopped, killed, and never left behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.calls import Api
from tests.support.waiting import eventually

LISTENING = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")
COMMAND = (sys.executable, "-m", "voxgate")

# Wide enough that no journey meets a limit that it is not about.
WIDE = {
    f"RATELIMIT_{name}": "1000000 per minute"
    for name in ("DEFAULT", "STANDARD", "TTS_GENERATE", "TTS_STATUS", "LOGIN", "LOGIN_ADDRESS", "REGISTER", "REFRESH")
}


class Served:
    """One `voxgate serve` with its workers and engines, in a process group and an environment of its own.

    Args:
        data: Data folder; several services may share one.
        workers: Server processes.
        settings: Environment variables beside the few that every program needs.
    """

    def __init__(self, data: Path, *, workers: int = 1, settings: dict[str, str] | None = None) -> None:
        self.data = data
        self._has_ended = False
        self._home = data.parent / f"{data.name}-home"
        self._home.mkdir(exist_ok=True)
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(self._home), "LANG": "C.UTF-8", **(settings or {})}
        self._stdout, self._stderr = (self._new_file(name) for name in ("stdout", "stderr"))
        arguments = ("serve", "--port", "0", "--data", str(data), "--workers", str(workers))
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [*COMMAND, *arguments],
                env=self._environment,
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def api(self) -> Api:
        """The service, asked without a credential."""
        return Api(self.url)

    @property
    def url(self) -> str:
        """Its address, as it tells itself; waits until it is told."""
        return eventually(self._find_url, "the address of the service")

    @property
    def output(self) -> str:
        """Everything it has written."""
        return self._stdout.read_text() + self._stderr.read_text()

    @property
    def pids(self) -> list[int]:
        """Every living process of its group: the command, its workers, their engines."""
        return [pid for pid, (group, state) in _processes().items() if group == self._process.pid and state != "Z"]

    @property
    def engines(self) -> list[int]:
        """The living engine processes."""
        return [pid for pid in self.pids if b"espeak" in _command_of(pid)]

    @property
    def workers(self) -> list[int]:
        """The living server processes, without the command that started them."""
        return [pid for pid in self.pids if pid != self._process.pid and pid not in self.engines]

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run another command on the same data folder and return what it prints; it must succeed."""
        done = subprocess.run(
            [*COMMAND, *arguments, "--data", str(self.data)],
            env=self._environment,
            cwd=self._home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self) -> int:
        """Ask it to stop, as a service manager does; returns its exit status once every process has ended."""
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(timeout=60)
        self._wait_for_the_end()
        return status

    def kill(self) -> None:
        """Kill every process at once, as a power cut does; killing again is no error."""
        if not self._has_ended:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._wait_for_the_end()

    def _wait_for_the_end(self) -> None:
        eventually(lambda: not self.pids, "the end of every process")
        self._has_ended = True  # from now on another program may have its number

    def _find_url(self) -> str | None:
        assert self._process.poll() is None, self.output
        found = LISTENING.search(self._stdout.read_text())
        return found and found[1]

    def _new_file(self, name: str) -> Path:
        return self._home / f"{name}{len(list(self._home.glob(f'{name}*')))}.txt"


def _processes() -> dict[int, tuple[int, str]]:
    """Return the process group and the state of every process of this machine."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it may end while it is looked at
            state, _, group = file.read_text().rpartition(")")[2].split()[:3]
            found[int(file.parent.name)] = (int(group), state)
    return found


def _command_of(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _serving(folder: Path) -> Iterator[Callable[..., Served]]:
    """Give what starts services; each one is killed at the end, whatever became of the test."""
    started = []

    def start(data: str = "data", *, workers: int = 1, **settings: str) -> Served:
        started.append(Served(folder / data, workers=workers, settings=settings))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            one.kill()


@pytest.fixture
def serve(tmp_path):
    """Start services for one test."""
    yield from _serving(tmp_path)


@pytest.fixture(scope="module")
def serve_one(tmp_path_factory):
    """Start services for the tests of one file."""
    yield from _serving(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """One service with wide limits that the journeys share; each brings an account of its own."""
    for start in _serving(tmp_path_factory.mktemp("served")):
        one = start(**WIDE)
        yield one
        assert "Traceback" not in one.output
