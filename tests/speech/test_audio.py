"""Audio files are whole: true headers, no lost tail, no clicks."""

import io
import wave

import numpy as np
import pytest
from tests.speech.measure import read

from voxgate.speech.audio import MEDIA_TYPES, open_encoder

RATE_HZ = 22_050


def beep(duration_s: float, hz: float = 440.0) -> bytes:
    turns = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ * 2 * np.pi * hz
    return (np.sin(turns) * 8000).astype("<i2").tobytes()


def encode(output_format: str, *parts: bytes, before: bytes = b"") -> bytes:
    out = io.BytesIO()
    out.write(before)
    encoder = open_encoder(output_format, out, sample_rate_hz=RATE_HZ)
    for part in parts:
        encoder.write(part)
    size_bytes = encoder.finish()
    assert size_bytes == len(out.getvalue()) - len(before)
    assert out.tell() == len(out.getvalue())
    return out.getvalue()[len(before) :]


def test_wav_is_exactly_what_was_written():
    """The strict reader of the standard library finds true sizes and every sample."""
    pcm = beep(0.5)
    with wave.open(io.BytesIO(encode("wav", pcm[:1000], b"", pcm[1000:]))) as file:
        assert file.getparams()[:4] == (1, 2, RATE_HZ, len(pcm) // 2)
        assert file.readframes(10**6) == pcm


def test_wav_header_is_true_wherever_the_file_begins():
    """An encoder mends its own header only, not what stands before it."""
    assert encode("wav", beep(0.1), before=b"abc") == encode("wav", beep(0.1))


@pytest.mark.parametrize("duration_s", [0.05, 1.0, 5.0])
def test_mp3_has_the_whole_sound(duration_s):
    """The decoded length is right and the end is not lost: the last tenth still sounds."""
    sound = read(encode("mp3", beep(duration_s)))
    assert sound.duration_s == pytest.approx(duration_s, abs=0.12)
    heard = np.flatnonzero(np.abs(sound.samples) > 0.1)
    assert (heard[-1] - heard[0]) / RATE_HZ == pytest.approx(duration_s, abs=0.02)


def test_mp3_written_in_pieces_is_the_same_file():
    """Segments leave no trace in the encoded stream."""
    pcm = beep(3)
    assert encode("mp3", *(pcm[at : at + 10_000] for at in range(0, len(pcm), 10_000))) == encode("mp3", pcm)


@pytest.mark.parametrize("output_format", MEDIA_TYPES)
def test_file_without_audio_is_still_a_file(output_format):
    """Nothing to say gives an empty WAV, or an MP3 of silence."""
    assert np.abs(read(encode(output_format)).samples).max(initial=0) < 1e-3


@pytest.mark.parametrize("speed_ratio", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("voice_name", ["Alnilam", "Kore", "cmn"])
def test_segments_begin_and_end_in_silence(speak, voice_name, speed_ratio):
    """Segments are joined as they are, so both ends stand near zero: no click between them."""
    for text in ("Good morning!", "你好", "and so on"):
        samples = np.abs(speak(text, voice_name=voice_name, speed_ratio=speed_ratio).samples)
        assert samples[0] < 0.02
        assert samples[-200:].max() < 0.01


def test_pauses_between_segments_are_short(speak):
    """A text in three sentences takes little longer than the same words in one."""
    three = speak("One two three. Four five six. Seven eight nine.")
    assert three.duration_s == pytest.approx(speak("One two three, four five six, seven eight nine.").duration_s, abs=1)
