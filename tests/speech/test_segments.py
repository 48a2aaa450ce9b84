"""A segment that ends the engine as a whole is spoken in parts, each tried by itself."""

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

    def resample(self, pcm, **_rates):
        return pcm


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
