"""A bucket of finished audio, in any S3-compatible store that several machines reach.

Beside each object ``<name>`` lies the moment of its last use as the name of an empty object, ``used/<name>/<ms>``:
objects cannot be touched, one listing tells everything, and the only clock is the one that was given.
"""

import contextlib
import errno
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import IO, TYPE_CHECKING, BinaryIO

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

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
from voxgate.speech.formats.registry import FORMATS
from voxgate.speech.storage.address import BucketAddress
from voxgate.speech.storage.ranges import ObjectFile
from voxgate.speech.storage.uses import USED, Known, read_use

if TYPE_CHECKING:
    from obstore.store import S3Config

SIGNED_S = 300
"""Seconds for which a signed address opens an artifact."""

SWEEP_EVERY_S = 900
"""Seconds between two sweeps of one process: a sweep lists the whole bucket, and listings are paid for."""

# What is about to expire is spoken anew and not kept: between a look and a touch a sweep may come, by another's clock.
_MARGIN_MS = 5_000
_CHECKED_MS = 5_000
_CAPTIONS_TYPE = "application/json"  # the only thing beside audio that is kept
_PAGE = 1000
_RETRIES = {"max_retries": 2, "retry_timeout": timedelta(seconds=4)}
# Of a question and of a whole upload; a store that hangs must not hold a request for a minute.
_QUESTION_S, _UPLOAD_S = 5, 120


