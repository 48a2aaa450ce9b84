"""A request becomes an audio file that speaks."""

import io
import threading

import pytest
from tests.speech.measure import assert_is_speech, median_f0, read

from voxgate.speech.engines.registry import Engines
from voxgate.speech.errors import SynthesisCancelledError, SynthesisFailedError
from voxgate.speech.formats.registry import FORMATS
from voxgate.speech.request import SpeechRequest
from voxgate.speech.synthesis import Synthesizer

ENGLISH = "The quick brown fox jumps over the lazy dog. It rests near the river bank."
VIETNAMESE = "Xin chào các bạn. Hôm nay trời đẹp quá, chúng ta đi dạo nhé!"
MANDARIN = "北京是中国的首都。今天天气很好。"


@pytest.mark.parametrize("output_format", ["wav", "mp3", "flac", "opus"])
@pytest.mark.parametrize("text", [ENGLISH, VIETNAMESE, MANDARIN])
def test_file_decodes_and_is_speech(synthesizer: Synthesizer, text, output_format):
    """An independent reader decodes the file, of the told length and size; it is speech, not noise or silence."""
    out = io.BytesIO()
    told = synthesizer.synthesize(SpeechRequest(text, output_format=output_format), out)
    sound = read(out.getvalue())
    assert_is_speech(sound)
    assert sound.duration_s == pytest.approx(told.duration_s, abs=0.15 if output_format == "mp3" else 1e-9)
    assert told.size_bytes == len(out.getvalue())
    assert told.segments == 2
    assert told.media_type == FORMATS[output_format].media_type


@pytest.mark.parametrize("speed_ratio", [0.25, 0.4, 3.0, 4.0])
@pytest.mark.parametrize("voice_name", ["Alnilam", "tone"])
def test_speed_beyond_the_engine_is_made_of_its_sound(speak, voice_name, speed_ratio):
    """What an engine cannot do naturally is done to its audio: four times as fast is a quarter as long."""
    usual = speak(ENGLISH, voice_name=voice_name).duration_s
    assert speak(ENGLISH, voice_name=voice_name, speed_ratio=speed_ratio).duration_s == pytest.approx(
        usual / speed_ratio, rel=0.02
    )


