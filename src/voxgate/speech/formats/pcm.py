"""Bare samples: 16-bit mono, little-endian, with no header at all."""


class PcmEncoder:
    """Gives the samples as they are."""

    def __init__(self, _sample_rate_hz: int) -> None:
        """Need nothing: the reader must know the rate."""

    def feed(self, pcm: bytes) -> bytes:
        """Give the samples."""
        return pcm

    def finish(self) -> bytes:
        """Give nothing: nothing was held back."""
        return b""

    def head(self) -> bytes:
        """Give nothing: there is no header."""
        return b""
