"""Sound at another sample rate is the same sound: same length, same tones, nothing folded into it."""

import ctypes
import itertools

import espeakng_loader
import numpy as np
import pytest
from tests.speech.measure import FLUTTER_S

from voxgate.speech.engines.base import Utterance
from voxgate.speech.engines.lowpass import LowPass
from voxgate.speech.engines.registry import Engines
from voxgate.speech.engines.sonic import Sonic
from voxgate.speech.formats.ffmpeg import FfmpegResampler
from voxgate.speech.formats.resampling import resampled
from voxgate.speech.segments import SegmentSpeaker

DEADLINE_S = 60
ENGINE_HZ = 22_050
RATES_HZ = (8_000, 11_025, 16_000, 24_000, 44_100, 48_000)


def tone(hz: float, rate_hz: int, duration_s: float = 1.0) -> bytes:
    turns = np.arange(round(duration_s * rate_hz)) / rate_hz * 2 * np.pi * hz
    return (np.sin(turns) * 8000).astype("<i2").tobytes()


@pytest.fixture(params=["libsonic", "FFmpeg"])
def resample(engines: Engines, request):
    """Both ways to another sample rate: the engine's program, and FFmpeg where it is installed."""

    def by_libsonic(pcm: bytes, to_hz: int) -> bytes:
        return engines.resample(pcm, from_hz=ENGINE_HZ, to_hz=to_hz, deadline_s=DEADLINE_S)

    def by_ffmpeg(pcm: bytes, to_hz: int) -> bytes:
        resampler = FfmpegResampler(from_hz=ENGINE_HZ, to_hz=to_hz)
        return resampler.feed(pcm) + resampler.finish()

    way = by_libsonic if request.param == "libsonic" else by_ffmpeg
    return lambda pcm, to_hz: np.frombuffer(way(pcm, to_hz), "<i2").astype(float)


