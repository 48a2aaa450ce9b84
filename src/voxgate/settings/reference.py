"""The settings as a page for readers and as a commented file, both made from the settings themselves."""

import types
import typing
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from voxgate.settings.model import SETTINGS, Settings
from voxgate.settings.reading import ALIASES, CONFIG_NAME

_TYPES = {
    str: "text",
    int: "integer",
    bool: "true or false",
    Path: "path",
    SecretStr: "secret text",
    tuple: "list of texts",
    dict: "text",
}
_GROUPS = {
    "VOXGATE_": ("The house", "Where things are, who may reach them and how much they may take."),
    "JWT_": ("Tokens", "Named as the documents name them."),
    "RATELIMIT_": (
        "Limits",
        "A limit is a text such as `10 per minute`, `10/minute` or `100 per hour; 5 per second`.",
    ),
    "TTS_": ("Speech", "What may be spoken."),
}


def reference_page() -> str:
    """Return docs/reference/settings.md."""
    lines = [
        "# Settings",
        "",
        "<!-- Made by ./dev docs from src/voxgate/settings/. -->",
        "",
        "Every setting is read once, at the start.",
        "It may stand in the environment or in a TOML file, under the same name; the environment wins.",
        f"The file is `voxgate.toml` in the data folder, or the one that `{CONFIG_NAME}` names.",
        "Options of the command line win over both.",
        "An empty variable counts as not set.",
        "An unknown `VOXGATE_` name stops the start; an unknown `JWT_` or `RATELIMIT_` name is warned about.",
        "Durations are seconds or texts such as `15 minutes`; sizes are bytes or texts such as `2 GiB`.",
        "Lists are TOML or JSON arrays, or texts separated by commas.",
        f"`{'` and `'.join(ALIASES)}` are other names of `VOXGATE_REDIS_URL`.",
    ]
    for prefix, (title, intro) in _GROUPS.items():
        lines += ["", f"## {title}", "", intro, "", "| name | type | unit | default | bounds | meaning |"]
        lines += ["|---|---|---|---|---|---|"]
        lines += [_row(attribute) for attribute, setting in SETTINGS.items() if setting.name.startswith(prefix)]
    return "\n".join(lines) + "\n"


def commented_file() -> str:
    """Return a voxgate.toml in which every setting stands as a comment with its default."""
    lines = ["# Settings of voxgate. Remove the # before a name to set it; the environment wins over this file."]
    for attribute, setting in SETTINGS.items():
        if attribute != "data":  # this file lies in the data folder
            lines += ["", f"# {setting.doc}", f"# {setting.name} = {_example(attribute)}"]
    return "\n".join(lines) + "\n"


def _row(attribute: str) -> str:
    setting = SETTINGS[attribute]
    default = setting.default_doc or f"`{_plain(Settings.model_fields[attribute].default)}`"
    cells = (f"`{setting.name}`", _type(attribute), setting.unit, default, _bounds(attribute), setting.doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(attribute: str) -> str:
    annotation: Any = Settings.model_fields[attribute].annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        annotation = typing.get_args(annotation)[0]  # the rest is None
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(f"`{value}`" for value in typing.get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return " or ".join(f"`{value}`" for value in annotation)
    return _TYPES[typing.get_origin(annotation) or annotation]


def _bounds(attribute: str) -> str:
    bounds: dict[str, Any] = {}
    for bound in Settings.model_fields[attribute].metadata:
        bounds |= {
            name: getattr(bound, name) for name in ("ge", "le", "min_length", "max_length") if hasattr(bound, name)
        }
    if "ge" in bounds:
        return f"{bounds['ge']} to {bounds['le']}"
    if "max_length" in bounds:
        return f"{bounds['min_length']} to {bounds['max_length']} characters"
    return "not empty" if bounds else ""


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return str(value)


def _example(attribute: str) -> str:
    field = Settings.model_fields[attribute]
    if field.default_factory is not None or field.default is None:
        is_none = SETTINGS[attribute].default_doc == "none"  # there is no number that means it
        return "2" if _type(attribute) == "integer" and not is_none else '""'
    return _plain(field.default) if isinstance(field.default, bool | int | tuple) else f'"{field.default}"'
