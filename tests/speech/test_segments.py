"""A segment that ends the engine as a whole is spoken in parts, each tried by itself."""

from dataclasses import replace

import pytest

from voxgate.speech.engines.base import Speech, Utterance, Voice, Word
from voxgate.speech.errors import EngineError
from voxgate.speech.segments import SegmentSpeaker

VOICE = Voice("v", "", "brittle", "breaks", "neutral")


class Brittle:
    """An engine with a tenth of a second for each character, that some texts end."""

    sample_rate_hz = 1000

    def __init__(self, is_deadly, reason="engine_crashed"):
        self.is_deadly, self.reason, self.asked = is_deadly, reason, []

    def engine_of(self, _voice):
        return self

    def speak(self, _voice, utterance):
        self.asked.append((utterance.text, utterance.is_continued, round(utterance.max_audio_s, 3)))
        if self.is_deadly(utterance.text):
            raise EngineError(self.reason)
        return Speech(bytes(200 * len(utterance.text)), (Word(0, 0.0),))

    def speak_as_made(self, voice, utterance):
        for part in (utterance.text[:2], utterance.text[2:]):
            yield replace(self.speak(voice, replace(utterance, text=part)), rate_hz=self.rate_hz)

    rate_hz = 0

    def resample(self, pcm, *, from_hz, to_hz, **_terms):
        return pcm[: len(pcm) * to_hz // from_hz]


def speak_with(engine, text, **terms):
    usual = {"speed_ratio": 1.0, "pitch_semitones": 0.0, "max_audio_s": 60.0, "deadline_s": 5.0}
    return SegmentSpeaker(engine, VOICE, 1000).speak(Utterance(text, "v", "", **(usual | terms)))


def test_text_is_cut_around_its_symbols():
    """The parts follow each other without a pause, and their words have their places in the whole."""
    engine = Brittle(lambda text: "x" in text and "\U0001f920" in text)
    speech = speak_with(engine, "ax \U0001f920 b", is_continued=False)
    assert [asked[:2] for asked in engine.asked[1:]] == [("ax ", True), ("\U0001f920", True), (" b", False)]
    assert engine.asked[3][2] == 59.6
    assert len(speech.pcm) == 200 * 6
    assert speech.words == (Word(0, 0.0), Word(3, pytest.approx(0.3)), Word(4, pytest.approx(0.4)))


@pytest.mark.parametrize("text", ["one two three four", "abcdefgh", "\U0001f920a" * 30])
def test_text_without_a_few_symbols_is_halved(text):
    """At the space that is nearest to the middle, if there is one."""
    engine = Brittle(lambda asked: asked == text)
    assert len(speak_with(engine, text).pcm) == 200 * len(text)
    assert len(engine.asked) == 3


def test_part_that_is_deadly_too_fails_the_segment():
    """Each part has one try, so that a hostile text costs a bounded number of processes."""
    engine = Brittle(lambda text: "x" in text)
    with pytest.raises(EngineError, match="engine_crashed"):
        speak_with(engine, "ax \U0001f920 b")
    assert len(engine.asked) == 2


@pytest.mark.parametrize(
    ("text", "reason"), [("a", "engine_crashed"), ("a b", "deadline_exceeded"), ("a b", "audio_too_long")]
)
def test_other_trouble_is_told_at_once(text, reason):
    """What is too small, too slow or too long is not tried in parts."""
    engine = Brittle(lambda _text: True, reason)
    with pytest.raises(EngineError, match=reason):
        speak_with(engine, text)
    assert len(engine.asked) == 1


def test_rare_letters_and_emoji_are_spoken_in_german(speak):
    """What ends every process of the German voice as a whole is heard in parts."""
    assert speak("Gut \u068d\U0001f920 gemacht", voice_name="de").duration_s > 1


def speak_as_made(engine, text):
    utterance = Utterance(text, "v", "", 1.0, 0.0, max_audio_s=60.0, deadline_s=5.0)
    return SegmentSpeaker(engine, VOICE, 1000).speak_as_made(utterance)


def test_sound_is_given_while_it_is_made():
    """The beginning is there before the rest is spoken."""
    engine = Brittle(lambda _text: False)
    speech = speak_as_made(engine, "abcdef")
    assert len(next(speech).pcm) == 400
    assert [asked[0] for asked in engine.asked] == ["ab"]
    assert [len(part.pcm) for part in speech] == [800]


def test_parts_at_another_rate_are_brought_to_it_as_one():
    """Where only the whole of a sound can be resampled, the whole is waited for; words are kept."""
    engine = Brittle(lambda _text: False)
    engine.rate_hz = 2000
    (speech,) = speak_as_made(engine, "abcdef")
    assert len(speech.pcm) == 600
    assert speech.words == (Word(0, 0.0), Word(0, 0.0))


def test_segment_that_ends_the_engine_in_its_midst_is_spoken_in_parts():
    """What was given before is not given again."""
    engine = Brittle(lambda text: text == "x \U0001f920 b")
    parts = [len(speech.pcm) for speech in speak_as_made(engine, "abx \U0001f920 b")]
    assert parts == [400, 200 * 5]


def test_segment_that_is_refused_in_its_midst_is_not_tried_again():
    """Only a crash is worth another try."""
    engine = Brittle(lambda text: text == "cd", reason="audio_too_long")
    parts = speak_as_made(engine, "abcd")
    next(parts)
    with pytest.raises(EngineError, match="audio_too_long"):
        next(parts)
