"""WAV: a header and the samples; in a file its sizes are true, in a stream they say that they are not known."""

import struct

from voxgate.speech.formats.base import BYTES_PER_SAMPLE

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_PCM = 1
_UNKNOWN = 0xFFFFFFFF  # what players take for "until the end"


class WavEncoder:
    """Encodes WAV."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._pcm_bytes = 0
        self._begun = False

    def feed(self, pcm: bytes) -> bytes:
        """Give the samples, the first ones behind a header of unknown length."""
        self._pcm_bytes += len(pcm)
        if self._begun:
            return pcm
        self._begun = True
        return self._header(_UNKNOWN, _UNKNOWN) + pcm

    def finish(self) -> bytes:
        """Give nothing, or the header when nothing was fed."""
        return b"" if self._begun else self.head()

    def head(self) -> bytes:
        """Give the header with the true sizes."""
        size = min(self._pcm_bytes, _UNKNOWN - _HEADER.size)
        return self._header(_HEADER.size - 8 + size, size)

    def _header(self, riff_bytes: int, data_bytes: int) -> bytes:
        rate = self._rate_hz
        return _HEADER.pack(
            *(b"RIFF", riff_bytes, b"WAVE"),
            *(b"fmt ", 16, _PCM, 1, rate, rate * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE, BYTES_PER_SAMPLE * 8),
            *(b"data", data_bytes),
        )
