"""Audio given away while it is made: encoded block by block, stopped when nobody takes it any more."""

from collections.abc import Generator, Iterator

from voxgate.speech.captions import CaptionSegment, CaptionTrack
from voxgate.speech.formats.base import BYTES_PER_SAMPLE, Encoder, Format

FIRST_BLOCK_S = 0.2
BLOCK_S = 1.0


class SpeechStream:
    """Encoded audio, read once.

    Attributes:
        form: Its format.
        rate_hz: Its sample rate.
        duration_s: Sound that was encoded so far.
    """

    def __init__(
        self,
        segments: Generator[bytes, None, None],
        encoder: Encoder,
        *,
        form: Format,
        rate_hz: int,
        track: CaptionTrack | None = None,
    ) -> None:
        """Take over what speaks.

        Args:
            segments: 16-bit mono PCM, one piece after another; closed with the stream.
            encoder: Opened for ``rate_hz``.
            form: The encoder's format.
            rate_hz: Sample rate of the segments.
            track: Where the captions of the segments are noted; without it there are none.
        """
        self.form = form
        self.rate_hz = rate_hz
        self.duration_s = 0.0
        self._segments = segments
        self._encoder = encoder
        self._track = CaptionTrack() if track is None else track
        self._captions_told = 0
        self._blocks = self._encode()

    def __iter__(self) -> Iterator[bytes]:
        """Give the stream itself."""
        return self

    def __next__(self) -> bytes:
        """Give the next bytes, never none; they are made now.

        Raises:
            SynthesisFailedError: A segment could not be spoken.
        """
        return next(self._blocks)

    def head(self) -> bytes:
        """Give, once the stream is read, what a file should begin with instead of its first bytes; empty if nothing."""
        return self._encoder.head()

    def new_captions(self) -> tuple[CaptionSegment, ...]:
        """Give the captions of segments that were begun since the last call; they are known before their sound."""
        new = self._track.since(self._captions_told)
        self._captions_told += len(new)
        return new

    def close(self) -> None:
        """Speak nothing more; closing again is no error."""
        self._blocks.close()
        self._segments.close()

    def _encode(self) -> Generator[bytes, None, None]:
        # The first block is short, so that the first bytes need not wait until a whole sentence is encoded.
        size = self._block_bytes(FIRST_BLOCK_S)
        for pcm in self._segments:
            start = 0
            while start < len(pcm):
                block = pcm[start : start + size]
                start += size
                self.duration_s += len(block) / BYTES_PER_SAMPLE / self.rate_hz
                if encoded := self._encoder.feed(block):
                    size = self._block_bytes(BLOCK_S)
                    yield encoded
        if rest := self._encoder.finish():
            yield rest

    def _block_bytes(self, duration_s: float) -> int:
        return round(duration_s * self.rate_hz) * BYTES_PER_SAMPLE
