"""Audio files are whole in every format: true headers, no lost tail, no clicks, read by two independent libraries."""

import io
import wave

import av
import numpy as np
import pytest
import soundfile
from tests.speech.measure import read

from voxgate.speech.formats import registry
from voxgate.speech.formats.registry import FORMATS, installed_formats
from voxgate.speech.formats.sndfile import SndfileEncoder

RATE_HZ = 24_000
CODED = ("mp3", "flac", "opus", "aac")
# Frames that an encoder may add for its own delay, in samples: MP3 three, AAC two.
ADDED = {"mp3": 3 * 1152, "aac": 2 * 1024}


def beep(duration_s: float, *, hz: float = 440.0, rate_hz: int = RATE_HZ) -> bytes:
    turns = np.arange(round(duration_s * rate_hz)) / rate_hz * 2 * np.pi * hz
    return (np.sin(turns) * 8000).astype("<i2").tobytes()


def encode(name: str, *parts: bytes, rate_hz: int = RATE_HZ, is_file: bool = True) -> bytes:
    encoder = FORMATS[name].open_encoder(rate_hz)
    sent = b"".join(encoder.feed(part) for part in parts) + encoder.finish()
    head = encoder.head() if is_file else b""
    return head + sent[len(head) :]


def decode(data: bytes) -> np.ndarray:
    """Decode with FFmpeg; samples between -1 and 1."""
    with av.open(io.BytesIO(data)) as file:
        resampler = av.AudioResampler(format="flt", layout="mono")
        frames = [each for frame in file.decode(audio=0) for each in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def test_every_format_is_installed_here():
    """The tests below judge every format; in this order they are listed."""
    assert installed_formats() == tuple(FORMATS) == ("wav", "mp3", "flac", "opus", "aac", "pcm")


def test_formats_of_missing_extras_are_not_listed(monkeypatch):
    """Without the libraries of the extras there are WAV, MP3 and bare samples."""
    monkeypatch.setattr(registry, "is_importable", lambda _module: False)
    assert installed_formats() == ("wav", "mp3", "pcm")


def test_module_that_is_missing_is_not_importable():
    """What is installed is found without importing it."""
    assert registry.is_importable("av")
    assert not registry.is_importable("no_such_module_anywhere")


def test_wav_file_is_exactly_what_was_written():
    """The strict reader of the standard library finds true sizes and every sample."""
    pcm = beep(0.5)
    with wave.open(io.BytesIO(encode("wav", pcm[:1000], b"", pcm[1000:]))) as file:
        assert file.getparams()[:4] == (1, 2, RATE_HZ, len(pcm) // 2)
        assert file.readframes(10**6) == pcm


def test_wav_stream_says_that_its_length_is_not_known():
    """Before the end nobody knows the sizes; players then read until the end."""
    pcm = beep(0.5)
    data = encode("wav", pcm, is_file=False)
    assert data[4:8] == data[40:44] == b"\xff\xff\xff\xff"
    assert data[44:] == pcm
    assert len(decode(data)) == len(pcm) // 2


def test_wav_without_sound_is_a_file():
    """A header alone is a file, of no length."""
    with wave.open(io.BytesIO(encode("wav"))) as file:
        assert file.getnframes() == 0


def test_pcm_is_the_samples_themselves():
    """No header, and nothing held back."""
    pcm = beep(0.1)
    assert encode("pcm", pcm[:100], pcm[100:]) == pcm


@pytest.mark.parametrize("is_file", [True, False])
def test_flac_is_lossless(is_file):
    """Every sample comes back, from the file and from the stream."""
    pcm = beep(2.0)
    heard = decode(encode("flac", pcm[:1234], pcm[1234:], is_file=is_file))
    assert (np.round(heard * 32768).astype("<i2").tobytes()) == pcm


def test_flac_file_tells_its_length():
    """A file's header is mended at its end: length and checksum are true for a strict reader."""
    info = soundfile.info(io.BytesIO(encode("flac", beep(2.0))))
    assert info.frames == 2 * RATE_HZ


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("duration_s", [0.1, 1.0, 3.21])
def test_coded_sound_is_whole(name, rate_hz, duration_s):
    """Decoded by FFmpeg the length is right to the frame, and the sound lasts to its very end."""
    data = encode(name, beep(duration_s, rate_hz=rate_hz), rate_hz=rate_hz)
    with av.open(io.BytesIO(data)) as file:
        heard_hz = file.streams.audio[0].rate
    heard = decode(data)
    added_s = ADDED.get(name, 1) / rate_hz
    assert duration_s - 1e-4 <= len(heard) / heard_hz <= duration_s + added_s + 1e-4
    loud = np.flatnonzero(np.abs(heard) > 0.1)
    assert (loud[-1] - loud[0]) / heard_hz == pytest.approx(duration_s, abs=0.03)


@pytest.mark.parametrize("rate_hz", [22_050, 48_000])
def test_encoder_that_was_ready_gives_what_a_new_one_gives(rate_hz):
    """An encoder of MP3 that is made ready while another encodes shares nothing with it or with the next."""
    sound, other = beep(0.5, rate_hz=rate_hz), beep(0.5, hz=900, rate_hz=rate_hz)
    first, second = (FORMATS["mp3"].open_encoder(rate_hz) for _ in range(2))
    sent = first.feed(sound), second.feed(other), first.feed(sound)
    third = FORMATS["mp3"].open_encoder(rate_hz)
    rest = third.feed(sound), second.finish(), third.feed(sound), first.finish(), third.finish()
    assert sent[0] + sent[2] + rest[3] == rest[0] + rest[2] + rest[4] == encode("mp3", sound, sound, rate_hz=rate_hz)
    assert sent[1] + rest[1] == encode("mp3", other, rate_hz=rate_hz)


@pytest.mark.parametrize("name", ["mp3", "flac", "opus"])
@pytest.mark.parametrize("rate_hz", [8_000, 24_000, 48_000])
def test_second_reader_reads_the_same(name, rate_hz):
    """The other library reads what FFmpeg reads; it knows no AAC."""
    sound = read(encode(name, beep(2.0, rate_hz=rate_hz), rate_hz=rate_hz))
    assert sound.duration_s == pytest.approx(2.0, abs=0.25)
    assert np.abs(sound.samples[len(sound.samples) // 4 : len(sound.samples) // 2]).max() > 0.2


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 48_000])
def test_second_reader_reads_aac(rate_hz, tmp_path):
    """Symphonia, whose decoders are its own, hears every sample and the tone to its end."""
    sphn = pytest.importorskip("sphn", reason="Symphonia has no wheel for this machine")
    (tmp_path / "beep.aac").write_bytes(encode("aac", beep(2.0, rate_hz=rate_hz), rate_hz=rate_hz))
    (samples,), heard_hz = sphn.read(str(tmp_path / "beep.aac"))
    loud = np.flatnonzero(np.abs(samples) > 0.2)
    assert heard_hz == rate_hz
    assert 2 * rate_hz <= len(samples) <= 2 * rate_hz + ADDED["aac"]
    assert loud[-1] - loud[0] == pytest.approx(2 * rate_hz, abs=0.03 * rate_hz)


@pytest.mark.parametrize("name", ["wav", "mp3", "flac", "pcm"])
def test_sound_written_in_pieces_is_the_same_file(name):
    """Segments leave no trace in the encoded stream."""
    pcm = beep(3)
    assert encode(name, *(pcm[at : at + 10_000] for at in range(0, len(pcm), 10_000))) == encode(name, pcm)


@pytest.mark.parametrize("name", CODED)
def test_bytes_come_while_sound_is_fed(name):
    """A stream can begin before its end: a second of sound has given something."""
    assert FORMATS[name].open_encoder(RATE_HZ).feed(beep(1.5))


def test_opus_needs_only_the_light_library():
    """Without FFmpeg's libraries Opus is encoded by libsndfile, as whole as before."""
    encoder = SndfileEncoder(RATE_HZ, container="OGG", codec="OPUS")
    data = encoder.feed(beep(1.5)) + encoder.finish()
    assert encoder.head() == b""
    assert len(decode(data)) / 48_000 == pytest.approx(1.5, abs=1e-3)


def test_opus_falls_back_to_the_light_library(monkeypatch):
    """Which library encodes is decided by what is installed."""
    monkeypatch.setattr(registry, "is_importable", lambda module: module != "av")
    assert isinstance(FORMATS["opus"].open_encoder(RATE_HZ), SndfileEncoder)


def test_format_chooses_its_rate():
    """The wanted rate, else the format's own, else the engine's or the next that the format knows."""
    assert FORMATS["wav"].rate_for(8_000, engine_hz=22_050) == 8_000
    assert FORMATS["pcm"].rate_for(None, engine_hz=22_050) == 24_000
    assert FORMATS["mp3"].rate_for(None, engine_hz=22_050) == 22_050
    assert FORMATS["mp3"].rate_for(None, engine_hz=20_000) == 22_050
    assert FORMATS["mp3"].rate_for(None, engine_hz=96_000) == 48_000


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
