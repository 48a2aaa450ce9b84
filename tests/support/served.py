"""The real command as processes of its own: started, asked over loopback, stopped, killed, and never left behind."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.calls import Api
from tests.support.forked import Forked
from tests.support.waiting import eventually

LISTENING = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")
COMMAND = (sys.executable, "-m", "voxgate")

# Wide enough that no journey meets a limit that it is not about.
WIDE = {
    f"RATELIMIT_{name}": "1000000 per minute"
    for name in ("DEFAULT", "STANDARD", "TTS_GENERATE", "TTS_STATUS", "LOGIN", "LOGIN_ADDRESS", "REGISTER", "REFRESH")
}


class Process:
    """One command with its children and engines, in a process group and an environment of its own.

    Args:
        arguments: What is run, without the data folder.
        data: Data folder; several services may share one.
        settings: Environment variables beside the few that every program needs.
        is_typed: Begin with Python itself, as what is typed does, and not where everything is imported.
    """

    def __init__(
        self, *arguments: str, data: Path, settings: dict[str, str] | None = None, is_typed: bool = False
    ) -> None:
        self.data = data
        self.database_url = f"sqlite:///{data / 'voxgate.db'}"
        self._has_ended = False
        self._home = data.parent / f"{data.name}-home"
        self._home.mkdir(exist_ok=True)
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(self._home), "LANG": "C.UTF-8", **(settings or {})}
        files = self._new_files()
        _, self._stdout, self._stderr = files
        arguments = (*arguments, "--data", str(data))
        self._process = self._type(arguments, files) if is_typed else self._fork(arguments, files)

    @property
    def output(self) -> str:
        """Everything it has written."""
        return self._stdout.read_text() + self._stderr.read_text()

    @property
    def pid(self) -> int:
        """The command's own process."""
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """Every living process of its group: the command, its workers, their engines."""
        return [pid for pid, (group, state) in _processes().items() if group == self._process.pid and state != "Z"]

    @property
    def engines(self) -> list[int]:
        """The living engine processes."""
        return [pid for pid in self.pids if b"espeak_worker" in _command_of(pid)]

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run another command on the same data folder and return what it prints; it must succeed."""
        files = given, stdout, stderr = self._new_files()
        given.write_text(stdin)
        status = self._fork((*arguments, "--data", str(self.data)), files).wait(timeout=90)
        assert status == 0, stderr.read_text()
        return stdout.read_text()

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

    def _fork(self, arguments: tuple[str, ...], files: list[Path]) -> Forked:
        return Forked(arguments, environment=self._environment, folder=self._home, files=files)

    def _type(self, arguments: tuple[str, ...], files: list[Path]) -> subprocess.Popen:
        with files[0].open("rb") as stdin, files[1].open("wb") as stdout, files[2].open("wb") as stderr:
            return subprocess.Popen(
                [*COMMAND, *arguments],
                env=self._environment,
                cwd=self._home,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    def _new_files(self) -> list[Path]:
        """Make what one command reads, and writes as output and as errors."""
        folder = Path(tempfile.mkdtemp(dir=self._home))
        files = [folder / name for name in ("stdin", "stdout", "stderr")]
        for file in files:
            file.touch()
        return files


class Served(Process):
    """One `voxgate serve` with its workers and engines.

    Args:
        data: Data folder.
        workers: Server processes.
        settings: Environment variables.
        is_typed: As `Process` has it.
    """

    def __init__(
        self, data: Path, *, workers: int = 1, settings: dict[str, str] | None = None, is_typed: bool = False
    ) -> None:
        arguments = ("serve", "--port", "0", "--workers", str(workers))
        super().__init__(*arguments, data=data, settings=settings, is_typed=is_typed)

    @property
    def api(self) -> Api:
        """The service, asked without a credential."""
        return Api(self.url)

    @property
    def url(self) -> str:
        """Its address, as it tells itself; waits until it is told."""
        return eventually(self._find_url, "the address of the service")

    @property
    def workers(self) -> list[int]:
        """The living server processes, without the command that started them."""
        return [pid for pid in self.pids if pid != self._process.pid and pid not in self.engines]

    def _find_url(self) -> str | None:
        assert self._process.poll() is None, self.output
        found = LISTENING.search(self._stdout.read_text())
        return found and found[1]


class Starter:
    """Starts commands on folders and databases of their own; those of one name share both.

    Args:
        folder: Where the data folders are.
        databases: Makes the databases, unless they are files, which the commands make themselves.
    """

    def __init__(self, folder: Path, databases) -> None:
        self._folder = folder
        self._databases = databases
        self._urls: dict[str, str] = {}
        self._started: list[Process] = []

    def __call__(self, data: str = "data", *, workers: int = 1, **settings: str) -> Served:
        """Start a service."""
        served = Served(self._folder / data, workers=workers, settings=self._find_database(data) | settings)
        served.database_url = self._urls.get(data, served.database_url)
        self._started.append(served)
        return served

    def work(self, data: str = "data", *, jobs: int = 1, is_typed: bool = False, **settings: str) -> Process:
        """Start a worker."""
        given = self._find_database(data) | settings
        arguments = ("worker", "--jobs", str(jobs))
        worker = Process(*arguments, data=self._folder / data, settings=given, is_typed=is_typed)
        self._started.append(worker)
        return worker

    def close(self) -> None:
        """Kill every process, and remove the databases."""
        for one in self._started:
            one.kill()
        for url in self._urls.values():
            self._databases.drop(url)

    def _find_database(self, data: str) -> dict[str, str]:
        if self._databases.kind == "sqlite":
            return {}
        if data not in self._urls:
            self._urls[data] = self._databases.make()
        return {"VOXGATE_DATABASE_URL": self._urls[data]}


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


@pytest.fixture
def serve(tmp_path, databases):
    """Start services for one test."""
    starter = Starter(tmp_path, databases)
    yield starter
    starter.close()


@pytest.fixture(scope="module")
def serve_one(tmp_path_factory, databases):
    """Start services for the tests of one file."""
    starter = Starter(tmp_path_factory.mktemp("served"), databases)
    yield starter
    starter.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory, databases):
    """One service with wide limits that the journeys share; each brings an account of its own."""
    starter = Starter(tmp_path_factory.mktemp("served"), databases)
    one = starter(**WIDE)
    yield one
    starter.close()
    assert "Traceback" not in one.output
