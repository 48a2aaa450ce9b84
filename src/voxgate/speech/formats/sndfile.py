"""FLAC, and Opus in Ogg, by libsndfile: the light way, from the extra ``opus``."""

import io
from typing import Any

_HEAD_BYTES = 64  # more than what a FLAC file says of itself before its first frame


class SndfileEncoder:
    """Encodes what libsndfile writes; what it mends behind itself is kept for `head`."""

    def __init__(self, sample_rate_hz: int, *, container: str, codec: str) -> None:
        """Open the encoder.

        Args:
            sample_rate_hz: Of the sound.
            container: A major format of libsndfile, such as ``FLAC``.
            codec: A subtype of it, such as ``PCM_16``.
        """
        import soundfile  # noqa: PLC0415 -- an extra

        self._out = _Outlet()
        options = {"samplerate": sample_rate_hz, "channels": 1, "format": container, "subtype": codec}
        self._file: Any = soundfile.SoundFile(self._out, "w", **options)

    def feed(self, pcm: bytes) -> bytes:
        """Give the blocks or pages that are complete."""
        self._file.buffer_write(pcm, dtype="int16")
        return self._out.take()

    def finish(self) -> bytes:
        """Give the last blocks or pages."""
        self._file.close()
        return self._out.take()

    def head(self) -> bytes:
        """Give the beginning with everything that was mended, or nothing."""
        return self._out.mended()


class _Outlet(io.RawIOBase):
    """A file for libsndfile that keeps only what has not been taken yet, and its first bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._position = self._size = 0
        self._fresh = bytearray()
        self._head = bytearray()
        self._is_mended = False

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:  # noqa: ANN401 -- any buffer
        block = bytes(data)
        end = self._position + len(block)
        if self._position < self._size:
            self._is_mended = True
        else:
            self._fresh += block
        if self._position < _HEAD_BYTES:
            self._head[self._position : end] = block
            del self._head[_HEAD_BYTES:]
        self._position = end
        self._size = max(self._size, end)
        return len(block)

    def take(self) -> bytes:
        fresh, self._fresh = bytes(self._fresh), bytearray()
        return fresh

    def mended(self) -> bytes:
        return bytes(self._head) if self._is_mended else b""
