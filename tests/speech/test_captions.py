"""Captions tell what is heard when: in order, within the audio, with every word of the text."""

# ruff: noqa: RUF001 - letters of many scripts are meant

import io
import itertools
import json

import av
import numpy as np
import pytest

from voxgate.speech.captions import Captions, CaptionSegment, CaptionTrack, CaptionWord
from voxgate.speech.captions_text import MAX_CUE_CHARS, cues_of, to_srt, to_vtt
from voxgate.speech.engines.base import Word
from voxgate.speech.formats.registry import FORMATS
from voxgate.speech.request import SpeechRequest
from voxgate.speech.synthesis import Synthesizer

TEXTS = {
    "numbers": "One of the dogs, in 2024, ran out of the house. Don't stop; it's 3.5 km (or so) - e.g. $5.",
    "vietnamese": "Xin chào các bạn. Hôm nay là ngày 21 tháng 11 năm 2026.",
    "chinese": "今天天气很好。我们去公园吧！",
    "japanese": "今日は天気がいいです。",
    "long run": f"See {'abcdefgh' * 20} and [[more]] of it.",
    "long sentence": "and then it went on, " * 40,
}


def captions_of(synthesizer: Synthesizer, text: str, **settings) -> Captions:
    out = io.BytesIO()
    spoken = synthesizer.synthesize(SpeechRequest(text, **settings), out)
    assert spoken.captions.duration_s == spoken.duration_s  # of WAV, which delays nothing
    return spoken.captions


def assert_ordered(captions: Captions) -> None:
    at_s = 0.0
    for segment in captions.segments:
        assert at_s <= segment.start_s <= segment.end_s <= captions.duration_s + 1e-9
        at_s = segment.start_s
        for word in segment.words:
            assert at_s <= word.start_s <= word.end_s <= segment.end_s
            at_s = word.start_s
        at_s = segment.end_s


def assert_whole(segment: CaptionSegment) -> None:
    joined = "".join(word.text for word in segment.words)
    assert "".join(joined.split()) == "".join(segment.text.split())
    assert all(segment.text[word.offset :].startswith(word.text) for word in segment.words)


@pytest.mark.parametrize("settings", [{}, {"speed_ratio": 1.7}, {"speed_ratio": 0.5, "pitch_semitones": 3}])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_words_are_in_order_and_nothing_is_lost(synthesizer, text, settings):
    """Times never go back and stay within the audio; the words together are the text as it was written."""
    captions = captions_of(synthesizer, text, **settings)
    assert captions.is_exact
    assert_ordered(captions)
    for segment in captions.segments:
        assert_whole(segment)
    written = "".join("".join(segment.text.split()) for segment in captions.segments)
    assert written == "".join(text.split())


def test_times_follow_the_speed(synthesizer):
    """At half the speed every word begins at twice its time."""
    usual, slow = (captions_of(synthesizer, TEXTS["vietnamese"], speed_ratio=speed) for speed in (1.0, 0.5))
    starts = [[word.start_s for segment in one.segments for word in segment.words] for one in (usual, slow)]
    assert starts[1] == pytest.approx([2 * at_s for at_s in starts[0]], abs=0.25)


def test_words_begin_where_they_are_heard(synthesizer, speak):
    """A word after a pause begins when the sound comes back."""
    captions = captions_of(synthesizer, "<speak>Stop.<break time='3s'/>Go.</speak>", input_format="ssml")
    stop, go = captions.segments
    assert go.start_s == pytest.approx(stop.end_s + 3, abs=0.01)
    sound = speak("<speak>Stop.<break time='3s'/>Go.</speak>", input_format="ssml")
    begin = int((go.words[0].start_s) * sound.sample_rate_hz)
    assert abs(sound.samples[begin - 2000 : begin - 200]).max() < 0.01
    assert abs(sound.samples[begin : begin + 6000]).max() > 0.1


def test_engine_without_words_gives_honest_estimates(synthesizer):
    """Segments have real times; within them times are estimated, and the answer says so."""
    captions = captions_of(synthesizer, f"One two three. {'and more ' * 30}", voice_name="tone")
    assert not captions.is_exact
    assert_ordered(captions)
    assert all(segment.words == () for segment in captions.segments)
    cues = cues_of(captions)
    assert all(len(cue.text) <= MAX_CUE_CHARS for cue in cues)
    assert cues[-1].end_ms <= captions.duration_s * 1000 + 1


def test_captions_survive_being_written_down(synthesizer):
    """What is read is what was written, to the millisecond."""
    captions = captions_of(synthesizer, TEXTS["numbers"])
    read = Captions.from_json(captions.to_json())
    assert read.to_json() == captions.to_json()
    assert json.loads(captions.to_json())["exact"] is True


