"""A count of changes that every process of a machine reads from its own memory."""

import mmap
import os
from pathlib import Path

_SIZE_BYTES = 8


class ChangeCount:
    """Eight bytes of a file, mapped into memory by all who read or increase them.

    Args:
        path: The file; made when it is first needed, and of no use but to running processes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count: memoryview[int] | None = None

    def read(self) -> object:
        """Return what differs after every change; without the file always something else, so nothing is trusted."""
        count = self._count
        if count is None:
            try:
                count = self._open()
            except OSError:
                return object()
        return count[0]

    def increase(self) -> None:
        """Count a change; only one process at a time may do this. Without the file nobody trusts a count."""
        count = self._count
        try:
            count = count or self._open()
        except OSError:
            return
        count[0] = (count[0] + 1) % (1 << 64)

    def _open(self) -> "memoryview[int]":
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size < _SIZE_BYTES:
                os.truncate(descriptor, _SIZE_BYTES)
            # The mapping stays as long as something looks at it.
            self._count = memoryview(mmap.mmap(descriptor, _SIZE_BYTES)).cast("Q")
        finally:
            os.close(descriptor)
        return self._count
