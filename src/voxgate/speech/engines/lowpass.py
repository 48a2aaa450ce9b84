"""Take out of a sound what a lower sample rate cannot carry; loaded by the worker program, so it imports nothing."""

import functools
import math

_LOBES = 12  # of the sinc on either side, in samples of the lower rate
_BAND = 0.9  # of the new band is kept; the rest is the slope
_LANE_BYTES = 4
_FRACTION_BITS = 14
_UNIT = 1 << _FRACTION_BITS  # a weight of one
_ZERO = 1 << 15  # what silence is among samples that are never below zero
_LEAST, _MOST = -(1 << 15), (1 << 15) - 1
_BLOCK = 1 << 13  # samples at once, so that the long numbers stay in the processor's cache


class LowPass:
    """Gives a sound without what is above half of a lower rate, part by part: 60 dB down, a windowed sinc.

    A block of the sound and the filter are two long numbers with a sample in each 32 bits, so that one product is the
    whole convolution and runs in C, where a loop over samples would need twenty times as long.

    Args:
        from_hz: The sample rate of the sound, which it keeps.
        to_hz: The lower rate that it is made ready for.
    """

    def __init__(self, *, from_hz: int, to_hz: int) -> None:
        self._half, self._taps, self._silence = _filter(from_hz, to_hz)
        # Silence on either side; what is missing would be heard as a click.
        self._held = bytes(2 * self._half)

    def feed(self, pcm: bytes) -> bytes:
        """Take 16-bit mono PCM, little-endian, and give what is ready: all but as much as half the filter is long."""
        sound = self._held + pcm
        ready = len(sound) // 2 - 2 * self._half
        if ready <= 0:
            self._held = sound
            return b""
        self._held = sound[2 * ready :]
        size = 2 * (_BLOCK + 2 * self._half)
        starts = range(0, 2 * ready, 2 * _BLOCK)
        return b"".join(self._filtered(sound[start : start + size]) for start in starts)

    def finish(self) -> bytes:
        """Give the rest; as many samples have come out then as went in."""
        return self.feed(bytes(2 * self._half))

    def _filtered(self, sound: bytes) -> bytes:
        """Give the samples of a block that have the whole filter around them."""
        size = len(sound) // 2
        lanes = size + 2 * self._half
        spread = bytearray(_LANE_BYTES * size)
        memoryview(spread).cast("H")[::2] = memoryview(sound).cast("H")
        number = int.from_bytes(spread, "little") ^ _each(_ZERO, size)
        # The upper two bits of a lane are 10 where a sample is none too large, so that no lane reaches into the next.
        heard = number * self._taps + _each((1 << 31) + (1 << 29) + (_UNIT >> 1) - self._silence, lanes)
        heard = (heard >> 8 * _LANE_BYTES * 2 * self._half) & ((1 << 8 * _LANE_BYTES * (size - 2 * self._half)) - 1)
        return _samples(heard, size - 2 * self._half)


def _samples(heard: int, size: int) -> bytes:
    """Give lanes as samples; those that are too large become the largest."""
    if heard & _each(3 << 30, size) == _each(1 << 31, size):
        moved = (heard ^ _each(1 << 29, size)) << 2
        return memoryview(moved.to_bytes(_LANE_BYTES * (size + 1), "little")).cast("H")[1 : 2 * size : 2].tobytes()
    lanes = memoryview(heard.to_bytes(_LANE_BYTES * size, "little")).cast("I")
    middle = (1 << 31) + (1 << 29)
    clipped = bytearray(2 * size)
    samples = memoryview(clipped).cast("h")
    for place, lane in enumerate(lanes):
        samples[place] = max(_LEAST, min(_MOST, (lane - middle) >> _FRACTION_BITS))
    return bytes(clipped)


@functools.lru_cache(maxsize=32)
def _each(lane: int, size: int) -> int:
    """Give a number that has the same in every lane."""
    return int.from_bytes(lane.to_bytes(_LANE_BYTES, "little") * size, "little")


@functools.cache
def _filter(from_hz: int, to_hz: int) -> tuple[int, int, int]:
    """Give half the filter's length, the weights as one number, and what becomes of silence."""
    half = _LOBES * from_hz // to_hz
    places = range(-half, half + 1)
    sinc = [_sinc(at * _BAND * to_hz / from_hz) * math.cos(math.pi * at / (2 * half + 2)) ** 2 for at in places]
    taps = [round(weight * _UNIT / sum(sinc)) for weight in sinc]
    number = sum(tap << 8 * _LANE_BYTES * place for place, tap in enumerate(taps))
    return half, number, sum(taps) * _ZERO


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0
