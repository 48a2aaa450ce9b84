"""Read settings from the environment and one TOML file, and say what is wrong in one sentence."""

import difflib
import logging
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from voxgate.gate.errors import ConfigurationError
from voxgate.settings.keys import MAKE_KEY_COMMAND, find_weakness
from voxgate.settings.model import SETTINGS, Settings
from voxgate.settings.server import default_data_folder

CONFIG_NAME = "VOXGATE_CONFIG"
CONFIG_FILE = "voxgate.toml"
NAMES = {setting.name: attribute for attribute, setting in SETTINGS.items()}
"""The attribute that each setting is read into."""
ALIASES = {"RATELIMIT_STORAGE_URI": "VOXGATE_REDIS_URL", "RATELIMIT_STORAGE_URL": "VOXGATE_REDIS_URL"}
"""Other names that people know, and the names that they stand for."""

Warn = Callable[[str], None]
"""Takes one sentence about a setting that is not known or not safe."""

_KEY = "JWT_SECRET_KEY"
_FOREIGN = ("JWT_", "RATELIMIT_")  # families that other programs have too: an unknown one is only warned about
_log = logging.getLogger("voxgate.settings")


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    overrides: Mapping[str, object] | None = None,
    warn: Warn = _log.warning,
) -> Settings:
    """Read every setting once: the defaults, under the TOML file, under the environment, under the overrides.

    Args:
        environ: The environment; the process's own when None.
        overrides: Values by setting name that win over everything, such as those of the command line.
        warn: Takes each sentence about a setting that is not known or not safe.

    Raises:
        ConfigurationError: A setting is unknown or cannot be used; says which, why, and what is right.
    """
    given = dict(overrides or {})
    outer = {name: value for name, value in (os.environ if environ is None else environ).items() if _is_ours(name)}
    path = find_config(outer | given)
    values: dict[str, Any] = {}
    values |= _by_attribute(_read_file(path), where=str(path), warn=warn)
    values |= _by_attribute(_without_empty(outer), where="the environment", warn=warn)
    values |= _by_attribute(given, where="the command line", warn=warn)
    settings = _validate(values)
    _check_key(settings, warn=warn)
    return settings


def find_config(values: Mapping[str, object]) -> Path | None:
    """Return the TOML file to read: the one that ``VOXGATE_CONFIG`` names, or ``voxgate.toml`` in the data folder.

    Raises:
        ConfigurationError: The named file does not exist.
    """
    named = values.get(CONFIG_NAME)
    if named:
        path = Path(str(named)).expanduser()
        if not path.is_file():
            raise ConfigurationError(CONFIG_NAME, f"there is no file {str(path)!r}")
        return path
    data = values.get("VOXGATE_DATA")
    path = (Path(str(data)).expanduser() if data else default_data_folder()) / CONFIG_FILE
    return path if path.is_file() else None


def suggest(name: str) -> str:
    """Return `` Did you mean X?`` for the nearest setting, or where the settings are listed."""
    known = [*NAMES, CONFIG_NAME, *ALIASES]
    upper = name.upper()
    attribute = {attribute.upper(): setting.name for attribute, setting in SETTINGS.items()}.get(upper)
    near = [attribute] if attribute else difflib.get_close_matches(upper, known, n=1, cutoff=0.75)
    near = near or difflib.get_close_matches(f"VOXGATE_{upper}", known, n=1, cutoff=0.9)
    return f" Did you mean {near[0]}?" if near else " See docs/reference/settings.md."


def _is_ours(name: str) -> bool:
    return name.startswith(("VOXGATE_", *_FOREIGN)) or name in NAMES


def _without_empty(environ: Mapping[str, str]) -> dict[str, str]:
    # Compose files and unit files pass empty variables for "not set". An empty key is no such thing: it is a mistake.
    return {name: value for name, value in environ.items() if value or name == _KEY}


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError) as error:
        raise ConfigurationError(CONFIG_NAME, f"cannot read {str(path)!r}: {error}") from error


def _by_attribute(source: Mapping[str, Any], *, where: str, warn: Warn) -> dict[str, Any]:
    values = {}
    for name, value in source.items():
        known = ALIASES.get(name, name)
        if name == CONFIG_NAME or (known != name and known in source):
            continue  # the file's own name, or an alias beside the name that it stands for
        if known in NAMES:
            values[NAMES[known]] = value
        elif name.startswith(_FOREIGN):
            warn(f"{name} in {where} is not a setting of voxgate and is ignored.{suggest(name)}")
        else:
            raise ConfigurationError(name, f"is not a setting (in {where}).{suggest(name)}")
    return values


def _validate(values: dict[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        attribute = str(first["loc"][0])
        setting = SETTINGS[attribute]
        shown = "" if setting.is_secret else f"{values.get(attribute)!r}: "
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(setting.name, f"{shown}{reason[:1].lower()}{reason[1:]}") from None


def _check_key(settings: Settings, *, warn: Warn) -> None:
    make = f"make one with: {MAKE_KEY_COMMAND}"
    if settings.jwt_secret_key is None:
        has_keys = settings.secret_key_path.is_file() or settings.signing_keys_path.is_file()
        if settings.is_production and not has_keys:
            missing = f"the production profile needs a signing key; {make} (or 'voxgate init' keeps one in a file)"
            raise ConfigurationError(_KEY, missing)
        return
    key = settings.jwt_secret_key.get_secret_value()
    weakness = find_weakness(key, strict=settings.is_production)
    if weakness is not None:
        raise ConfigurationError(_KEY, f"the key {weakness}; {make}")
    if find_weakness(key, strict=True) is not None:
        warn(f"{_KEY}: the key looks made up and would be refused in production; {make}")
