"""An operator's own list of passwords that are refused: plain or hashed, read offline, bounded in memory."""

import hashlib
import mmap
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from pathlib import Path

from voxgate.accounts.names import fold, normalize
from voxgate.gate.errors import ConfigurationError

SETTING = "VOXGATE_PASSWORD_BLOCKLIST"
MAX_PLAIN_LINES = 4_000_000  # 32 MB as digests; more is sorted and hashed by its owner, and then costs no memory

_HASHED = re.compile(rb"[0-9A-Fa-f]{40}(?:[0-9A-Fa-f]{24})?(?=[:\r\n]|$)")
_SHA1_DIGITS = 40
_SAMPLES = 1000

IsBlocked = Callable[[str], bool]
"""Tells whether a password is on the list."""


def open_blocklist(path: Path) -> IsBlocked:
    """Open a list of passwords, one a line.

    A list of plain passwords is compared without case and kept as short digests. A list whose lines begin with SHA-1 or
    SHA-256 digests in hexadecimal, sorted, as the large public lists come, stays on disk and is searched there.

    Raises:
        ConfigurationError: The file cannot be read, is too long to be kept, or is hashed and not sorted.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(200)
            if not _HASHED.match(first):
                file.seek(0)
                return _PlainList(file).holds
            return _HashedList(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), first).holds
    except OSError as error:
        raise ConfigurationError(SETTING, f"cannot read {str(path)!r}: {error.strerror}") from error


class _PlainList:
    """Plain passwords as sorted digests of 64 bits; of a million, one password in ten trillion is hit by chance."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        digests = array("Q")
        for line in lines:
            if len(digests) >= MAX_PLAIN_LINES:
                raise ConfigurationError(SETTING, f"holds more than {MAX_PLAIN_LINES} lines; hash them and sort")
            text = line.rstrip(b"\r\n").decode(errors="replace")
            if text:
                digests.append(_short_digest(text))
        self._digests = array("Q", sorted(digests))

    def holds(self, password: str) -> bool:
        wanted = _short_digest(password)
        place = bisect_left(self._digests, wanted)
        return place < len(self._digests) and self._digests[place] == wanted


class _HashedList:
    """Sorted digests in a file, found by bisection over its bytes."""

    def __init__(self, data: mmap.mmap, first: bytes) -> None:
        self._data = data
        found = _HASHED.match(first)
        self._digits = len(found[0]) if found else 0
        step = max(1, len(data) // _SAMPLES)
        seen = [each for each in map(self._digest_at, range(0, len(data), step)) if each]
        if seen != sorted(seen) or not all(map(_HASHED.fullmatch, seen)):
            raise ConfigurationError(SETTING, "is a list of digests that are not sorted; sort it with LC_ALL=C")

    def holds(self, password: str) -> bool:
        name = "sha1" if self._digits == _SHA1_DIGITS else "sha256"
        spellings = {password, normalize(password), fold(password)}
        return any(self._has(hashlib.new(name, each.encode(), usedforsecurity=False).hexdigest()) for each in spellings)

    def _has(self, digest: str) -> bool:
        wanted = digest.upper().encode()
        low, high = 0, len(self._data)
        while low < high:
            middle = (low + high) // 2
            found = self._digest_at(middle)
            if found == wanted:
                return True
            if found and found < wanted:
                low = middle + 1
            else:
                high = middle
        return False

    def _digest_at(self, place: int) -> bytes:
        """Return the digest of the line that begins at a place or after it; empty behind the last."""
        begin = 0 if place == 0 else self._data.find(b"\n", place - 1) + 1
        if place and begin == 0:
            return b""
        return self._data[begin : begin + self._digits].upper()


def _short_digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(fold(text).encode("utf-8", "replace"), digest_size=8).digest(), "big")
