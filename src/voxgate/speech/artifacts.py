"""The folder of finished audio: each file written once, named by what it sounds like, gone when it expires."""

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from voxgate.speech.errors import SpeechError

SUFFIXES = ("wav", "mp3", "flac", "opus", "aac", "pcm")
"""What an artifact's name may end with."""

_NAME = re.compile(rf"[0-9a-f]{{64}}\.(?:{'|'.join(SUFFIXES)})")
_PART = ".part"
_LOCK = ".lock"
# Between two sweeps one process may pass the quota by this share of it.
_OVERSHOOT = 20


class ArtifactStorageError(SpeechError):
    """The folder cannot be read or written: full, read-only, gone. Nothing was left behind; it may pass.

    Attributes:
        errno: The system's number for it; None if it gave none.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(f"audio cannot be stored: {error.strerror or type(error).__name__}")
        self.errno = error.errno


class ArtifactTooLargeError(SpeechError):
    """One audio alone is larger than the whole quota. Nothing was left behind; it would happen again.

    Attributes:
        size_bytes: Size of the audio.
        quota_bytes: Size the folder may have.
    """

    def __init__(self, size_bytes: int, quota_bytes: int) -> None:
        super().__init__(f"audio of {size_bytes} bytes is larger than the quota of {quota_bytes} bytes")
        self.size_bytes = size_bytes
        self.quota_bytes = quota_bytes


@dataclass(frozen=True, slots=True)
class Artifact:
    """One finished audio file.

    Attributes:
        name: Its name in the folder: fingerprint and suffix.
        path: Where it lies.
        size_bytes: Its size.
        expires_at_ms: Until when it is kept, unless the quota needs the room.
    """

    name: str
    path: Path
    size_bytes: int
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed.

    Attributes:
        expired: Artifacts past their time.
        over_quota: Artifacts, the oldest first, that the quota had no room for.
        abandoned: Half-written files whose writer has died.
    """

    expired: int
    over_quota: int
    abandoned: int


class Artifacts:
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

    def write(self, fingerprint: str, suffix: str, writer: Callable[[BinaryIO], object]) -> Artifact:
        """Store what `writer` writes, whole or not at all.

        If the artifact is there already when the writer is done, the first one stays and this one is dropped.

        Args:
            fingerprint: 64 hexadecimal digits that stand for the sound.
            suffix: One of `SUFFIXES`.
            writer: Writes the bytes into the open file it is given; what it raises passes through, except OSError.

        Raises:
            ArtifactStorageError: The disk did not take it.
            ArtifactTooLargeError: It is larger than the quota.
            ValueError: The name is none.
        """
        name = _checked(f"{fingerprint}.{suffix}")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            artifact = self._write(name, writer)
            self._unswept_bytes += artifact.size_bytes
            if self._unswept_bytes > self._quota_bytes // _OVERSHOOT:
                self.sweep()
        except OSError as error:
            raise ArtifactStorageError(error) from error
        return artifact

    def find(self, name: str) -> Path | None:
        """Find an artifact by name; None if there is none, it has expired, or the name is none."""
        if not _NAME.fullmatch(name):
            return None
        path = self._folder / name
        try:
            used_at_ms = _used_at_ms(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArtifactStorageError(error) from error
        return path if used_at_ms + self._ttl_ms > self._now_ms() else None

    def touch(self, name: str) -> Artifact | None:
        """Keep an artifact for another `ttl_s` from now; None if it is not there (any more)."""
        if not _NAME.fullmatch(name):
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
                kept = [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
                aged = sorted((_used_at_ms(path), path.stat().st_size, path) for path in kept)
                expired = self._remove_expired(aged)
                over_quota = self._remove_over_quota(aged[expired:])
        except FileNotFoundError:
            return Swept(0, 0, 0)
        except OSError as error:
            raise ArtifactStorageError(error) from error
        return Swept(expired, over_quota, abandoned)

    def _write(self, name: str, writer: Callable[[BinaryIO], object]) -> Artifact:
        part = self._folder / f"{name}.{secrets.token_hex(8)}{_PART}"
        try:
            with self._locked():
                out = _create_held(part)
            with out:
                writer(out)
                out.flush()
                os.fsync(out.fileno())
                size_bytes = os.fstat(out.fileno()).st_size
                if size_bytes > self._quota_bytes:
                    raise ArtifactTooLargeError(size_bytes, self._quota_bytes)
                with self._locked():
                    if self.find(name) is None:
                        part.replace(self._folder / name)
                    artifact = self._touched(name)
                _sync_folder(self._folder)
        finally:
            part.unlink(missing_ok=True)
        return artifact

    def _touched(self, name: str) -> Artifact:
        path = self._folder / name
        now_ms = self._now_ms()
        os.utime(path, ns=(now_ms * 1_000_000, now_ms * 1_000_000))
        return Artifact(name, path, path.stat().st_size, now_ms + self._ttl_ms)

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
        with (self._folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("an artifact is named by 64 hexadecimal digits and a known suffix")
    return name


def _used_at_ms(path: Path) -> int:
    return path.stat().st_mtime_ns // 1_000_000


def _create_held(part: Path) -> BinaryIO:
    """Create a file that is locked as long as its writer lives: the kernel lets go even after kill -9."""
    out = part.open("xb")
    fcntl.flock(out, fcntl.LOCK_EX)
    return out


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
