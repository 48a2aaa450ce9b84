"""WAV files that programs of strangers write: read with care, also when they were streamed without a true length."""

import struct

from voxgate.speech.errors import EngineError

_PCM, _EXTENSIBLE = 1, 0xFFFE
_FORMAT_BYTES = 16
_SAMPLE_BITS = 16
_MIN_RATE_HZ = 4_000


def read_wav(data: bytes, *, max_rate_hz: int) -> tuple[bytes, int]:
    """Give the samples of a 16-bit mono file and its rate.

    A size that goes beyond the end, as a streamed file has it, means everything up to the end.

    Raises:
        EngineError: ``engine_refused`` when it is no such file.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise EngineError("engine_refused", "the program wrote no WAV file")
    rate_hz, at = 0, 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        body = at + 8
        if name == b"fmt ":
            rate_hz = _read_rate(data[body : body + size], max_rate_hz)
        elif name == b"data":
            if not rate_hz:
                break
            samples = data[body : body + size]
            return samples[: len(samples) // 2 * 2], rate_hz
        at = body + size + size % 2
    raise EngineError("engine_refused", "the WAV file is cut off")


def _read_rate(chunk: bytes, max_rate_hz: int) -> int:
    if len(chunk) < _FORMAT_BYTES:
        raise EngineError("engine_refused", "the WAV file is broken")
    form, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    is_known = form in {_PCM, _EXTENSIBLE} and bits == _SAMPLE_BITS and channels == 1
    if not is_known or not _MIN_RATE_HZ <= rate_hz <= max_rate_hz:
        raise EngineError("engine_refused", "the WAV file is not 16-bit mono")
    return int(rate_hz)
