"""Engines are found by their entry points, and their voices are one list."""

import importlib.metadata
import re

import pytest

from voxgate.speech.engines.base import Engine
from voxgate.speech.engines.presets import PRESETS
from voxgate.speech.engines.registry import Engines, open_engines
from voxgate.speech.errors import EngineError, SpeechError


def test_voices_are_named_presets_and_languages(engines: Engines):
    """Alnilam comes first, every name is a plain word and has a style, and languages stand under their codes."""
    names = [voice.name for voice in engines.voices]
    assert names[0] == "Alnilam"
    assert {one.name for one in PRESETS} < set(names)
    assert {"en-us", "en-gb-x-rp", "vi", "cmn", "ja", "de", "pt-br"} < set(names)
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", name) for name in names)
    assert all(voice.style and voice.engine in {"espeak", "tone"} for voice in engines.voices)


def test_named_voices_keep_their_gender_and_speak_any_language(engines: Engines):
    """A client that picks a woman's voice by name gets one."""
    assert engines.find_voice("Kore").gender == "female"
    assert engines.find_voice("alloy").gender == "neutral"
    assert engines.find_voice("Alnilam").language == ""
    assert engines.find_voice("vi").language == "vi"


@pytest.mark.parametrize("name", ["en-us+f2", "../vi", "gmw/en-US", "ALNILAM", "", "en-us\0"])
def test_only_listed_names_are_voices(engines: Engines, name):
    """The library takes any path for a voice, so nothing but a listed name is ever found."""
    assert engines.find_voice(name) is None


def test_test_engine_is_opened_only_by_name():
    """Without names every installed engine is opened except those for tests; no process starts."""
    opened = open_engines(workers=1)
    assert {voice.engine for voice in opened.voices} == {"espeak"}
    assert opened.program.pool.pids() == []
    opened.close()


def test_missing_engine_is_named():
    """A name that is not installed is told."""
    with pytest.raises(EngineError, match="no engine piper2 is installed"):
        open_engines(("piper2",), workers=1)


def test_two_voices_of_one_name_are_refused(engines: Engines):
    """A name must mean one voice."""
    tone: Engine = engines.engine_of(engines.find_voice("tone"))
    second = type("Second", (type(tone),), {"name": "second"})()
    with pytest.raises(SpeechError, match="tone and second both have a voice named tone"):
        Engines([tone, second], engines.program)


def test_engines_stand_in_the_distribution_as_entry_points():
    """Strangers add engines the same way as ours are found."""
    names = {entry.name for entry in importlib.metadata.entry_points(group="voxgate.engines")}
    assert {"espeak", "tone"} <= names
