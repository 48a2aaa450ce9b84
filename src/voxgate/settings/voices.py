"""Settings of voices: where the operator puts them, and programs that speak."""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from voxgate.settings.setting import Group, Setting


class CommandVoiceTerms(Group):
    """One voice that a program speaks."""

    argv: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    language: str = Field("", pattern=r"^([a-z]{2,8}(-[a-z0-9]{1,8})*)?$")
    style: str = Field("a program of the operator's", min_length=1, max_length=100)
    gender: Literal["female", "male", "neutral"] = "neutral"


def _read_json(value: object) -> object:
    """Read a JSON object from a text; a table of the TOML file is one already."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError('write a JSON object such as {"slt": {"argv": ["flite", "-voice", "slt"]}}') from error


_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
_CommandVoices = Annotated[dict[_Name, CommandVoiceTerms], BeforeValidator(_read_json)]


class VoiceSettings(Group):
    """What speaks beside the engine that is always there."""

    voices: Annotated[
        Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())] | None,
        Setting(
            "VOXGATE_VOICES",
            "Folder of Piper voices: `name.onnx` and `name.onnx.json` for each (extra `piper`).",
            default_doc="`voices` in the data folder",
        ),
    ] = None
    command_voices: Annotated[
        _CommandVoices,
        Setting(
            "VOXGATE_COMMAND_VOICES",
            "Voices that programs speak, by name: a table with `argv` (a list, never a shell's line) and, if wanted, "
            "`language`, `gender` and `style`. The text comes on standard input, and 16-bit mono WAV goes to standard "
            "output; `{language}` and `{voice}` in `argv` stand for what is set here.",
            default_doc="none",
        ),
    ] = {}  # noqa: RUF012 -- frozen with its group