def noise_db(samples: np.ndarray, hz: float, rate_hz: int) -> float:
    """Give everything that is not the tone, relative to it."""
    inner = samples[rate_hz // 10 : -rate_hz // 10]
    turns = np.arange(len(inner)) / rate_hz * 2 * np.pi * hz
    basis = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    fitted = basis @ np.linalg.lstsq(basis, inner, rcond=None)[0]
    return 20 * np.log10(np.linalg.norm(inner - fitted) / np.linalg.norm(fitted))


@pytest.mark.parametrize("to_hz", RATES_HZ)
@pytest.mark.parametrize("hz", [300.0, 1000.0, 3000.0])
def test_tone_stays_itself(resample, to_hz, hz):
    """Tones of the voice keep their pitch and level exactly; noise and distortion are 60 dB below."""
    heard = resample(tone(hz, ENGINE_HZ), to_hz)
    assert len(heard) == to_hz
    assert noise_db(heard, hz, to_hz) < -60
    assert np.sqrt(np.mean(heard[1000:-1000] ** 2)) == pytest.approx(8000 / np.sqrt(2), rel=0.02)


@pytest.mark.parametrize(("to_hz", "hz"), [(8_000, 5_000), (11_025, 7_000), (16_000, 9_000)])
def test_what_the_lower_rate_cannot_carry_is_gone(resample, to_hz, hz):
    """A tone above the new band does not come back as another tone."""
    heard = resample(tone(hz, ENGINE_HZ), to_hz)
    assert np.abs(heard[500:-500]).max() < 8000 * 10 ** (-50 / 20)


@pytest.mark.parametrize("samples", [0, 1, 7, 12_345])
@pytest.mark.parametrize("to_hz", RATES_HZ)
def test_length_is_exact_to_the_sample(resample, samples, to_hz):
    """No rounding adds up over the segments of a text; silence stays silence to its ends."""
    heard = resample(bytes(2 * samples), to_hz)
    assert len(heard) == round(samples * to_hz / ENGINE_HZ)
    assert not heard.any()


def test_same_rate_asks_nobody(engines: Engines):
    """Sound that has the rate already is given back as it is."""
    pcm = tone(440, ENGINE_HZ)
    assert engines.resample(pcm, from_hz=ENGINE_HZ, to_hz=ENGINE_HZ, deadline_s=0) is pcm


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    return ctypes.CDLL(espeakng_loader.get_library_path())


@pytest.mark.parametrize("cuts", [(), (1,), (4_410,), (31, 32, 33, 500), (7_000, 7_000, 11_999, 12_000)])
@pytest.mark.parametrize("to_hz", RATES_HZ)
def test_parts_joined_are_the_whole(library, to_hz, cuts):
    """Wherever a sound is cut, its parts joined are the same as the whole at once, sample by sample."""
    sonic = Sonic(library, open_low_pass=LowPass)
    noise = np.random.default_rng(7).normal(scale=6_000, size=12_001).clip(-32768, 32767).astype("<i2").tobytes()
    sound = sonic.resampling(from_hz=ENGINE_HZ, to_hz=to_hz)
    parts = [noise[2 * start : 2 * end] for start, end in itertools.pairwise((0, *cuts, 12_001))]
    heard = [sound.feed(part, is_last=index == len(cuts)) for index, part in enumerate(parts)]
    assert b"".join(heard) == sonic.resample(noise, from_hz=ENGINE_HZ, to_hz=to_hz)


@pytest.mark.parametrize("cuts", [(1,), (4_410,), (31, 32, 33, 500), (7_000, 7_000, 11_999, 12_000)])
@pytest.mark.parametrize("to_hz", RATES_HZ)
def test_sound_by_ffmpeg_has_no_seams(to_hz, cuts):
    """There too a sound is the same sample by sample, wherever it was cut."""
    noise = np.random.default_rng(7).normal(scale=6_000, size=12_001).clip(-32768, 32767).astype("<i2").tobytes()
    parts = [noise[2 * start : 2 * end] for start, end in itertools.pairwise((0, *cuts, 12_001))]
    whole, cut = (
        b"".join(resampled((part for part in each), from_hz=ENGINE_HZ, to_hz=to_hz)) for each in ([noise], parts)
    )
    assert whole == cut


@pytest.mark.parametrize("way", ["libsonic", "FFmpeg"])
def test_part_is_given_when_it_comes(library, way):
    """Of a fifth of a second that is put in, all but the last milliseconds come out at once."""
    if way == "libsonic":
        sound = Sonic(library, open_low_pass=LowPass).resampling(from_hz=ENGINE_HZ, to_hz=24_000)
    else:
        sound = FfmpegResampler(from_hz=ENGINE_HZ, to_hz=24_000)
    assert 0.18 * 24_000 < len(sound.feed(tone(440, ENGINE_HZ, 0.2))) / 2 <= 0.2 * 24_000


@pytest.mark.parametrize("samples", [0, 100, 500, 3_000])
def test_library_is_given_no_scraps(library, monkeypatch, samples):
    """Libsonic gets half a second at least: at some lengths below 25 ms it would write beyond its memory."""
    sonic = Sonic(library, open_low_pass=LowPass)
    written, write = [], library.sonicWriteShortToStream
    monkeypatch.setattr(library, "sonicWriteShortToStream", lambda *terms: (written.append(terms[2]), write(*terms)))
    assert len(sonic.resample(bytes(2 * samples), from_hz=ENGINE_HZ, to_hz=24_000)) == 2 * round(samples * 160 / 147)
    assert len(sonic.retime(bytes(2 * samples), sample_rate_hz=ENGINE_HZ, speed_ratio=2, pitch_ratio=1.5)) == samples
    assert min(written) > 7_000
    assert len(written) == 2


def test_loud_sound_is_clipped_and_does_not_wrap():
    """What swings over the largest sample stays there."""
    square = np.repeat(np.array([32767, -32768] * 50, dtype="<i2"), 20).tobytes()
    passing = LowPass(from_hz=ENGINE_HZ, to_hz=8_000)
    heard = np.frombuffer(passing.feed(square) + passing.finish(), "<i2").astype(int)
    assert heard.max() == 32767
    assert heard.min() == -32768
    # Where the square stands high the sound does too: nothing has turned round.
    assert (heard.reshape(-1, 20)[::2, 8:12] > 20_000).all()


@pytest.mark.parametrize("to_hz", [8_000, 24_000])
def test_engine_that_can_gives_its_audio_at_the_wanted_rate(engines: Engines, monkeypatch, to_hz):
    """espeak-ng gives audio at the wanted rate at once, as long as at its own; its words begin when they did."""
    voice = engines.find_voice("en-us")
    said = Utterance("One, two, three.", "en-us", "en-us", 1.0, 0.0, max_audio_s=60, deadline_s=DEADLINE_S)
    own = SegmentSpeaker(engines, voice, ENGINE_HZ).speak(said)
    monkeypatch.setattr(engines, "resample", _same)
    wanted = SegmentSpeaker(engines, voice, to_hz).speak(said)
    assert len(wanted.pcm) / 2 / to_hz == pytest.approx(len(own.pcm) / 2 / ENGINE_HZ, abs=FLUTTER_S)
    assert [word.at_s for word in wanted.words] == pytest.approx([word.at_s for word in own.words], abs=FLUTTER_S)


def _same(pcm: bytes, *, from_hz: int, to_hz: int, deadline_s: float) -> bytes:
    assert from_hz == to_hz
    assert deadline_s == DEADLINE_S
    return pcm
