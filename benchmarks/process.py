"""What a process and its children have cost: CPU time to the nanosecond, and memory; Linux only."""

import contextlib
import ctypes
import os
import time
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """Return a process and all its descendants, itself first."""
    members = [pid]
    for children in (_PROC / str(pid) / "task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread may end while it is looked at
            for child in children.read_text().split():
                members += family(int(child))
    return members


def cpu_ns(pid: int) -> int:
    """Return the CPU time of a process and its descendants, user and system, of all threads that ever were."""
    return sum(time.clock_gettime_ns(_cpu_clock(member)) for member in family(pid))


def rss_mib(pid: int) -> float:
    """Return the resident memory of the workers of a server: of its descendants, or its own when it has none."""
    members = family(pid)
    workers = members[1:] or members
    pages = sum(int((_PROC / str(member) / "statm").read_text().split()[1]) for member in workers)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cpu_clock(pid: int) -> int:
    # The clock of another process has no wrapper in Python; ticks of /proc/PID/stat are 10 ms, too coarse for a round.
    clock = ctypes.c_int()
    error = _libc.clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise OSError(error, os.strerror(error))
    return clock.value