@pytest.mark.parametrize("sample_rate_hz", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("output_format", ["wav", "mp3", "opus"])
def test_file_has_the_wanted_sample_rate(synthesizer: Synthesizer, output_format, sample_rate_hz):
    """The rate is the wanted one, and the speech lasts as long as ever."""
    request = SpeechRequest(ENGLISH, output_format=output_format, sample_rate_hz=sample_rate_hz)
    out = io.BytesIO()
    told = synthesizer.synthesize(request, out)
    sound = read(out.getvalue())
    # MP3 frames are long at a low rate.
    assert sound.sample_rate_hz == sample_rate_hz
    assert sound.duration_s == pytest.approx(told.duration_s, abs=0.25)
    assert_is_speech(sound)


def test_named_voice_speaks_the_language_of_each_sentence(speak):
    """A named voice reads Vietnamese as Vietnamese: as the language's own voice does, not as English would."""
    named, own = speak(VIETNAMESE), speak(VIETNAMESE, voice_name="vi")
    as_english = speak(VIETNAMESE, voice_name="en-us")
    assert named.duration_s / 0.96 != pytest.approx(as_english.duration_s, rel=0.1)
    assert named.duration_s * 0.96 == pytest.approx(own.duration_s, rel=0.1)


@pytest.mark.parametrize(
    ("text", "plain", "voice_name"),
    [("２０２６年", "2026年", "cmn"), ("१२३", "123", "en-us"), ("Room ١٢٣", "Room 123", "Alnilam")],
)
def test_numbers_are_heard_in_whatever_digits(synthesizer: Synthesizer, text, plain, voice_name):
    """Digits that the language does not have are spoken like those that it has, and captions have what was written."""
    spoken, expected = (synthesizer.synthesize(SpeechRequest(each, voice_name), io.BytesIO()) for each in (text, plain))
    assert spoken.duration_s == pytest.approx(expected.duration_s, rel=0.02)
    assert [segment.text for segment in spoken.captions.segments] == [text]


def test_progress_is_told_before_and_after_each_segment(synthesizer: Synthesizer):
    """Progress counts from none to all."""
    told = []
    synthesizer.synthesize(SpeechRequest(ENGLISH), io.BytesIO(), on_progress=lambda *step: not told.append(step))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_refused_progress_stops_the_work(synthesizer: Synthesizer):
    """A false answer of the progress callback ends the request before its next segment."""
    told = []
    with pytest.raises(SynthesisCancelledError):
        synthesizer.synthesize(
            SpeechRequest(ENGLISH), io.BytesIO(), on_progress=lambda done, _all: told.append(done) or done < 1
        )
    assert told == [0, 1]


@pytest.mark.parametrize("voice_name", ["Alnilam", "tone"])
@pytest.mark.parametrize("speed_ratio", [1.0, 0.5])
def test_too_much_audio_fails_naming_the_segment(engines: Engines, speed_ratio, voice_name):
    """The cap on seconds of audio holds over all segments of a request."""
    short = Synthesizer(engines, max_audio_s=4, segment_deadline_s=30)
    with pytest.raises(SynthesisFailedError) as failure:
        short.synthesize(SpeechRequest(f"Hi. {ENGLISH * 3}", voice_name, speed_ratio=speed_ratio), io.BytesIO())
    assert failure.value.reason == "audio_too_long"
    assert 1 <= failure.value.segment_index <= 3
    assert f"Segment {failure.value.segment_index + 1} " in str(failure.value)


def test_unknown_voice_never_reaches_an_engine(synthesizer: Synthesizer):
    """A voice that is in no list fails, also when no one has looked for faults."""
    with pytest.raises(SynthesisFailedError, match="engine_unavailable"):
        synthesizer.synthesize(SpeechRequest("Hi", "en-us+../../tmp/x"), io.BytesIO())


def test_voices_and_formats_are_told(synthesizer: Synthesizer):
    """What may be asked for is known before asking."""
    assert synthesizer.formats == ("wav", "mp3", "flac", "opus", "aac", "pcm")
    assert synthesizer.voice_names == {voice.name for voice in synthesizer.voices()}


def test_equal_requests_have_one_fingerprint(synthesizer: Synthesizer):
    """What is heard decides the fingerprint, not how it was typed; every setting changes it."""
    fingerprint = synthesizer.fingerprint
    assert fingerprint(SpeechRequest("Hé  llo\x00")) == fingerprint(SpeechRequest("He\u0301 llo"))
    assert fingerprint(SpeechRequest("a", speed_ratio=1)) == fingerprint(SpeechRequest("a", pitch_semitones=-0.0))
    different = [
        SpeechRequest("a"),
        SpeechRequest("b"),
        SpeechRequest("a", "Kore"),
        SpeechRequest("a", "en-us"),
        SpeechRequest("a", "tone"),
        SpeechRequest("a", output_format="mp3"),
        SpeechRequest("a", sample_rate_hz=8_000),
        SpeechRequest("a", speed_ratio=1.5),
        SpeechRequest("a", pitch_semitones=1),
    ]
    assert len({fingerprint(one) for one in different}) == len(different)
    assert all(len(fingerprint(one)) == 64 for one in different)


def test_text_without_anything_to_say_gives_a_whole_file(speak):
    """A text of signs alone ends in a short file, not in an error."""
    assert speak("…").duration_s < 2


def test_threads_share_the_workers(synthesizer: Synthesizer):
    """Twelve requests at once on two workers are all spoken, each in its own voice."""
    voices = ["Alnilam", "Kore", "Umbriel"] * 4
    heard = {}

    def work(index: int) -> None:
        out = io.BytesIO()
        synthesizer.synthesize(SpeechRequest(ENGLISH, voices[index]), out)
        heard[index] = median_f0(read(out.getvalue()))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard) == 12
    for index in range(12):
        assert heard[index] == pytest.approx(heard[index % 3], rel=0.02)
