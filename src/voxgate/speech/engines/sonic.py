"""Change the duration, pitch and rate of finished sound by libsonic; loaded by the worker program alone."""

import ctypes
import math
from collections.abc import Callable

_SILENCE = 64  # of 32,768


class Sonic:
    """libsonic, which libespeak-ng exports: changes the duration and pitch of finished audio."""

    def __init__(self, library: ctypes.CDLL, *, low_pass: Callable[..., bytes]) -> None:
        """Take the library that exports it, and what takes out of a sound what a lower rate cannot carry."""
        self._library = library
        self._low_pass = low_pass
        library.sonicCreateStream.restype = ctypes.c_void_p
        library.sonicCreateStream.argtypes = [ctypes.c_int, ctypes.c_int]
        for name in ("sonicSetSpeed", "sonicSetPitch", "sonicSetRate"):
            getattr(library, name).argtypes = [ctypes.c_void_p, ctypes.c_float]
        library.sonicWriteShortToStream.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
        library.sonicReadShortFromStream.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
        for name in ("sonicSamplesAvailable", "sonicFlushStream", "sonicDestroyStream"):
            getattr(library, name).argtypes = [ctypes.c_void_p]

    def retime(self, pcm: bytes, *, sample_rate_hz: int, speed_ratio: float, pitch_ratio: float) -> bytes:
        """Give the audio ``speed_ratio`` times as fast and ``pitch_ratio`` times as high; its duration is exact.

        Raises:
            MemoryError: There is no room for it.
        """
        changed = self._change(pcm, sample_rate_hz, {"sonicSetSpeed": speed_ratio, "sonicSetPitch": pitch_ratio})
        return _fitted(changed, round(len(pcm) / 2 / speed_ratio))

    def resample(self, pcm: bytes, *, from_hz: int, to_hz: int) -> bytes:
        """Give the same sound at another sample rate; its duration is exact to the sample.

        Raises:
            MemoryError: There is no room for it.
        """
        wanted = round(len(pcm) / 2 * to_hz / from_hz)
        if to_hz < from_hz:  # libsonic would fold what is above the new band into it
            pcm = self._low_pass(pcm, from_hz=from_hz, to_hz=to_hz)
        # libsonic halves both rates, rounding down, until they are below 2^14: told in lowest terms they stay exact.
        shared = math.gcd(from_hz, to_hz)
        scale = 16_000 // (max(from_hz, to_hz) // shared)
        old, new = from_hz // shared * scale, to_hz // shared * scale
        changed = self._change(pcm, old, {"sonicSetRate": old / (new + 0.25)})  # it truncates ``old / rate``
        return _fitted(changed, wanted)

    def _change(self, pcm: bytes, sample_rate_hz: int, settings: dict[str, float]) -> bytes:
        stream = self._library.sonicCreateStream(sample_rate_hz, 1)
        if not stream:
            raise MemoryError("sonicCreateStream failed")
        try:
            for name, value in settings.items():
                getattr(self._library, name)(stream, value)
            self._library.sonicWriteShortToStream(stream, pcm, len(pcm) // 2)
            self._library.sonicFlushStream(stream)
            samples = self._library.sonicSamplesAvailable(stream)
            out = ctypes.create_string_buffer(max(1, samples * 2))
            self._library.sonicReadShortFromStream(stream, out, samples)
            return out.raw[: samples * 2]
        finally:
            self._library.sonicDestroyStream(stream)


def _fitted(pcm: bytes, samples: int) -> bytes:
    """Lengthen or shorten the silence at the end to make ``samples`` in all.

    libsonic takes out or repeats whole periods of the voice and does not make up for what is left over: a single
    word comes out up to 30 ms short.
    """
    size = samples * 2
    rest = memoryview(pcm)[size:].cast("h")
    if any(abs(sample) > _SILENCE for sample in rest):
        return pcm
    return pcm[:size].ljust(size, b"\0")
