"""What is held of budgets while it is not decided whether it stays spent, noted so that a kill takes it from nobody."""

import contextlib
import fcntl
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

_SUFFIX = ".held"
_LONGEST_BYTES = 1 << 16


class Pending:
    """Holds whose request is being answered, each a line in a file of this process.

    The kernel unlocks the file when the process ends, in whatever way: so others know, without waiting for any time,
    that what stands in it is nobody's work any more. A folder that cannot be written costs that safety and nothing
    else. Safe to share between threads; the file is opened by the first hold, so in the process that has it.

    Args:
        folder: The folder of these files, the same for every process of the machine.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: dict[str, str] = {}
        self._abandoned: dict[str, str] = {}
        self._path: Path | None = None
        self._file = -1
        self._written = 0

    def begin(self, hold_id: str, held: str) -> None:
        """Note, before it is held, what will be held under a name."""
        with self._lock:
            self._open[hold_id] = held
            self._write(f"+{hold_id} {held}\n")

    def end(self, hold_id: str) -> None:
        """Note that what a name holds stays spent, or was given back; noting it again is no error."""
        with self._lock:
            self._open.pop(hold_id, None)
            self._abandoned.pop(hold_id, None)
            self._write(f"-{hold_id}\n")

    def abandon(self, hold_id: str) -> None:
        """Note that nobody knows what has become of a hold: `settling` gives it out."""
        with self._lock:
            if hold_id in self._open:
                self._abandoned[hold_id] = self._open[hold_id]

    def settling(self) -> Iterator[tuple[str, str]]:
        """Give the name and content of every hold that was abandoned, here or by a process that has ended.

        One whose turn comes to its end is forgotten; the others are given again next time.
        """
        with self._lock:
            abandoned = list(self._abandoned.items())
        for hold_id, held in abandoned:
            yield hold_id, held
            self.end(hold_id)
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with _opened(path) as file:
                if file is not None and _is_left(file):
                    yield from _read(os.pread(file, os.fstat(file).st_size, 0).decode(errors="replace"))
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; what stands in it is given out by another process, or at the next start."""
        with self._lock:
            self._leave(is_needed=bool(self._open))

    def _write(self, line: str) -> None:
        """Add a line; a file in which nothing is held any more is emptied instead, and a long one begun anew."""
        with contextlib.suppress(OSError):
            if self._open and (self._path is None or self._written > _LONGEST_BYTES):
                self._begin_file()
            elif self._open:
                self._written += os.write(self._file, line.encode())
            elif self._path is not None:
                os.ftruncate(self._file, 0)
                self._written = 0

    def _begin_file(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{secrets.token_hex(8)}{_SUFFIX}"
        # Under another name until it is locked, so that nobody takes it for that of a process that has ended.
        unlocked = path.with_suffix(".new")
        file = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        written = os.write(file, "".join(f"+{hold_id} {held}\n" for hold_id, held in self._open.items()).encode())
        unlocked.rename(path)
        self._leave(is_needed=False)
        self._path, self._file, self._written = path, file, written

    def _leave(self, *, is_needed: bool) -> None:
        if self._path is None:
            return
        if not is_needed:
            self._path.unlink(missing_ok=True)
        os.close(self._file)
        self._path = None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # another process was first
        yield None
        return
    try:
        yield file
    finally:
        os.close(file)


def _is_left(file: int) -> bool:
    """Tell whether the process has ended that a file belongs to; then it is ours until it is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(text: str) -> Iterator[tuple[str, str]]:
    found: dict[str, str] = {}
    # What stands behind the last line break was being written when its process was killed, before anything was held.
    for line in text.split("\n")[:-1]:
        hold_id, _, held = line[1:].partition(" ")
        if line.startswith("+"):
            found[hold_id] = held
        else:
            found.pop(hold_id, None)
    yield from found.items()
