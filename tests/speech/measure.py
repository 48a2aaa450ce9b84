"""Independent measurements of audio: another library's reader, another library's pitch estimator."""

import io
import math
from dataclasses import dataclass

import numpy as np
import parselmouth
import soundfile

FLOOR_HZ, CEILING_HZ = 40.0, 700.0


@dataclass(frozen=True, slots=True)
class Sound:
    """Decoded audio: samples between -1 and 1."""

    samples: np.ndarray
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate_hz

    @property
    def loudness_dbfs(self) -> float:
        return 20 * math.log10(max(1e-9, float(np.sqrt(np.mean(self.samples**2)))))


def read(data: bytes) -> Sound:
    """Decode a WAV or MP3 file."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float64")
    return Sound(samples, rate)


def voiced_f0(sound: Sound) -> np.ndarray:
    """Give the fundamental frequency of the voiced frames, in Hz, by Praat's autocorrelation."""
    pitch = parselmouth.Sound(sound.samples, sound.sample_rate_hz).to_pitch_ac(
        time_step=0.005, pitch_floor=FLOOR_HZ, pitch_ceiling=CEILING_HZ
    )
    found = pitch.selected_array["frequency"]
    return found[found > 0]


def median_f0(sound: Sound) -> float:
    return float(np.median(voiced_f0(sound)))


def semitones(ratio: float) -> float:
    return 12 * math.log2(ratio)


def voiced_share(sound: Sound) -> float:
    """Give the share of frames that are voiced: about half of speech, nearly none of noise or silence."""
    return len(voiced_f0(sound)) * 0.005 / sound.duration_s


def loudness_swing_db(sound: Sound) -> float:
    """Give how much louder loud 20 ms frames are than quiet ones: large in speech, small in a hum or noise."""
    size = sound.sample_rate_hz // 50
    frames = sound.samples[: len(sound.samples) // size * size].reshape(-1, size)
    levels = 20 * np.log10(np.sqrt(np.mean(frames**2, axis=1)) + 1e-6)
    return float(np.percentile(levels, 90) - np.percentile(levels, 10))


def assert_is_speech(sound: Sound) -> None:
    """Energy, voiced frames and syllables, not noise, a hum or silence."""
    assert sound.loudness_dbfs > -40
    assert 0.25 < voiced_share(sound) < 0.98
    assert loudness_swing_db(sound) > 10
    f0 = voiced_f0(sound)
    assert 45 < np.median(f0) < 450
