"""Piper's voices lie in a folder and are spoken by a program of their own."""

import io
import json
import logging

import pytest
from tests.speech.measure import read
from tests.support.voices import make_piper_voice

from voxgate.speech.engines import piper
from voxgate.speech.engines.base import Utterance
from voxgate.speech.engines.piper_voices import read_models
from voxgate.speech.engines.registry import open_engines
from voxgate.speech.errors import EngineError
from voxgate.speech.request import SpeechRequest
from voxgate.speech.synthesis import Synthesizer

TEXT = "One two three. Four five six."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voices")
    make_piper_voice(folder, "en_US-tiny-medium")
    make_piper_voice(folder, "low", rate_hz=16_000)
    make_piper_voice(folder, "choir", speakers=("ann", "bob", "../x"))
    (folder / "broken.onnx").write_bytes(b"no model")
    (folder / "broken.onnx.json").write_text(json.dumps({"audio": {"sample_rate": 22_050}}))
    (folder / "alone.onnx").write_bytes(b"")
    (folder / "odd.onnx").write_bytes(b"")
    (folder / "odd.onnx.json").write_text("[]")
    return folder


@pytest.fixture(scope="module")
def synthesizer(folder):
    opened = Synthesizer(
        open_engines(("espeak", "piper"), workers=1, voices_folder=folder), max_audio_s=60, segment_deadline_s=30
    )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def speak(synthesizer):
    def call(voice_name, **terms):
        out = io.BytesIO()
        spoken = synthesizer.synthesize(SpeechRequest(TEXT, voice_name, **terms), out)
        return read(out.getvalue()), spoken

    return call


def test_folder_tells_its_voices(synthesizer, folder):
    """Every speaker of every model has a name; what is no voice or has no plain name is none; espeak stays first."""
    named = {voice.name: voice for voice in synthesizer.voices() if voice.engine == "piper"}
    assert named.keys() == {"en_US-tiny-medium", "low", "choir.ann", "choir.bob", "broken"}
    assert (named["low"].language, named["low"].style) == ("en-us", "neural, tiny")
    assert synthesizer.voices()[0].name == "Alnilam"
    assert read_models(folder / "none") == {}


@pytest.mark.parametrize("voice_name", ["en_US-tiny-medium", "low"])
def test_speed_is_the_models_own_and_exact(speak, voice_name):
    """Half the speed lasts twice as long, at any sample rate of the model."""
    lengths = {speed: speak(voice_name, speed_ratio=speed)[0].duration_s for speed in (0.5, 1.0, 2.0)}
    assert lengths[1.0] > 1
    assert lengths[0.5] == pytest.approx(2 * lengths[1.0], rel=0.01)
    assert lengths[2.0] == pytest.approx(lengths[1.0] / 2, rel=0.01)


def test_pitch_changes_the_finished_sound(speak):
    """What the model cannot is done afterwards, and the length stays."""
    usual, high = speak("low")[0], speak("low", pitch_semitones=6)[0]
    assert high.duration_s == pytest.approx(usual.duration_s, abs=0.01)
    assert abs(usual.samples[: len(high.samples)] - high.samples[: len(usual.samples)]).max() > 0.1


def test_captions_are_estimates(speak):
    """A model tells no words, and the captions say so."""
    _, spoken = speak("low")
    assert not spoken.captions.is_exact
    assert [segment.text for segment in spoken.captions.segments] == ["One two three.", "Four five six."]


def test_broken_model_is_refused_and_the_next_spoken(synthesizer, speak):
    """A file that cannot be loaded fails its own requests only; the process stays."""
    engine = synthesizer._engines.engine_of(next(v for v in synthesizer.voices() if v.name == "low"))
    speak("low")
    before = engine._pool.pids()
    with pytest.raises(EngineError, match=r"broken\.onnx cannot be loaded"):
        engine.speak(Utterance("a", "broken", "", 1.0, 0.0, 60.0, 30.0))
    speak("low")
    assert engine._pool.pids() == before


def test_version_follows_the_files(synthesizer, folder):
    """A new model under an old name is not served from the cache."""
    before = synthesizer.fingerprint(SpeechRequest("a", "low"))
    make_piper_voice(folder, "later")
    assert synthesizer.fingerprint(SpeechRequest("a", "low")) != before


def test_missing_extra_is_told(folder, monkeypatch, caplog):
    """Voices that nothing can speak are not listed, and the log says what to install."""
    monkeypatch.setattr(piper, "is_installed", lambda: False)
    with caplog.at_level(logging.WARNING):
        opened = open_engines(("piper",), workers=1, voices_folder=folder)
    assert opened.voices == ()
    assert "pip install 'voxgate[piper]'" in caplog.text
    opened.close()


def test_without_a_folder_there_are_no_voices():
    """Nothing is needed of who has no such voices."""
    opened = open_engines(("piper", "command"), workers=1)
    assert opened.voices == ()
    opened.close()
