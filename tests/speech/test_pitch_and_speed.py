"""Speed and pitch are what was asked, as another library measures them."""

# ruff: noqa: RUF001 - Chinese commas are meant

import io

import pytest
from tests.speech.measure import assert_is_speech, median_f0, read, semitones

from voxgate.speech.engines.presets import PRESETS
from voxgate.speech.request import SpeechRequest
from voxgate.speech.synthesis import Synthesizer

TEXTS = {
    "english": "The quick brown fox jumps over the lazy dog near the river bank. Every morning the old man walks along "
    "the quiet road, and he looks at the sea.",
    "vietnamese": "Việt Nam là một quốc gia nằm ở phía đông bán đảo Đông Dương. Hà Nội là thủ đô của cả nước, còn "
    "thành phố Hồ Chí Minh là đô thị lớn nhất.",
    "mandarin": "北京是中华人民共和国的首都。今天天气很好，我们去公园散步吧。",
}
SPEEDS = (0.5, 0.75, 1.5, 2.0)
PITCHES = (-10, -5, 5, 10)

# The default voice is measured over HTTP, by tests/journeys/test_speech_journey.py.
VOICES = [
    ("english", "Kore"),
    ("vietnamese", "vi"),
    ("mandarin", "Kore"),
]

_heard = {}


@pytest.fixture
def hear(speak):
    """Speak once, remember for every test of this file."""

    def speak_once(text: str, **settings):
        key = (text, *settings.items())
        if key not in _heard:
            _heard[key] = speak(text, **settings)
        return _heard[key]

    return speak_once


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize(("language", "voice_name"), VOICES)
def test_speed_sets_the_duration(hear, language, voice_name, speed):
    """Audio at speed r lasts 1/r as long, within 2 %."""
    normal = hear(TEXTS[language], voice_name=voice_name)
    spoken = hear(TEXTS[language], voice_name=voice_name, speed_ratio=speed)
    assert spoken.duration_s * speed / normal.duration_s == pytest.approx(1, abs=0.02)
    assert_is_speech(spoken)


@pytest.mark.parametrize("pitch", PITCHES)
@pytest.mark.parametrize(("language", "voice_name"), VOICES)
def test_pitch_moves_the_melody_by_semitones(hear, language, voice_name, pitch):
    """The median fundamental frequency moves by the semitones asked, within half of one; the duration stays."""
    normal = hear(TEXTS[language], voice_name=voice_name)
    spoken = hear(TEXTS[language], voice_name=voice_name, pitch_semitones=pitch)
    assert semitones(median_f0(spoken) / median_f0(normal)) == pytest.approx(pitch, abs=0.5)
    assert spoken.duration_s == pytest.approx(normal.duration_s, rel=0.02)
    assert_is_speech(spoken)


def test_speed_and_pitch_hold_together(hear):
    """Neither setting spoils the other."""
    normal = hear(TEXTS["english"], voice_name="Alnilam")
    both = hear(TEXTS["english"], voice_name="Alnilam", speed_ratio=1.5, pitch_semitones=5)
    assert both.duration_s * 1.5 / normal.duration_s == pytest.approx(1, abs=0.02)
    assert semitones(median_f0(both) / median_f0(normal)) == pytest.approx(5, abs=0.5)


@pytest.mark.parametrize("text", ["Hi.", "Yes, of course!", " ".join(TEXTS.values()) * 8], ids=["one", "few", "many"])
@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_speed_holds_for_short_and_long_texts(hear, text, speed):
    """One word and three thousand characters keep the ratio alike."""
    assert hear(text, speed_ratio=speed).duration_s * speed / hear(text).duration_s == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("speed", SPEEDS)
def test_engine_without_speed_gets_it_afterwards(hear, speed):
    """Finished audio of any engine is stretched exactly, and keeps its pitch."""
    normal, spoken = (hear("one two three four five", voice_name="tone", speed_ratio=ratio) for ratio in (1.0, speed))
    assert normal.duration_s == pytest.approx(1.0)
    assert spoken.duration_s * speed == pytest.approx(1.0, abs=0.02)
    assert median_f0(spoken) == pytest.approx(220, rel=0.01)


@pytest.mark.parametrize("pitch", PITCHES)
def test_engine_without_pitch_gets_it_afterwards(hear, pitch):
    """Finished audio of any engine is moved by semitones, and keeps its duration."""
    spoken = hear("one two three four five", voice_name="tone", pitch_semitones=pitch)
    assert semitones(median_f0(spoken) / 220) == pytest.approx(pitch, abs=0.5)
    assert spoken.duration_s == pytest.approx(1.0, abs=0.02)


def test_every_named_voice_sounds_like_itself(synthesizer: Synthesizer):
    """All 43 named voices speak; women's are higher than men's, and no two make the same audio."""
    assert len(PRESETS) == 43
    made, f0 = {}, {}
    for preset in PRESETS:
        out = io.BytesIO()
        synthesizer.synthesize(SpeechRequest("A quiet morning.", preset.name), out)
        sound = read(out.getvalue())
        assert_is_speech(sound)
        made[preset.name] = out.getvalue()
        f0.setdefault(preset.gender, []).append(median_f0(sound))
    assert max(f0["male"]) < min(f0["female"]) + 20
    assert len(set(made.values())) == len(PRESETS)
    assert len({(one.variant, one.base, one.melody, one.rate_ratio) for one in PRESETS}) == len(PRESETS)
