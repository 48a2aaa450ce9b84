"""Take out of a sound what a lower sample rate cannot carry; loaded by the worker program, so it imports nothing."""

import array
import functools
import math

_LOBES = 12  # of the sinc on either side, in samples of the lower rate
_BAND = 0.9  # of the new band is kept; the rest is the slope
_UNIT = 1 << 15  # a weight of one
_ZERO = 1 << 15  # added to samples, which then are never below zero
_LEAST, _MOST = -(1 << 15), (1 << 15) - 1


def low_passed(pcm: bytes, *, from_hz: int, to_hz: int) -> bytes:
    """Give the sound without what is above half of ``to_hz``, of the same length: 60 dB down, a windowed sinc.

    The sound and the filter are two long numbers with a sample in each 64 bits, so that one product is the whole
    convolution and runs in C: fifty times real time and more, where a loop over samples would need ten times as long.
    Numbers below zero are kept out of it.

    Args:
        pcm: 16-bit mono, of this machine's byte order.
        from_hz: Its sample rate, which it keeps.
        to_hz: The lower rate that it is made ready for.
    """
    half, zero, *filters = _filters(from_hz, to_hz)
    size = len(pcm) // 2
    silence = [_ZERO] * half  # on either side; what is missing would be heard as a click
    sound = _as_number([*silence, *(sample + _ZERO for sample in memoryview(pcm).cast("h")), *silence])
    lanes = size + 4 * half + 1
    added, taken = (
        memoryview((sound * one).to_bytes(8 * lanes, "little")).cast("Q")[2 * half : 2 * half + size] for one in filters
    )
    heard = [(plus - minus - zero) // _UNIT for plus, minus in zip(added, taken, strict=True)]
    return array.array("h", [max(_LEAST, min(_MOST, sample)) for sample in heard]).tobytes()


@functools.cache
def _filters(from_hz: int, to_hz: int) -> tuple[int, int, int, int]:
    """Give half the filter's length, what silence becomes, and the weights above and below zero as numbers."""
    half = _LOBES * from_hz // to_hz
    places = range(-half, half + 1)
    sinc = [_sinc(at * _BAND * to_hz / from_hz) * math.cos(math.pi * at / (2 * half + 2)) ** 2 for at in places]
    taps = [round(weight * _UNIT / sum(sinc)) for weight in sinc]
    above, below = (_as_number([max(0, sign * tap) for tap in taps]) for sign in (1, -1))
    return half, sum(taps) * _ZERO, above, below


def _as_number(lanes: list[int]) -> int:
    return int.from_bytes(array.array("Q", lanes).tobytes(), "little")


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0
