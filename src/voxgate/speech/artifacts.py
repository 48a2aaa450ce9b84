"""Finished audio: what every place that keeps it promises, and what can be wrong with one."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from voxgate.speech.errors import SpeechError

SUFFIXES = ("wav", "mp3", "flac", "opus", "aac", "pcm", "json")
"""What an artifact's name may end with."""

OVERSHOOT = 20
"""Between two sweeps one process may pass the quota by this share of it: one twentieth."""

_NAME = re.compile(rf"[0-9a-f]{{64}}\.(?:{'|'.join(SUFFIXES)})")


def is_artifact_name(name: str) -> bool:
    """Tell whether `name` can be that of an artifact: 64 hexadecimal digits and a known suffix."""
    return _NAME.fullmatch(name) is not None


def artifact_name(fingerprint: str, suffix: str) -> str:
    """Make the name of an artifact.

    Raises:
        ValueError: The parts make no name.
    """
    name = f"{fingerprint}.{suffix}"
    if not is_artifact_name(name):
        raise ValueError("an artifact is named by 64 hexadecimal digits and a known suffix")
    return name


class ArtifactStorageError(SpeechError):
    """The place of the audio cannot be read or written: full, read-only, away. Nothing was left behind; it may pass.

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
        quota_bytes: Size that all of it may have.
    """

    def __init__(self, size_bytes: int, quota_bytes: int) -> None:
        super().__init__(f"audio of {size_bytes} bytes is larger than the quota of {quota_bytes} bytes")
        self.size_bytes = size_bytes
        self.quota_bytes = quota_bytes


Beside = Callable[[], Mapping[str, bytes]]
"""Gives what is stored beside an artifact, by suffix; asked once its writer is done."""


def nothing_beside() -> Mapping[str, bytes]:
    """Store an artifact alone."""
    return {}


@dataclass(frozen=True, slots=True)
class Artifact:
    """One finished audio file.

    Attributes:
        name: Its name: fingerprint and suffix.
        size_bytes: Its size.
        expires_at_ms: Until when it is kept, unless the quota needs the room.
    """

    name: str
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


class AudioFile(Protocol):
    """The bytes of one artifact, read in order from wherever it was set to."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, all that is left when negative; nothing at the end."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place; gives it."""
        ...

    def seekable(self) -> bool:
        """Tell that `seek` works."""
        ...

    def tell(self) -> int:
        """Give the place that is read next."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


@dataclass(frozen=True, slots=True)
class OpenedAudio:
    """An artifact that is being read.

    Attributes:
        file: Its bytes; the reader closes it.
        size_bytes: How many there are.
    """

    file: AudioFile
    size_bytes: int


class Artifacts(Protocol):
    """Finished audio in one place, for any number of threads and processes.

    The name says what is in an artifact, so equal requests share one and it never changes. Who may read it is not
    decided here. It expires a fixed time after it was last asked for.
    """

    def write(
        self,
        fingerprint: str,
        suffix: str,
        writer: Callable[[BinaryIO], object],
        *,
        beside: Beside = nothing_beside,
    ) -> Artifact:
        """Store what `writer` writes, whole or not at all; once this returns a power cut does not take it away.

        If the artifact is there already when the writer is done, the first one stays and this one is dropped.

        Args:
            fingerprint: 64 hexadecimal digits that stand for the sound.
            suffix: One of `SUFFIXES`.
            writer: Writes the bytes into the open file it is given; what it raises passes through, except OSError.
            beside: Artifacts of the same fingerprint, small ones, that are there no later than this one.

        Raises:
            ArtifactStorageError: The place did not take it.
            ArtifactTooLargeError: It, or what belongs to it, is larger than the quota.
            ValueError: The name is none.
        """
        ...

    def touch(self, name: str) -> Artifact | None:
        """Keep an artifact as long again from now; None if it is not there (any more).

        Raises:
            ArtifactStorageError: The place cannot be asked.
        """
        ...

    def open(self, name: str) -> OpenedAudio | None:
        """Open an artifact for reading; None if there is none or the name is none.

        Raises:
            ArtifactStorageError: The place cannot be read.
        """
        ...

    def sign_url(self, name: str) -> str | None:
        """Give an address that anybody can fetch an artifact from for a short time; None where it has none.

        Raises:
            ArtifactStorageError: The address cannot be made.
        """
        ...

    def sweep(self) -> Swept:
        """Remove what has expired, then the oldest until the quota holds, and what dead writers left.

        Raises:
            ArtifactStorageError: The place cannot be read or changed.
        """
        ...

    def check(self) -> None:
        """Return when audio can be stored now.

        Raises:
            ArtifactStorageError: It cannot.
        """
        ...
