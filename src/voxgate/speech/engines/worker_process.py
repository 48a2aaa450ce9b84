"""One separate program that answers requests over its pipes, within deadlines."""

import contextlib
import fcntl
import json
import os
import select
import struct
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.speech.errors import EngineError

START_DEADLINE_S = 20.0
_MAX_HEADER_BYTES = 1 << 16
_READ_BYTES = 1 << 18
# Room for the sound of most segments, so that a worker is done with one when it has spoken it and goes on to the next,
# whatever the reader does meanwhile; usual pipes hold 64 kB, a second and a half.
_PIPE_BYTES = 1 << 20
FATAL = ("engine_crashed", "deadline_exceeded")
"""Reasons after which a process is of no more use."""

_OWN_REASONS = ("audio_too_long", "engine_refused", "engine_unavailable")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to a worker program.

    Attributes:
        request: The request's JSON object.
        pcm: Audio that goes with it.
        max_answer_bytes: A longer answer is taken for a broken program.
        deadline_s: For the whole exchange.
    """

    request: Mapping[str, object]
    pcm: bytes
    max_answer_bytes: int
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker program has answered.

    Attributes:
        header: The answer's JSON object.
        pcm: Its audio.
    """

    header: Mapping[str, Any]
    pcm: bytes


class WorkerProcess:
    """A running worker program; used by one thread at a time."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        """Start the program and wait until it is ready.

        Raises:
            EngineError: ``engine_unavailable`` when it does not start.
        """
        # The program sees nothing of the service's environment, which may hold its secrets.
        environment = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - a fixed command, no shell
            command,
            cwd=folder,
            env=environment,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        assert self._process.stdout is not None  # noqa: S101
        self._stdin, self._stdout = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)
        _widen(self._stdout)
        self._unread = bytearray()
        self._can_write, self._can_read = select.poll(), select.poll()  # select.select fails above 1024 open files
        self._can_write.register(self._stdin, select.POLLOUT)
        self._can_read.register(self._stdout, select.POLLIN)
        try:
            self._raise_error(self._receive_header(time.monotonic() + START_DEADLINE_S))
        except EngineError as error:
            self.end()
            raise EngineError("engine_unavailable", error.detail or error.reason) from error

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether the program still runs."""
        return self._process.poll() is None

    def ask(self, exchange: Exchange) -> Answer:
        """Send a request and give its answer.

        Raises:
            EngineError: ``engine_crashed`` or ``deadline_exceeded``: the process is of no more use. Any other
                reason is the program's own answer, and it stays ready.
        """
        answer, *rest = self.ask_in_parts(exchange)
        if rest:
            raise EngineError("engine_crashed", "a broken answer")
        return answer

    def ask_in_parts(self, exchange: Exchange) -> Generator[Answer, None, None]:
        """Send a request and give its answer in the parts in which the program sends it.

        Whoever wants no more of them waits for the program all the same, until it can be asked again.

        Raises:
            EngineError: As `ask` says.
        """
        deadline = time.monotonic() + exchange.deadline_s
        data = json.dumps(exchange.request).encode()
        self._send(struct.pack("<I", len(data)) + data + exchange.pcm, deadline)
        most, is_last = exchange.max_answer_bytes, False
        try:
            while not is_last:
                answer = self._receive_answer(most, deadline)
                most -= len(answer.pcm)
                is_last = not answer.header.get("is_part")
                yield answer
        except GeneratorExit:
            if not is_last:
                self._drop_rest(most, deadline)
            raise

    def kill(self) -> None:
        """Kill the program and wait for its end; another thread may be in the middle of an exchange."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Kill the program and free its pipes."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _receive_answer(self, max_bytes: int, deadline: float) -> Answer:
        header = self._receive_header(deadline)
        self._raise_error(header)
        size = header.get("pcm_bytes")
        if not isinstance(size, int) or not 0 <= size <= max_bytes:
            raise EngineError("engine_crashed", "a broken answer")
        return Answer(header, self._receive(size, deadline))

    def _drop_rest(self, max_bytes: int, deadline: float) -> None:
        """Read what nobody wants, because the next answer comes behind it; a program that cannot go on is killed."""
        try:
            while self._receive_answer(max_bytes, deadline).header.get("is_part"):
                pass
        except EngineError as error:
            if error.reason in FATAL:
                self.kill()

    def _receive_header(self, deadline: float) -> dict[str, Any]:
        size = struct.unpack("<I", self._receive(4, deadline))[0]
        if size > _MAX_HEADER_BYTES:
            raise EngineError("engine_crashed", "a broken answer")
        try:
            header = json.loads(self._receive(size, deadline))
        except ValueError as error:
            raise EngineError("engine_crashed", "a broken answer") from error
        return header if isinstance(header, dict) else {}

    @staticmethod
    def _raise_error(header: dict[str, Any]) -> None:
        if header.get("error") in _OWN_REASONS:
            raise EngineError(header["error"], str(header.get("detail", "")))

    def _receive(self, size: int, deadline: float) -> bytes:
        unread = self._unread
        while len(unread) < size:
            self._wait(self._can_read, deadline)
            block = os.read(self._stdout, max(_READ_BYTES, size - len(unread)))
            if not block:
                raise EngineError("engine_crashed", f"exit status {self._process.wait()}")
            unread += block
        received = bytes(memoryview(unread)[:size])
        del unread[:size]
        return received

    def _send(self, data: bytes, deadline: float) -> None:
        rest = memoryview(data)
        while rest:
            self._wait(self._can_write, deadline)
            try:
                rest = rest[os.write(self._stdin, rest) :]
            except BrokenPipeError as error:
                raise EngineError("engine_crashed", "its pipe is closed") from error

    @staticmethod
    def _wait(poll: select.poll, deadline: float) -> None:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise EngineError("deadline_exceeded")


def _widen(pipe: int) -> None:
    """Let a pipe hold more, where the system can and allows it."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
