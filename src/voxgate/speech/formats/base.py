"""What a format is, and what its encoder does: takes sound piece by piece, gives bytes at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

BYTES_PER_SAMPLE = 2

RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""The sample rates that can be asked for."""


class Encoder(Protocol):
    """Encodes one sound; used by one thread at a time."""

    def feed(self, pcm: bytes) -> bytes:
        """Take 16-bit mono PCM, little-endian, and give what can be sent already; that may be nothing yet."""
        ...

    def finish(self) -> bytes:
        """Give the rest, with everything that is still held back; nothing can be fed afterwards."""
        ...

    def head(self) -> bytes:
        """Give, once finished, what a file should begin with instead of its first bytes; empty if they are true.

        What is sent before the end is known cannot tell the length; a file can be mended.
        """
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """One audio format.

    Attributes:
        name: What a request names, and the suffix of its files.
        media_type: Such as ``audio/mpeg``.
        open_encoder: Opens an encoder for a sample rate in Hz.
        rates_hz: The sample rates that it knows.
        own_rate_hz: The rate that it has when none is asked for; 0 for the engine's.
        extra: The extra of this distribution that it needs; empty for none.
        modules: It works when one of these can be imported.
        delay_samples: How much silence players give before the first sample, because the file does not tell them of it.
        tells_length: Whether its first bytes tell the length, which nobody knows before the end.
    """

    name: str
    media_type: str
    open_encoder: Callable[[int], Encoder]
    rates_hz: tuple[int, ...] = RATES_HZ
    own_rate_hz: int = 0
    extra: str = ""
    modules: tuple[str, ...] = ()
    delay_samples: int = 0
    tells_length: bool = False

    def rate_for(self, wanted_hz: int | None, *, engine_hz: int) -> int:
        """Give the sample rate of a file: the wanted one, the format's own, else the engine's or the next above it."""
        if wanted_hz is not None:
            return wanted_hz
        if self.own_rate_hz:
            return self.own_rate_hz
        return next((rate for rate in self.rates_hz if rate >= engine_hz), self.rates_hz[-1])
