"""Change the duration, pitch and rate of sound by libsonic; loaded by the worker program alone."""

import ctypes
import math
from collections.abc import Callable
from typing import Any

_SILENCE = 64  # of 32,768
_AROUND = 32  # samples on either side that libsonic, with its twelve points, cannot look beyond


class Sonic:
    """libsonic, which libespeak-ng exports: changes the duration, pitch and rate of sound."""

    def __init__(self, library: ctypes.CDLL, *, open_low_pass: Callable[..., Any]) -> None:
        """Take the library that exports it, and what takes out of a sound what a lower rate cannot carry."""
        self._library = library
        self._open_low_pass = open_low_pass
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
        return self.resampling(from_hz=from_hz, to_hz=to_hz).feed(pcm, is_last=True)

    def resampling(self, *, from_hz: int, to_hz: int) -> "Resampling":
        """Open what gives one sound at another sample rate, part by part."""
        # libsonic would fold what is above a lower band into it.
        low_pass = self._open_low_pass(from_hz=from_hz, to_hz=to_hz) if to_hz < from_hz else None
        # libsonic halves both rates, rounding down, until they are below 2^14: told in lowest terms they stay exact.
        shared = math.gcd(from_hz, to_hz)
        scale = 16_000 // (max(from_hz, to_hz) // shared)
        old, new = from_hz // shared * scale, to_hz // shared * scale
        settings = {"sonicSetRate": old / (new + 0.25)}  # it truncates ``old / rate``
        cycle = (from_hz // shared, to_hz // shared)
        return Resampling(lambda pcm: self._change(pcm, old, settings), low_pass, cycle)

    def _change(self, pcm: bytes, sample_rate_hz: int, settings: dict[str, float]) -> bytes:
        stream = self._library.sonicCreateStream(sample_rate_hz, 1)
        if not stream:
            raise MemoryError("sonicCreateStream failed")
        try:
            for name, value in settings.items():
                getattr(self._library, name)(stream, value)
            # Some lengths below a thirtieth of a second make libsonic write beyond its buffer, which it takes for a
            # quarter larger than it is until it has grown; so it gets half a second, of which the end is silence.
            sound = pcm.ljust(sample_rate_hz, b"\0")
            self._library.sonicWriteShortToStream(stream, sound, len(sound) // 2)
            self._library.sonicFlushStream(stream)
            samples = self._library.sonicSamplesAvailable(stream)
            out = ctypes.create_string_buffer(max(1, samples * 2))
            self._library.sonicReadShortFromStream(stream, out, samples)
            return out.raw[: samples * 2]
        finally:
            self._library.sonicDestroyStream(stream)


class Resampling:
    """One sound on its way to another sample rate; its parts joined are, sample by sample, the whole at once.

    Each part is changed together with the samples around it, so that it is heard as if nothing had been cut.

    Args:
        change: Gives a sound at the other rate.
        low_pass: What the sound goes through before; None for nothing.
        cycle: Samples after which old and new ones fall together again: so many old ones are so many new ones.
    """

    def __init__(self, change: Callable[[bytes], bytes], low_pass: Any, cycle: tuple[int, int]) -> None:  # noqa: ANN401
        self._change = change
        self._low_pass = low_pass
        self._old, self._new = cycle
        self._around = math.ceil(_AROUND / self._old) * self._old
        self._held = b""
        self._before = 0
        self._taken = self._given = 0

    def feed(self, pcm: bytes, *, is_last: bool = False) -> bytes:
        """Take a part and give what is ready; with the last one all of it, in number exact to the sample.

        Raises:
            MemoryError: There is no room for it.
        """
        self._taken += len(pcm) // 2
        self._held += pcm if self._low_pass is None else self._low_pass.feed(pcm)
        if is_last and self._low_pass is not None:
            self._held += self._low_pass.finish()
        done = (len(self._held) // 2 - self._around) // self._old * self._old
        if not is_last and done <= self._before:
            return b""
        start = self._renewed(self._before)
        end = start + round(self._taken * self._new / self._old) - self._given if is_last else self._renewed(done)
        # Silence behind it, without which libsonic keeps the last samples to itself.
        changed = self._change(self._held + bytes(2 * _AROUND))[2 * start : 2 * end]
        self._given += end - start
        kept = max(0, done - self._around)
        self._held, self._before = self._held[2 * kept :], done - kept
        return changed

    def _renewed(self, samples: int) -> int:
        return samples // self._old * self._new


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
