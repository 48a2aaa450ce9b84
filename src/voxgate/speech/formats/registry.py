"""Every format by name, and which of them are installed."""

import functools
import importlib.util
from collections.abc import Mapping
from types import MappingProxyType

from voxgate.speech.formats.base import Encoder, Format
from voxgate.speech.formats.ffmpeg import FfmpegEncoder
from voxgate.speech.formats.mp3 import Mp3Encoder
from voxgate.speech.formats.pcm import PcmEncoder
from voxgate.speech.formats.sndfile import SndfileEncoder
from voxgate.speech.formats.wav import WavEncoder

_OPUS_RATES_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)  # RFC 6716, section 2
_USUAL_HZ = 24_000  # what speech clients expect of bare samples; the nearest rate of Opus above most engines' own
# The default coder of AAC searches five times as long for what nobody hears in synthetic speech.
_AAC = {"aac_coder": "fast"}
_OPUS = {"compression_level": "5"}  # of 10
_PAGES = {"page_duration": "100000"}  # 0.1 s, because a page is sent when it is full; usual ones hold a second

_MP3_DELAY = 576 + 529  # LAME's, and that of every decoder
_AAC_DELAY = 1024  # one frame (ISO 14496-3)


def _open_opus(sample_rate_hz: int) -> Encoder:
    # FFmpeg's way takes a quarter of the time and its pages are short; the other needs no hundred megabytes.
    if is_importable("av"):
        return FfmpegEncoder(
            sample_rate_hz, container="ogg", codec="libopus", container_options=_PAGES, codec_options=_OPUS
        )
    return SndfileEncoder(sample_rate_hz, container="OGG", codec="OPUS")


_ALL = (
    Format("wav", "audio/wav", WavEncoder, tells_length=True),
    Format("mp3", "audio/mpeg", Mp3Encoder, delay_samples=_MP3_DELAY),
    Format(
        "flac",
        "audio/flac",
        functools.partial(SndfileEncoder, container="FLAC", codec="PCM_16"),
        extra="opus",
        modules=("soundfile",),
        tells_length=True,
    ),
    Format(
        "opus",
        "audio/ogg",
        _open_opus,
        rates_hz=_OPUS_RATES_HZ,
        own_rate_hz=_USUAL_HZ,
        extra="opus",
        modules=("av", "soundfile"),
    ),
    Format(
        "aac",
        "audio/aac",
        functools.partial(FfmpegEncoder, container="adts", codec="aac", codec_options=_AAC),
        extra="aac",
        modules=("av",),
        delay_samples=_AAC_DELAY,
    ),
    Format("pcm", "audio/pcm", PcmEncoder, own_rate_hz=_USUAL_HZ),
)

FORMATS: Mapping[str, Format] = MappingProxyType({each.name: each for each in _ALL})
"""Every format by name, whether it is installed or not."""


def installed_formats() -> tuple[str, ...]:
    """Give the names of the formats that work in this installation."""
    return tuple(
        each.name for each in _ALL if not each.modules or any(is_importable(module) for module in each.modules)
    )


@functools.cache
def is_importable(module: str) -> bool:
    """Tell whether a module is installed; it is not imported."""
    return importlib.util.find_spec(module) is not None
