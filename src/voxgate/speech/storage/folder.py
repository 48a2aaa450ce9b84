"""The folder of finished audio: each file written once, named by what it sounds like, gone when it expires."""

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

from voxgate.speech.artifacts import (
    OVERSHOOT,
    Artifact,
    ArtifactStorageError,
    ArtifactTooLargeError,
    Beside,
    OpenedAudio,
    Swept,
    artifact_name,
    is_artifact_name,
    nothing_beside,
)

MIN_FREE_BYTES = 1 << 20
"""Room on the disk below which no new audio is accepted."""

_PART = ".part"
_LOCK = ".lock"


class FolderArtifacts:
    """Finished audio in one folder, for any number of threads and processes of one machine.

    The name says what is in the file, so equal requests share one file and a file never changes. Who may read it is
    not decided here. A file's modification time is when it was last asked for, and `ttl_s` later it expires.

    Args:
        folder: Where the files lie; made at the first write.
        now_ms: Gives the milliseconds since the epoch, UTC.
        ttl_s: Seconds an artifact is kept after it was last written or touched.
        quota_bytes: Size the folder may have.
    """

    def __init__(self, folder: Path, *, now_ms: Callable[[], int], ttl_s: int, quota_bytes: int) -> None:
        self._folder = folder
        self._now_ms = now_ms
        self._ttl_ms = ttl_s * 1000
        self._quota_bytes = quota_bytes
        self._unswept_bytes = 0

    def write(
        self,
        fingerprint: str,
        suffix: str,
        writer: Callable[[BinaryIO], object],
        *,
        beside: Beside = nothing_beside,
    ) -> Artifact:
        """Store what `writer` writes, whole or not at all; takes and raises what `Artifacts.write` does."""
        name = artifact_name(fingerprint, suffix)
        try:
            if not self._folder.is_dir():
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            artifact = self._write(name, writer, beside)
            if self._unswept_bytes > self._quota_bytes // OVERSHOOT:
                self.sweep()
        except OSError as error:
            raise ArtifactStorageError(error) from error
        return artifact

    def find(self, name: str) -> Path | None:
        """Find an artifact by name; None if there is none, it has expired, or the name is none."""
        if not is_artifact_name(name):
            return None
        path = self._folder / name
        try:
            used_at_ms = _used_at_ms(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArtifactStorageError(error) from error
        return path if used_at_ms + self._ttl_ms > self._now_ms() else None

    def open(self, name: str) -> OpenedAudio | None:
        """Open an artifact for reading; None if there is none, it has expired, or the name is none."""
        path = self.find(name)
        if path is None:
            return None
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None  # it expired between the look and the opening
        except OSError as error:
            raise ArtifactStorageError(error) from error
        return OpenedAudio(file, os.fstat(file.fileno()).st_size)

    def sign_url(self, name: str) -> None:
        """Give None: a folder has no address."""

    def check(self) -> None:
        """Return when audio can be stored now; makes the folder when it is missing.

        Raises:
            ArtifactStorageError: The disk is full, or the folder cannot be written.
        """
        try:
            fault = _find_fault(self._folder)
        except OSError as error:
            raise ArtifactStorageError(error) from error
        if fault is not None:
            raise ArtifactStorageError(OSError(fault, os.strerror(fault)))

    def touch(self, name: str) -> Artifact | None:
        """Keep an artifact for another `ttl_s` from now; None if it is not there (any more)."""
        if not is_artifact_name(name):
            return None
        try:
            with self._locked():
                return None if self.find(name) is None else self._touched(name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArtifactStorageError(error) from error

    def sweep(self) -> Swept:
        """Remove what has expired, then the oldest until the quota holds, and what dead writers left.

        Never removes a file that is being written.

        Raises:
            ArtifactStorageError: The folder cannot be read or changed.
        """
        self._unswept_bytes = 0
        try:
            with self._locked():
                abandoned = sum(_remove_if_abandoned(path) for path in self._folder.glob(f"*{_PART}"))
                kept = [path for path in self._folder.iterdir() if is_artifact_name(path.name)]
                aged = sorted((_used_at_ms(path), path.stat().st_size, path) for path in kept)
                expired = self._remove_expired(aged)
                over_quota = self._remove_over_quota(aged[expired:])
        except FileNotFoundError:
            return Swept(0, 0, 0)
        except OSError as error:
            raise ArtifactStorageError(error) from error
        return Swept(expired, over_quota, abandoned)

    def _write(self, name: str, writer: Callable[[BinaryIO], object], beside: Beside) -> Artifact:
        with contextlib.ExitStack() as held:
            parts = [self._write_part(name, writer, held)]
            for suffix, data in beside().items():
                more = artifact_name(name.partition(".")[0], suffix)
                parts.append(self._write_part(more, partial(_write_all, data), held))
            with self._locked():
                # What belongs to an artifact has its name first, and one look at the disk is enough for all names.
                artifacts = [self._named(part) for part in reversed(parts)]
            _sync_folder(self._folder)
        self._unswept_bytes += sum(artifact.size_bytes for artifact in artifacts)
        return artifacts[-1]

    def _write_part(self, name: str, writer: Callable[[BinaryIO], object], held: contextlib.ExitStack) -> "_Part":
        """Write one file under a name that passes, and keep it locked as long as it is `held`."""
        with self._locked():
            part = held.enter_context(_Part(self._folder / f"{name}.{secrets.token_hex(8)}{_PART}", name))
        writer(part.out)
        part.sync()
        if part.size_bytes > self._quota_bytes:
            raise ArtifactTooLargeError(part.size_bytes, self._quota_bytes)
        return part

    def _named(self, part: "_Part") -> Artifact:
        name = part.final_name
        if self.find(name) is not None:
            return self._touched(name)
        now_ms = self._now_ms()
        _set_used(part.out.fileno(), now_ms)
        part.rename(self._folder / name)
        return Artifact(name, part.size_bytes, now_ms + self._ttl_ms)

    def _touched(self, name: str) -> Artifact:
        path = self._folder / name
        now_ms = self._now_ms()
        _set_used(path, now_ms)
        return Artifact(name, path.stat().st_size, now_ms + self._ttl_ms)

    def _remove_expired(self, aged: list[tuple[int, int, Path]]) -> int:
        expired = [path for used_at_ms, _, path in aged if used_at_ms + self._ttl_ms <= self._now_ms()]
        for path in expired:
            path.unlink()
        return len(expired)

    def _remove_over_quota(self, aged: list[tuple[int, int, Path]]) -> int:
        total_bytes = sum(size_bytes for _, size_bytes, _ in aged)
        removed = 0
        for _, size_bytes, path in aged:
            if total_bytes <= self._quota_bytes:
                break
            path.unlink()
            total_bytes -= size_bytes
            removed += 1
        return removed

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep every other thread and process from naming, touching and removing artifacts meanwhile."""
        lock = os.open(f"{self._folder}/{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


class _Part:
    """A file that is left only if it is given its name; locked as long as its writer lives, even when that is killed.

    Attributes:
        out: Where its bytes are written.
        final_name: Its name to be.
        size_bytes: How long it is, once it is on the disk.
    """

    def __init__(self, path: Path, final_name: str) -> None:
        self.out = path.open("xb")
        fcntl.flock(self.out, fcntl.LOCK_EX)
        self.final_name = final_name
        self.size_bytes = 0
        self._path = path
        self._is_named = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            self.out.close()
        finally:
            if not self._is_named:
                self._path.unlink(missing_ok=True)

    def sync(self) -> None:
        """Return once everything is on the disk."""
        self.out.flush()
        os.fsync(self.out.fileno())
        self.size_bytes = os.fstat(self.out.fileno()).st_size

    def rename(self, path: Path) -> None:
        """Give it its name."""
        self._path.replace(path)
        self._is_named = True


def _used_at_ms(path: Path) -> int:
    return path.stat().st_mtime_ns // 1_000_000


def _set_used(file: Path | int, at_ms: int) -> None:
    os.utime(file, ns=(at_ms * 1_000_000, at_ms * 1_000_000))


def _write_all(data: bytes, out: BinaryIO) -> None:
    out.write(data)


def _remove_if_abandoned(part: Path) -> bool:
    with contextlib.suppress(FileNotFoundError, BlockingIOError), part.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.unlink()
        return True
    return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _find_fault(folder: Path) -> int | None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return errno.EACCES
    disk = os.statvfs(folder)
    return errno.ENOSPC if disk.f_bavail * disk.f_frsize < MIN_FREE_BYTES else None
