"""Our own engines pass what is asked of the engines of strangers."""

import re
import sys
from pathlib import Path

import pytest
from tests.support.voices import SPEAKING_PROGRAM, make_piper_voice

from voxgate.speech.engines import command, espeak, piper, tone
from voxgate.speech.engines.setup import CommandVoice, Setup
from voxgate.testing.engines import EngineContract


class TestEspeak(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, engine_setup):
        return espeak.open_engine(engine_setup)


class TestTone(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, engine_setup):
        return tone.open_engine(engine_setup)


class TestPiper(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, engine_setup, tmp_path_factory):
        folder = tmp_path_factory.mktemp("voices")
        make_piper_voice(folder, "tiny", rate_hz=16_000)
        opened = piper.open_engine(Setup(engine_setup.program, voices_folder=folder))
        yield opened
        opened.close()


class TestCommand(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, engine_setup):
        voice = CommandVoice("buzz", (sys.executable, "-S", "-c", SPEAKING_PROGRAM, "16000", "0.2"), "en")
        opened = command.open_engine(Setup(engine_setup.program, workers=2, command_voices=(voice,)))
        yield opened
        opened.close()


class TestGuide(EngineContract):
    """The engine that the guide shows, word by word."""

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, engine_setup):
        guide = (Path(__file__).parents[2] / "docs/guides/write-an-engine.md").read_text()
        names = {}
        exec(re.search(r"```py\n(.*?)```", guide, re.DOTALL)[1], names)  # noqa: S102 -- the project's own page
        return names["open_engine"](engine_setup)
