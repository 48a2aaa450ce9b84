"""Independent measurements of audio: another library's reader, another library's pitch estimator."""

import io
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import parselmouth
import soundfile

FLOOR_HZ, CEILING_HZ = 40.0, 700.0
# espeak-ng's voice flutters: the same words spoken twice differ by up to a turn of the voice, 13 ms at 78 Hz.
FLUTTER_S = 0.02


@dataclass(frozen=True)
class Sound:
    """Decoded audio: samples between -1 and 1. Without slots, because its melody is measured once and kept."""

    samples: np.ndarray
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate_hz

    @property
    def loudness_dbfs(self) -> float:
        return 20 * math.log10(max(1e-9, float(np.sqrt(np.mean(self.samples**2)))))

    @cached_property
    def voiced_f0(self) -> np.ndarray:
        """The fundamental frequency of the voiced frames, in Hz, by Praat's autocorrelation."""
        pitch = parselmouth.Sound(self.samples, self.sample_rate_hz).to_pitch_ac(
            time_step=0.005, pitch_floor=FLOOR_HZ, pitch_ceiling=CEILING_HZ
        )
        found = pitch.selected_array["frequency"]
        return found[found > 0]


def read(data: bytes) -> Sound:
    """Decode a WAV or MP3 file."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float64")
    return Sound(samples, rate)


def median_f0(sound: Sound) -> float:
    return float(np.median(sound.voiced_f0))


def semitones(ratio: float) -> float:
    return 12 * math.log2(ratio)


def voiced_share(sound: Sound) -> float:
    """Give the share of frames that are voiced: about half of speech, nearly none of noise or silence."""
    return len(sound.voiced_f0) * 0.005 / sound.duration_s


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
    assert 45 < median_f0(sound) < 450
