"""Audio is given away while it is made, and nothing is made that nobody takes."""

import io
import os
import signal

import av
import pytest
from tests.speech.measure import read

from voxgate.speech.engines.registry import Engines, open_engines
from voxgate.speech.errors import SynthesisFailedError
from voxgate.speech.formats.registry import FORMATS
from voxgate.speech.request import SpeechRequest
from voxgate.speech.streaming import SpeechStream
from voxgate.speech.synthesis import Synthesizer

TEXT = "The quick brown fox jumps over the lazy dog. It rests near the river bank. Then it sleeps."
RATE_HZ = 24_000
SECOND = bytes(2 * RATE_HZ)


class Segments:
    """Segments of a second of silence, that know how many were taken."""

    def __init__(self, count: int) -> None:
        self.taken = 0
        self.is_closed = False
        self._count = count

    def generate(self):
        try:
            for _ in range(self._count):
                self.taken += 1
                yield SECOND
        finally:
            self.is_closed = True


def stream_of(segments: Segments, name: str = "pcm") -> SpeechStream:
    form = FORMATS[name]
    return SpeechStream(segments.generate(), form.open_encoder(RATE_HZ), form=form, rate_hz=RATE_HZ)


@pytest.mark.parametrize("has_ffmpeg", [True, False])
@pytest.mark.parametrize("name", FORMATS)
def test_stream_has_the_sound_of_the_file(synthesizer: Synthesizer, monkeypatch, name, has_ffmpeg):
    """Streamed and written, a text has the same length, and no piece of the stream is empty."""
    monkeypatch.setattr("voxgate.speech.synthesis.can_resample", lambda: has_ffmpeg)
    request = SpeechRequest(TEXT, output_format=name)
    out = io.BytesIO()
    written = synthesizer.synthesize(request, out)
    stream = synthesizer.stream(request)
    blocks = list(stream)
    assert all(blocks)
    assert len(blocks) > 3
    assert stream.duration_s == pytest.approx(written.duration_s, abs=0.05)
    if name == "aac":
        # The engine never speaks a text twice to the sample, and AAC spends a tenth more or less on such a difference.
        assert decoded_s(b"".join(blocks)) == pytest.approx(decoded_s(out.getvalue()), abs=0.05)
    else:
        assert sum(map(len, blocks)) == pytest.approx(written.size_bytes, rel=0.05)


def decoded_s(data):
    """Return how long a file sounds once FFmpeg has decoded it."""
    with av.open(io.BytesIO(data)) as file:
        return sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))


@pytest.mark.parametrize("name", ["wav", "flac"])
def test_read_stream_knows_its_head(synthesizer: Synthesizer, name):
    """Who has kept the whole stream can make a file with a true length of it."""
    stream = synthesizer.stream(SpeechRequest(TEXT, output_format=name))
    data = b"".join(stream)
    head = stream.head()
    assert read(head + data[len(head) :]).duration_s == pytest.approx(stream.duration_s, abs=1e-6)


@pytest.mark.parametrize("has_ffmpeg", [True, False])
@pytest.mark.parametrize("name", ["pcm", "mp3", "aac", "opus"])
def test_first_bytes_come_before_the_first_sentence_is_spoken(synthesizer: Synthesizer, monkeypatch, name, has_ffmpeg):
    """The beginning of a long sentence is given away while the rest is made, in a quarter of a second of sound."""
    monkeypatch.setattr("voxgate.speech.synthesis.can_resample", lambda: has_ffmpeg)
    stream = synthesizer.stream(SpeechRequest(TEXT.replace(". ", ", "), output_format=name))
    assert next(stream)
    assert stream.duration_s < 0.25
    list(stream)
    assert stream.duration_s > 4


def test_stream_with_captions_tells_them_before_their_sound(synthesizer: Synthesizer):
    """So a sentence is given as a whole; without captions nothing is told."""
    stream = synthesizer.stream(SpeechRequest(TEXT, output_format="pcm"), with_captions=True)
    next(stream)
    assert [segment.text for segment in stream.new_captions()] == [TEXT.split(". ", maxsplit=1)[0] + "."]
    stream.close()
    silent = synthesizer.stream(SpeechRequest(TEXT, output_format="pcm"))
    list(silent)
    assert silent.new_captions() == ()


def test_worker_that_is_killed_after_the_first_bytes_costs_nothing():
    """The rest of the sentence is spoken by a fresh one; the sound is as long as ever."""
    synthesizer = Synthesizer(open_engines(("espeak",), workers=1), max_audio_s=600, segment_deadline_s=30)
    request = SpeechRequest(TEXT, output_format="pcm")
    try:
        whole = sum(map(len, synthesizer.stream(request)))
        stream = synthesizer.stream(request)
        given = len(next(stream))
        os.kill(*synthesizer._engines.program.pool.pids(), signal.SIGKILL)
        assert given + sum(map(len, stream)) == pytest.approx(whole, rel=0.02)
    finally:
        synthesizer.close()


def test_client_that_goes_after_the_first_bytes_costs_no_worker():
    """What it does not want any more is read away, and the same worker speaks the next text."""
    synthesizer = Synthesizer(open_engines(("espeak",), workers=1), max_audio_s=600, segment_deadline_s=30)
    request = SpeechRequest(TEXT, output_format="pcm")
    try:
        for _ in range(3):
            stream = synthesizer.stream(request)
            next(stream)
            stream.close()
        assert sum(map(len, synthesizer.stream(request))) > 4 * RATE_HZ
        assert synthesizer._engines.program.pool.restarts == 0
    finally:
        synthesizer.close()


def test_nothing_is_spoken_ahead():
    """A segment is spoken when its bytes are asked for, so the first bytes wait for one segment only."""
    segments = Segments(3)
    stream = stream_of(segments)
    assert segments.taken == 0
    first = next(stream)
    assert segments.taken == 1
    assert len(first) < len(SECOND) / 2


def test_closed_stream_speaks_nothing_more():
    """Who goes away stops the work; closing twice is no error."""
    segments = Segments(3)
    stream = stream_of(segments)
    next(stream)
    stream.close()
    stream.close()
    assert (segments.taken, segments.is_closed) == (1, True)
    assert list(stream) == []


def test_unread_stream_can_be_closed():
    """A stream that nobody has read has spoken nothing."""
    segments = Segments(3)
    stream_of(segments).close()
    assert segments.taken == 0


def test_fault_of_a_later_segment_comes_while_reading(engines: Engines):
    """What was spoken is given; then the fault is raised, and the stream does not just end."""
    stream = Synthesizer(engines, max_audio_s=3, segment_deadline_s=30).stream(SpeechRequest(TEXT, "tone"))
    taken = [next(stream)]
    with pytest.raises(SynthesisFailedError, match="audio_too_long"):
        taken.extend(stream)
    assert taken


def test_unknown_voice_fails_before_anything(synthesizer: Synthesizer):
    """A voice that is in no list fails at once."""
    with pytest.raises(SynthesisFailedError, match="engine_unavailable"):
        synthesizer.stream(SpeechRequest("Hi", "nobody"))
