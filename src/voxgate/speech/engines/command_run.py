"""One run of a program: text on its standard input, bytes from its standard output, within bounds."""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from voxgate.speech.errors import EngineError

MEMORY_BYTES = 4 << 30
_LAUNCHER = Path(__file__).with_name("command_launcher.py")
_READ_BYTES = 1 << 16


def run_command(argv: Sequence[str], data: bytes, *, max_bytes: int, deadline_s: float) -> bytes:
    """Run a program once and give what it has written.

    It runs in an empty folder, without the service's environment, as the first of a group of processes that all end
    with it or at the deadline.

    Args:
        argv: Full path of the program and its arguments.
        data: What it reads.
        max_bytes: A program that writes more is ended.
        deadline_s: For the whole run; its processor time is bounded by the same.

    Raises:
        EngineError: It does not start, fails, writes too much, or is not done in time.
    """
    deadline = time.monotonic() + deadline_s
    launcher = (sys.executable, "-I", "-S", str(_LAUNCHER), str(deadline_s + 1), str(MEMORY_BYTES))
    with tempfile.TemporaryDirectory(prefix="voxgate-command-", ignore_cleanup_errors=True) as folder:
        try:
            process = subprocess.Popen(  # noqa: S603 -- the operator's program, no shell
                (*launcher, *argv),
                cwd=folder,
                env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": folder, "TMPDIR": folder},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError("engine_unavailable", str(error)) from error
        with process:
            try:
                written = _exchange(process, data, max_bytes=max_bytes, deadline=deadline)
                status = process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired as error:
                raise EngineError("deadline_exceeded") from error
            finally:
                # Its children too: the group outlives its first process.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
    if status:
        raise EngineError("engine_crashed", f"exit status {status}")
    return written


def _exchange(process: subprocess.Popen[bytes], data: bytes, *, max_bytes: int, deadline: float) -> bytes:
    assert process.stdin is not None  # noqa: S101 - asked for above
    assert process.stdout is not None  # noqa: S101
    rest, out = memoryview(data), bytearray()
    os.set_blocking(process.stdin.fileno(), False)
    poll = select.poll()
    poll.register(process.stdin, select.POLLOUT)
    poll.register(process.stdout, select.POLLIN)
    stdin = process.stdin.fileno()
    while True:
        ready = dict(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
        if not ready:
            raise EngineError("deadline_exceeded")
        if stdin in ready and not (rest := _feed(stdin, rest)):
            poll.unregister(stdin)
            process.stdin.close()
            stdin = -1
        if process.stdout.fileno() in ready:
            block = os.read(process.stdout.fileno(), _READ_BYTES)
            out += block
            if len(out) > max_bytes:
                raise EngineError("audio_too_long")
            if not block:
                return bytes(out)


def _feed(stdin: int, rest: memoryview) -> memoryview:
    """Write what goes in now; a program may end without having read everything."""
    try:
        return rest[os.write(stdin, rest) :]
    except BrokenPipeError:
        return memoryview(b"")