class BucketArtifacts:
    """Finished audio in one bucket; see the module.

    Credentials are read by the library from the environment, the instance or its role.

    Args:
        address: Where the bucket is.
        now_ms: Gives the milliseconds since the epoch, UTC.
        ttl_s: Seconds an artifact is kept after it was last written or touched.
        quota_bytes: Size the bucket's audio may have.
        signs_urls: Whether readers are sent to the store instead of being served from here.
        sweep_every_s: Seconds between two sweeps.
    """

    def __init__(
        self,
        address: BucketAddress,
        *,
        now_ms: Callable[[], int],
        ttl_s: int,
        quota_bytes: int,
        signs_urls: bool = False,
        sweep_every_s: float = SWEEP_EVERY_S,
    ) -> None:
        self._now_ms = now_ms
        self._ttl_ms = ttl_s * 1000
        self._quota_bytes = quota_bytes
        self._signs_urls = signs_urls
        self._sweep_every_ms = int(sweep_every_s * 1000)
        self._swept_at_ms: int | None = None
        self._unswept_bytes = 0
        self._checked_at_ms: int | None = None
        self._store = _open_store(address, _QUESTION_S)
        self._uploads = _open_store(address, _UPLOAD_S)

    def write(
        self,
        fingerprint: str,
        suffix: str,
        writer: Callable[[BinaryIO], object],
        *,
        beside: Beside = nothing_beside,
    ) -> Artifact:
        """Store what `writer` writes, whole or not at all; the store has confirmed it when this returns.

        Raises:
            ArtifactStorageError: The bucket, or the disk on which the audio is gathered, did not take it.
            ArtifactTooLargeError: It is larger than the quota.
            ValueError: The name is none.
        """
        name = artifact_name(fingerprint, suffix)
        with _trouble(), tempfile.TemporaryFile() as out:
            writer(out)
            more = {artifact_name(fingerprint, each): io.BytesIO(data) for each, data in beside().items()}
            sizes_bytes = {each: self._measure(file) for each, file in ({name: out} | more).items()}
            for each, file in more.items():
                self._put(each, file, sizes_bytes[each])
            artifact = self._put(name, out, sizes_bytes[name])
            self._unswept_bytes += sum(sizes_bytes.values())
            if self._unswept_bytes > self._quota_bytes // OVERSHOOT:
                self._sweep()
        return artifact

    def touch(self, name: str) -> Artifact | None:
        """Keep an artifact for another `ttl_s` from now; None if it is not there (any more)."""
        if not is_artifact_name(name):
            return None
        with _trouble():
            known = self._look(name)
            if known.size_bytes is None or known.used_at_ms + self._ttl_ms <= self._now_ms() + _MARGIN_MS:
                return None
            return self._note_use(name, known.size_bytes)

    def open(self, name: str) -> OpenedAudio | None:
        """Open an artifact for reading; None if there is none or the name is none.

        One that has expired and was not swept yet is given: whose time is over is known to the jobs.
        """
        if not is_artifact_name(name):
            return None
        with _trouble():
            try:
                size_bytes = int(obstore.head(self._store, name)["size"])
            except FileNotFoundError:
                return None
        return OpenedAudio(ObjectFile(lambda start, end: self._read(name, start, end), size_bytes), size_bytes)

    def sign_url(self, name: str) -> str | None:
        """Give an address that opens an artifact for `SIGNED_S`, or None when readers are served from here."""
        if not self._signs_urls:
            return None
        with _trouble():
            return obstore.sign(self._store, "GET", name, timedelta(seconds=SIGNED_S))

    def sweep(self) -> Swept:
        """Remove what has expired, then the oldest until the quota holds; nothing before its turn.

        Raises:
            ArtifactStorageError: The bucket cannot be listed or changed.
        """
        now_ms = self._now_ms()
        if self._swept_at_ms is not None and now_ms < self._swept_at_ms + self._sweep_every_ms:
            return Swept(0, 0, 0)
        with _trouble():
            swept = self._sweep()
            self._swept_at_ms = now_ms
        return swept

    def check(self) -> None:
        """Return when the bucket answers; an answer is believed for five seconds.

        Raises:
            ArtifactStorageError: It does not, or there is no such bucket.
        """
        now_ms = self._now_ms()
        if self._checked_at_ms is not None and self._checked_at_ms <= now_ms < self._checked_at_ms + _CHECKED_MS:
            return
        with _trouble():
            # Of a bucket that is missing a HEAD says no more than of an object that is.
            obstore.list_with_delimiter(self._store, "check")
        self._checked_at_ms = now_ms

    def _measure(self, file: IO[bytes]) -> int:
        size_bytes = file.seek(0, os.SEEK_END)
        if size_bytes > self._quota_bytes:
            raise ArtifactTooLargeError(size_bytes, self._quota_bytes)
        return size_bytes

    def _put(self, name: str, out: IO[bytes], size_bytes: int) -> Artifact:
        try:
            self._upload(name, out, mode="create")
        except AlreadyExistsError:
            known = self._look(name)
            if known.size_bytes is not None and known.used_at_ms + self._ttl_ms > self._now_ms():
                return self._note_use(name, known.size_bytes)
            self._upload(name, out, mode="overwrite")
        return self._note_use(name, size_bytes)

    def _upload(self, name: str, out: IO[bytes], *, mode: str) -> None:
        out.seek(0)
        suffix = name.rpartition(".")[2]
        attributes = {
            "Content-Type": FORMATS[suffix].media_type if suffix in FORMATS else _CAPTIONS_TYPE,
            "Content-Disposition": f"attachment; filename=voxgate-{name[:8]}.{suffix}",
        }
        # In one piece: half an upload in several stays in the bucket unseen, and is paid for.
        obstore.put(self._uploads, name, out, mode=mode, attributes=attributes, use_multipart=False)  # type: ignore[arg-type]

    def _note_use(self, name: str, size_bytes: int) -> Artifact:
        now_ms = self._now_ms()
        obstore.put(self._store, f"{USED}{name}/{now_ms}", b"", use_multipart=False)
        return Artifact(name, size_bytes, now_ms + self._ttl_ms)

    def _look(self, name: str) -> Known:
        known = Known(uses_ms=list(self._uses(name)))
        with contextlib.suppress(FileNotFoundError):
            head = obstore.head(self._store, name)
            known.size_bytes, known.stored_at_ms = head["size"], int(head["last_modified"].timestamp() * 1000)
        return known

    def _uses(self, name: str) -> Iterator[int]:
        for page in obstore.list(self._store, f"{USED}{name}", chunk_size=_PAGE):
            yield from (read_use(each["path"])[1] for each in page)

    def _read(self, name: str, start: int, end: int) -> bytes:
        with _trouble():
            return bytes(obstore.get_range(self._store, name, start=start, end=end))

    def _sweep(self) -> Swept:
        self._unswept_bytes = 0
        known = self._list()
        aged = sorted((each.used_at_ms, name) for name, each in known.items())
        expired = [name for used_at_ms, name in aged if used_at_ms + self._ttl_ms <= self._now_ms()]
        total_bytes = sum(known[name].size_bytes or 0 for _, name in aged[len(expired) :])
        over_quota = []
        for _, name in aged[len(expired) :]:
            if total_bytes <= self._quota_bytes:
                break
            total_bytes -= known[name].size_bytes or 0
            over_quota.append(name)
        gone = {
            name for name in (*expired, *over_quota) if max(self._uses(name), default=0) in {0, *known[name].uses_ms}
        }
        self._remove(known, gone)
        return Swept(len(gone & set(expired)), len(gone & set(over_quota)), 0)

    def _list(self) -> dict[str, Known]:
        found: dict[str, Known] = {}
        for page in obstore.list(self._store, chunk_size=_PAGE):
            for each in page:
                path = each["path"]
                name, used_at_ms = read_use(path) if path.startswith(USED) else (path, 0)
                if not is_artifact_name(name):
                    continue  # not ours
                known = found.setdefault(name, Known())
                if used_at_ms:
                    known.uses_ms.append(used_at_ms)
                else:
                    known.size_bytes = each["size"]
                    known.stored_at_ms = int(each["last_modified"].timestamp() * 1000)
        return found

    def _remove(self, known: dict[str, Known], gone: set[str]) -> None:
        """Remove artifacts with their notes, and of all others the notes that newer ones replace."""
        audio = [name for name in gone if known[name].size_bytes is not None]
        notes = [
            f"{USED}{name}/{used_at_ms}"
            for name, each in known.items()
            for used_at_ms in (each.uses_ms if name in gone else sorted(each.uses_ms)[:-1])
        ]
        for paths in (audio, notes):  # the notes last: an object without one would be as old as the store says
            if paths:
                obstore.delete(self._store, paths)


def _open_store(address: BucketAddress, timeout_s: int) -> S3Store:
    config: S3Config = {"virtual_hosted_style_request": address.is_virtual}
    if address.endpoint:
        config["endpoint"] = address.endpoint
    if address.region:
        config["region"] = address.region
    return S3Store(
        address.bucket,
        prefix=address.prefix or None,
        client_options={
            "allow_http": (address.endpoint or "").startswith("http:"),
            "connect_timeout": timedelta(seconds=2),
            "timeout": timedelta(seconds=timeout_s),
        },
        retry_config=_RETRIES,  # type: ignore[arg-type]
        config=config,
    )


@contextlib.contextmanager
def _trouble() -> Iterator[None]:
    """Tell every trouble of the bucket as one; the library's own words go on for lines."""
    try:
        yield
    except BaseError as error:
        told = str(error).partition("\n")[0][:300]
        raise ArtifactStorageError(OSError(errno.EIO, f"the bucket does not do it: {told}")) from None
    except OSError as error:
        raise ArtifactStorageError(error) from error
