"""AAC, and Opus in Ogg, by FFmpeg's libraries, from the extra ``aac``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

_MAX_BIT_RATE = 64_000


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
        samples = len(pcm) // 2
        if samples:
            frame = self._av.AudioFrame(format="s16", layout="mono", samples=samples)
            plane = frame.planes[0]
            plane.update(pcm.ljust(plane.buffer_size, b"\0"))
            frame.sample_rate = self._rate_hz
            frame.pts = self._samples
            self._samples += samples
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