@pytest.mark.parametrize(
    "times", [((0.0, 0.5), (0.5, 1.0)), ((0.1, 0.5), (0.7, 1.0)), ((0.1, 0.5), (0.4, 1.0)), ((0.0, 0.0), (0.0, 1.0))]
)
def test_each_word_keeps_its_own_times(times):
    """Whether it begins where the last one ends, after a pause, or before that."""
    words = tuple(CaptionWord(f"word{start}", index, start, end) for index, (start, end) in enumerate(times))
    captions = Captions(1.0, (CaptionSegment("words", 0.0, 1.0, words),))
    assert Captions.from_json(captions.to_json()) == captions


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        ([Word(0, 0.0), Word(4, 0.3), Word(8, 0.6)], ["one", "two", "three"]),
        ([Word(1, 0.1), Word(2, 0.2)], ["one two three"]),
        ([Word(5, 0.1)], ["one two three"]),
        ([Word(0, 0.0), Word(8, 0.9), Word(4, 0.2)], ["one two", "three"]),
        ([Word(-1, 0.0), Word(99, 0.5), Word(4, 0.2)], ["one two three"]),
        ([], []),
    ],
)
def test_odd_words_of_an_engine_do_no_harm(words, texts):
    """Events that repeat, go back or lie outside are merged; the times stay in order."""
    track = CaptionTrack()
    track.add("one two three", words, start_s=1.0, end_s=2.0)
    captions = track.captions(2.0)
    assert [word.text for word in captions.segments[0].words] == texts
    assert_ordered(captions)


def test_times_of_an_engine_never_leave_the_segment():
    """A time after the end or before the last one is drawn in."""
    track = CaptionTrack()
    track.add("a b c", [Word(0, -5.0), Word(2, 9.0), Word(4, 0.5)], start_s=1.0, end_s=2.0)
    assert [word.start_s for word in track.captions(2.0).segments[0].words] == [1.0, 2.0, 2.0]


SAMPLE = Captions(
    4000.0,
    (
        CaptionSegment("a --> <b>&</b>", 0.0, 1.5),
        CaptionSegment(
            "你好", 3661.0, 3662.5, (CaptionWord("你", 0, 3661.0, 3661.5), CaptionWord("好", 1, 3661.5, 3662.5))
        ),
    ),
)


def test_webvtt_is_escaped():
    """Nothing of a text is markup or a line of times."""
    assert to_vtt(SAMPLE) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.500\na --&gt; &lt;b&gt;&amp;&lt;/b&gt;\n\n"
        "01:01:01.000 --> 01:01:02.500\n你好\n"
    )


def test_subrip_is_numbered():
    """Players find a number, the times and the text in each block."""
    assert to_srt(SAMPLE) == (
        "1\n00:00:00,000 --> 00:00:01,500\na → <b>&</b>\n\n2\n01:01:01,000 --> 01:01:02,500\n你好\n"
    )


def test_long_segments_become_readable_cues(synthesizer):
    """A cue has at most two lines of 42 characters and about seven seconds, and cues do not overlap."""
    cues = cues_of(captions_of(synthesizer, TEXTS["long sentence"]))
    assert len(cues) > 8
    assert all(len(cue.text) <= MAX_CUE_CHARS and cue.end_ms - cue.start_ms <= 7500 for cue in cues)
    assert all(one.end_ms <= other.start_ms for one, other in itertools.pairwise(cues))


APART = "<speak>Apple.<break time='1s'/>Orange.<break time='1s'/>Emma was early.<break time='1s'/>Over.</speak>"
RATE_HZ = 24_000


def heard(data: bytes, form: str) -> np.ndarray:
    """Decode as a player does."""
    if form == "pcm":
        return np.frombuffer(data, "<i2") / 32768
    with av.open(io.BytesIO(data)) as file:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        frames = [each for frame in file.decode(audio=0) for each in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def onsets_s(samples: np.ndarray) -> list[float]:
    """Give where sound begins after at least half a second of silence.

    AAC whispers ahead of a sound, in its frames of 128 ms at 8000 Hz: now louder than 0.02, now not, never than 0.04.
    """
    loud = np.flatnonzero(np.abs(samples) > 0.08)
    first = np.flatnonzero(np.diff(loud, prepend=-RATE_HZ) > RATE_HZ // 2)
    return [loud[at] / RATE_HZ for at in first]


@pytest.mark.parametrize("speed_ratio", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("rate_hz", [None, 8_000])
@pytest.mark.parametrize("form", FORMATS)
def test_captions_begin_when_they_are_heard(synthesizer, form, rate_hz, speed_ratio):
    """In every format, at every speed: also where an encoder delays all sound, and a pause is a pause of SSML."""
    rate_hz = RATE_HZ if form == "pcm" else rate_hz
    out = io.BytesIO()
    wanted = SpeechRequest(
        APART, output_format=form, input_format="ssml", sample_rate_hz=rate_hz, speed_ratio=speed_ratio
    )
    captions = synthesizer.synthesize(wanted, out).captions
    samples = heard(out.getvalue(), form)
    starts_s = [segment.start_s for segment in captions.segments]
    # Vowels are loud at once, within 3 ms. An encoder's delay would be more: 46 ms at 22,050 Hz, 128 ms at 8000.
    assert np.array(onsets_s(samples)) - starts_s == pytest.approx(np.zeros(4), abs=0.02)
    # What a format cannot cut off at its end is less than two of its frames.
    assert captions.duration_s == pytest.approx(len(samples) / RATE_HZ, abs=2 * 1152 / (rate_hz or 22_050))
