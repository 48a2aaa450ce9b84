"""The list of voices without a server."""

import json

import pytest
from tests.support.voices import make_piper_voice


def test_every_voice_is_a_line(run):
    """Its name, language, gender, engine and style; the default comes first."""
    lines = run("voices").stdout.splitlines()
    assert lines[0].split() == ["Alnilam", "any", "male", "espeak", "steady", "and", "sure"]
    assert any(line.startswith("vi ") for line in lines)


def test_voices_of_one_language_as_json(run):
    """For programs, one object per line."""
    found = [json.loads(line) for line in run("voices", "--language", "zh-CN", "--json").stdout.splitlines()]
    names = {voice["name"] for voice in found}
    assert {"Alnilam", "cmn"} <= names
    assert "vi" not in names
    assert found[0].keys() == {"name", "language", "gender", "engine", "style"}


def test_voices_of_the_folder_and_of_programs(run, data, monkeypatch):
    """What the operator has added is listed by its engine."""
    make_piper_voice(data / "voices", "tiny")
    monkeypatch.setenv("VOXGATE_COMMAND_VOICES", '{"slt": {"argv": ["flite", "-voice", "slt"], "language": "en"}}')
    assert run("voices", "--engine", "piper").stdout.split()[0] == "tiny"
    assert run("voices", "--engine", "command").stdout.split()[:2] == ["slt", "en"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--language", "e"], "no language tag"),
        (["--engine", "none"], "those that have: espeak"),
        (["--engine", "espeak", "--language", "tlh"], "no such voice"),
    ],
)
def test_nothing_to_list_is_told(run, arguments, said):
    """And the exit status says so."""
    result = run("voices", *arguments)
    assert result.exit_code == 1
    assert said in result.stderr


@pytest.mark.parametrize(
    "value",
    ["no json", "[]", '{"a": {}}', '{"a": {"argv": "sh -c x"}}', '{"../a": {"argv": ["x"]}}', '{"a": {"argv": []}}'],
)
def test_commands_that_are_none_are_refused(run, monkeypatch, value):
    """A line for a shell, a name that is a path, or nothing to run."""
    monkeypatch.setenv("VOXGATE_COMMAND_VOICES", value)
    result = run("voices")
    assert result.exit_code == 1
    assert "VOXGATE_COMMAND_VOICES" in result.stderr
