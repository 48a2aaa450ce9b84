"""AAC, Opus in Ogg, and other sample rates, by FFmpeg's libraries, from the extra ``aac``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

_MAX_BIT_RATE = 64_000
_BYTES_PER_SAMPLE = 2
_BLOCK_S = 1  # at once: FFmpeg is slower with much longer blocks, and has more to do around many short ones


class FfmpegEncoder:
    """Encodes with one of FFmpeg's codecs into one of its containers."""

    def __init__(
        self,
        sample_rate_hz: int,
        *,
        container: str,
        codec: str,
        container_options: Mapping[str, str] = MappingProxyType({}),
        codec_options: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Open the encoder.

        Args:
            sample_rate_hz: Of the sound.
            container: Name of a muxer, such as ``adts``.
            codec: Name of an encoder, such as ``aac``.
            container_options: Options of the muxer.
            codec_options: Options of the encoder.
        """
        import av  # noqa: PLC0415 -- an extra

        self._av = cast("Any", av)  # its types know every kind of stream, but not that this one is sound
        self._rate_hz = sample_rate_hz
        self._out = _Outlet()
        self._container = self._av.open(self._out, "w", format=container, options=dict(container_options))
        self._stream = self._container.add_stream(codec, rate=sample_rate_hz, options=dict(codec_options))
        self._stream.codec_context.layout = "mono"
        # More bits than this are more than the codec can use at a low rate.
        self._stream.codec_context.bit_rate = min(_MAX_BIT_RATE, sample_rate_hz * 8 // 3)
        self._samples = 0

    def feed(self, pcm: bytes) -> bytes:
        """Give the frames or pages that are complete."""
        if pcm:
            frame = _frame_of(self._av, pcm, rate_hz=self._rate_hz, begins_at=self._samples)
            self._samples += frame.samples
            self._container.mux(self._stream.encode(frame))
        return self._out.take()

    def finish(self) -> bytes:
        """Give the last frames or pages."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._out.take()

    def head(self) -> bytes:
        """Give nothing: every frame or page tells of itself alone."""
        return b""


class FfmpegResampler:
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
        size = _BLOCK_S * self._from_hz * _BYTES_PER_SAMPLE
        return b"".join(self._changed(pcm[start : start + size]) for start in range(0, len(pcm), size))

    def finish(self) -> bytes:
        """Give the rest; the length of everything is exact to the sample."""
        left = round(self._taken * self._to_hz / self._from_hz) - self._given
        rest = b"" if not self._taken else self._read(None)
        return rest[: left * _BYTES_PER_SAMPLE].ljust(left * _BYTES_PER_SAMPLE, b"\0")

    def _changed(self, pcm: bytes) -> bytes:
        frame = _frame_of(self._av, pcm, rate_hz=self._from_hz, begins_at=self._taken)
        self._taken += frame.samples
        changed = self._read(frame)
        self._given += len(changed) // _BYTES_PER_SAMPLE
        return changed

    def _read(self, frame: Any) -> bytes:  # noqa: ANN401 -- of a library whose types do not tell sound from images
        frames = self._resampler.resample(frame)
        # A plane is longer than its samples.
        return b"".join(bytes(each.planes[0])[: each.samples * _BYTES_PER_SAMPLE] for each in frames)


def _frame_of(av: Any, pcm: bytes, *, rate_hz: int, begins_at: int) -> Any:  # noqa: ANN401 -- as above
    """Return samples as FFmpeg takes them; they begin so many samples after the first of the sound."""
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(pcm) // _BYTES_PER_SAMPLE)
    plane = frame.planes[0]
    plane.update(pcm.ljust(plane.buffer_size, b"\0"))  # a plane may be longer than its samples
    frame.sample_rate = rate_hz
    frame.pts = begins_at
    return frame


class _Outlet:
    """A file for FFmpeg that cannot seek and keeps only what has not been taken yet."""

    def __init__(self) -> None:
        self._fresh = bytearray()

    def write(self, data: bytes) -> int:
        self._fresh += data
        return len(data)

    def take(self) -> bytes:
        fresh, self._fresh = bytes(self._fresh), bytearray()
        return fresh
