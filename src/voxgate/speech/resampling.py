"""Sound brought to another sample rate while it is made: by FFmpeg, where the extra ``aac`` has brought it."""

import contextlib
from collections.abc import Generator
from typing import Any, cast

from voxgate.speech.formats.base import BYTES_PER_SAMPLE
from voxgate.speech.formats.registry import is_importable

_BLOCK_S = 1  # at once: FFmpeg is slower with much longer blocks, and has more to do around many short ones


def can_resample() -> bool:
    """Tell whether sound can be resampled here, for a quarter of the work that the engine's program has with it."""
    return is_importable("av")


class Resampler:
    """One sound on its way to another sample rate; its parts join without a seam.

    Args:
        from_hz: Its sample rate.
        to_hz: The wanted one.
    """

    def __init__(self, *, from_hz: int, to_hz: int) -> None:
        import av  # noqa: PLC0415 -- an extra

        self._av = cast("Any", av)
        self._resampler = self._av.AudioResampler(format="s16", layout="mono", rate=to_hz)
        self._from_hz, self._to_hz = from_hz, to_hz
        self._taken = self._given = 0

    def feed(self, pcm: bytes) -> bytes:
        """Take 16-bit mono PCM, little-endian, and give what is ready: all but the last millisecond or two."""
        size = _BLOCK_S * self._from_hz * BYTES_PER_SAMPLE
        return b"".join(self._changed(pcm[start : start + size]) for start in range(0, len(pcm), size))

    def finish(self) -> bytes:
        """Give the rest; the length of everything is exact to the sample."""
        left = round(self._taken * self._to_hz / self._from_hz) - self._given
        rest = b"" if not self._taken else self._read(None)
        return rest[: left * BYTES_PER_SAMPLE].ljust(left * BYTES_PER_SAMPLE, b"\0")

    def _changed(self, pcm: bytes) -> bytes:
        samples = len(pcm) // BYTES_PER_SAMPLE
        frame = self._av.AudioFrame(format="s16", layout="mono", samples=samples)
        plane = frame.planes[0]
        plane.update(pcm.ljust(plane.buffer_size, b"\0"))
        frame.sample_rate = self._from_hz
        frame.pts = self._taken
        self._taken += samples
        changed = self._read(frame)
        self._given += len(changed) // BYTES_PER_SAMPLE
        return changed

    def _read(self, frame: Any) -> bytes:  # noqa: ANN401 -- of a library whose types do not tell sound from images
        frames = self._resampler.resample(frame)
        # A plane is longer than its samples.
        return b"".join(bytes(each.planes[0])[: each.samples * BYTES_PER_SAMPLE] for each in frames)


def resampled(sound: Generator[bytes, None, None], *, from_hz: int, to_hz: int) -> Generator[bytes, None, None]:
    """Give a sound at another sample rate, a part for each part; it is closed with what is given."""
    with contextlib.closing(sound):
        resampler = Resampler(from_hz=from_hz, to_hz=to_hz)
        for pcm in sound:
            yield resampler.feed(pcm)
        yield resampler.finish()
