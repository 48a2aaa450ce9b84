"""Settings of voices and of how long texts may be."""

import pytest

from voxgate.gate.errors import ConfigurationError
from voxgate.settings import load_settings


@pytest.mark.parametrize(
    ("text", "standard", "premium", "gold"),
    [
        ("standard=100; premium=2000", 100, 2000, 100),
        ("700", 700, 700, 700),
        ("gold=9", 5000, 5000, 9),
        ({"standard": 7, "gold": 8}, 7, 7, 8),
    ],
)
def test_characters_are_told_by_tier(tmp_path, text, standard, premium, gold):
    """A tier that is not named has what standard has, and bodies are long enough for it."""
    settings = load_settings({}, overrides={"VOXGATE_DATA": str(tmp_path), "TTS_MAX_CHARACTERS": text})
    assert [settings.max_characters_of(tier) for tier in ("standard", "premium", "gold")] == [standard, premium, gold]
    assert settings.body_bytes_of("standard") == settings.max_body_bytes


@pytest.mark.parametrize("text", ["", "0", "-5", "many", "=5", "standard=", "standard=1000001", "a=1;b"])
def test_characters_that_are_none_are_refused(tmp_path, text):
    """Nothing, words, and more than a million."""
    with pytest.raises(ConfigurationError, match="TTS_MAX_CHARACTERS"):
        load_settings({}, overrides={"VOXGATE_DATA": str(tmp_path), "TTS_MAX_CHARACTERS": text})


def test_voices_lie_in_the_data_folder_or_where_it_is_said(tmp_path):
    """And long texts of a tier take longer bodies."""
    usual = load_settings({}, overrides={"VOXGATE_DATA": str(tmp_path)})
    assert usual.voices_folder == tmp_path / "voices"
    assert usual.body_bytes_of("premium") == 600_000
    said = load_settings({}, overrides={"VOXGATE_DATA": str(tmp_path), "VOXGATE_VOICES": str(tmp_path / "v")})
    assert said.voices_folder == tmp_path / "v"


def test_commands_are_a_table_of_the_file(tmp_path):
    """TOML needs no JSON."""
    (tmp_path / "voxgate.toml").write_text('[VOXGATE_COMMAND_VOICES.slt]\nargv = ["flite"]\nlanguage = "en"\n')
    settings = load_settings({}, overrides={"VOXGATE_DATA": str(tmp_path)})
    assert settings.command_voices["slt"].argv == ("flite",)
