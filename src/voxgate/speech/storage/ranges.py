"""An object of a bucket as a file that is read in order: a little at first, ever more while the reader goes on."""

import os
from collections.abc import Callable

_FIRST_BYTES = 1 << 16
_MOST_BYTES = 1 << 22


class ObjectFile:
    """Reads an object by ranges; for one thread.

    Args:
        read_range: Gives the bytes from a start up to an end.
        size_bytes: Size of the object.
    """

    def __init__(self, read_range: Callable[[int, int], bytes], size_bytes: int) -> None:
        self._read_range = read_range
        self._size_bytes = size_bytes
        self._place = 0
        self._held = b""
        self._held_from = 0
        self._ahead_bytes = _FIRST_BYTES

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, all that is left when negative; nothing at the end."""
        left = self._size_bytes - self._place
        wanted = left if size < 0 else min(size, left)
        parts = []
        while wanted > 0:
            part = self._take(wanted)
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place; gives it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size_bytes}[whence]
        self._place = max(0, base + offset)
        return self._place

    def seekable(self) -> bool:
        """Tell that `seek` works."""
        return True

    def tell(self) -> int:
        """Give the place that is read next."""
        return self._place

    def close(self) -> None:
        """Let go of what is held."""
        self._held = b""

    def _take(self, wanted: int) -> bytes:
        start = self._place - self._held_from
        if not 0 <= start < len(self._held):
            end = min(self._size_bytes, self._place + max(self._ahead_bytes, min(wanted, _MOST_BYTES)))
            self._held, self._held_from, start = self._read_range(self._place, end), self._place, 0
            if not self._held:
                raise EOFError("the object is shorter than it was")
            self._ahead_bytes = min(self._ahead_bytes * 2, _MOST_BYTES)
        part = self._held[start : start + wanted]
        self._place += len(part)
        return part
