"""The load: a few kept-alive connections that ask again as soon as they are answered, from a process of its own."""

import itertools
import json
import select
import socket
import subprocess
import sys
import time
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

CONNECTIONS = 8
PATH = "/protected"
_TIMEOUT_S = 30.0
# As granian writes it, which serves every target.
_LENGTH = b"\r\ncontent-length: "
_AT_ONCE_BYTES = 16384


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask, and for how long.

    Attributes:
        port: Port of the server on the loopback address.
        tokens: Bearer tokens, used in turn.
        seconds: When to stop asking; None asks with every token once.
        repeats: Whether to begin again with the first token after the last; otherwise the load ends there.
    """

    port: int
    tokens: Sequence[str]
    seconds: float | None = None
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back.

    Attributes:
        requests: How many were answered.
        seconds: From the first question to the last answer.
        p50_ms: Median time to an answer, in milliseconds.
        p99_ms: The time that one answer in a hundred exceeded, in milliseconds.
        statuses: How often each status came.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    statuses: dict[str, int]


def drive(load: Load) -> Answers:
    """Run a load in a process of its own, so that its work never waits for ours and is counted nowhere."""
    command = [sys.executable, "-m", "benchmarks.load"]
    done = subprocess.run(command, input=json.dumps(asdict(load)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the load failed: {done.stderr.strip()}")
    return Answers(**json.loads(done.stdout))


def main() -> None:
    """Read a load from standard input, run it, write the answers to standard output."""
    json.dump(asdict(run(Load(**json.load(sys.stdin)))), sys.stdout)


def run(load: Load) -> Answers:
    """Run a load in this process."""
    requests = [_request(token) for token in load.tokens]
    source = itertools.cycle(requests) if load.repeats else iter(requests)
    durations, statuses = array("q"), Counter[bytes]()
    poll = select.epoll()
    start_ns = time.perf_counter_ns()
    end_ns = start_ns + int((load.seconds or _TIMEOUT_S * 100) * 1e9)
    busy = {}
    for request in itertools.islice(source, CONNECTIONS):
        connection = _Connection(load.port)
        connection.ask(request)
        poll.register(connection.number, select.EPOLLIN)
        busy[connection.number] = connection
    while busy:
        ready = poll.poll(_TIMEOUT_S)
        if not ready:
            raise TimeoutError(f"no answer within {_TIMEOUT_S} s")
        for number, _ in ready:
            connection = busy[number]
            status = connection.read()
            if status is None:
                continue
            now_ns = time.perf_counter_ns()
            statuses[status] += 1
            durations.append(now_ns - connection.asked_ns)
            following = next(source, None) if now_ns < end_ns else None
            if following is None:
                poll.unregister(number)
                busy.pop(number).close()
            else:
                connection.ask(following)
    return _summary(durations, statuses, (time.perf_counter_ns() - start_ns) / 1e9)


class _Connection:
    """One kept-alive connection with one question at a time.

    It takes as few steps as it can: what this process uses of the two cores, the server waits for.
    """

    __slots__ = ("_receive", "_received", "_send", "asked_ns", "close", "number")

    def __init__(self, port: int) -> None:
        connected = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(None)  # or each call would first ask whether it may; the poll has the timeout
        self._receive, self._send, self.close = connected.recv, connected.sendall, connected.close
        self._received = b""
        self.number = connected.fileno()
        self.asked_ns = 0

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self.asked_ns = time.perf_counter_ns()
        self._send(request)

    def read(self) -> bytes | None:
        """Return the status once the answer is complete."""
        received = self._receive(_AT_ONCE_BYTES)
        if not received:
            raise ConnectionError("the server closed a kept-alive connection")
        if self._received:
            received = self._received + received
        end = received.find(b"\r\n\r\n")
        length = received.find(_LENGTH, 0, end)
        if end >= 0 and length < 0:
            raise ValueError(f"an answer without a length: {received!r}")
        if end < 0 or len(received) - end - 4 < int(received[length + len(_LENGTH) : received.find(b"\r", length + 2)]):
            self._received = received
            return None
        self._received = b""
        return received[9:12]


def _request(token: str) -> bytes:
    return f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def _summary(durations: Sequence[int], statuses: Mapping[bytes, int], seconds: float) -> Answers:
    ordered = sorted(durations)
    count = len(ordered)
    return Answers(
        requests=count,
        seconds=seconds,
        p50_ms=ordered[count // 2] / 1e6,
        p99_ms=ordered[count * 99 // 100] / 1e6,
        statuses={status.decode(): times for status, times in statuses.items()},
    )


if __name__ == "__main__":
    main()
