"""The file of security events: many processes append; it rotates by size and age and neither loses nor tears a line."""

import contextlib
import fcntl
import json
import logging
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from voxgate.logs.lines import JsonLines

_HEAD_BYTES = 4096  # enough of the first line to read its time


class SecurityLog(logging.Handler):
    """Appends each event to a file that several processes share, and keeps the last few files.

    Every line is one write to a file opened for appending, so lines of different processes never mix. Rotation only
    renames, under a lock; who has the old file open writes its line there. A line that a full disk has cut is ended by
    the next one, so at most the line that did not fit is unreadable.
    """

    def __init__(self, path: Path, *, max_bytes: int = 10_485_760, max_age_s: int = 0, kept: int = 5) -> None:
        """Write to a path; nothing is opened before the first event.

        Args:
            path: The file; its folder is made when missing.
            max_bytes: Size at which a new file is begun.
            max_age_s: Seconds after its first line at which a new file is begun; 0 for never.
            kept: Older files that are kept, as ``security.log.1`` (the newest) and so on.
        """
        super().__init__()
        self.setFormatter(JsonLines())
        self._path = path
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._kept = kept
        self._is_failing = False
        self._began: tuple[int, float] = (0, 0.0)  # inode of the file, and when its first line was written

    def emit(self, record: logging.LogRecord) -> None:
        """Append one line; a full disk is told once on standard error and never disturbs the caller."""
        try:
            self._append(f"{self.format(record)}\n".encode(), at_s=record.created)
            self._is_failing = False
        except OSError as error:
            if not self._is_failing:
                print(f"voxgate: security events are being lost: {error}", file=sys.stderr)  # noqa: T201 -- the log is down
            self._is_failing = True

    def _append(self, line: bytes, *, at_s: float) -> None:
        file = self._open()
        try:
            size_bytes = os.fstat(file).st_size
            if size_bytes and os.pread(file, 1, size_bytes - 1) != b"\n":
                line = b"\n" + line
            written = os.write(file, line)
            if written < len(line):
                raise OSError(f"only {written} of {len(line)} bytes of an event fit")
            is_due = self._is_due(file, at_s)
        finally:
            os.close(file)
        if is_due:
            self._rotate(at_s)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            return os.open(self._path, flags, 0o600)

    def _is_due(self, file: int, at_s: float) -> bool:
        found = os.fstat(file)
        if found.st_size >= self._max_bytes:
            return True
        if not self._max_age_s:
            return False
        if self._began[0] != found.st_ino:
            self._began = found.st_ino, _first_time_s(file, instead_s=at_s)
        return at_s - self._began[1] >= self._max_age_s

    def _rotate(self, at_s: float) -> None:
        with _locked(self._path.parent):
            if not self._is_still_due(at_s):
                return  # another process has just done it
            for number in range(self._kept - 1, 0, -1):
                older = self._path.with_name(f"{self._path.name}.{number}")
                if older.exists():
                    older.rename(self._path.with_name(f"{self._path.name}.{number + 1}"))
            self._path.rename(self._path.with_name(f"{self._path.name}.1"))
            self._began = 0, 0.0

    def _is_still_due(self, at_s: float) -> bool:
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return self._is_due(file, at_s)
        finally:
            os.close(file)


def _first_time_s(file: int, *, instead_s: float) -> float:
    """Return when the first line of a file was written, in seconds since the epoch."""
    try:
        first = json.loads(os.pread(file, _HEAD_BYTES, 0).partition(b"\n")[0])
        return datetime.fromisoformat(first["timestamp"]).timestamp()
    except (ValueError, KeyError, TypeError):
        return instead_s  # a line of another make, or cut: its age counts from now


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
