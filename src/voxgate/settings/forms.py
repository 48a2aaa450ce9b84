"""The forms that people write values in: durations, sizes, lists, limits, origins."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from voxgate.gate.decision import Trouble
from voxgate.gate.errors import ConfigurationError
from voxgate.gate.limits import LimitKind, parse_limits

_SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86_400}
_SECONDS |= {"day": 86_400, "w": 604_800, "week": 604_800}
_BYTES = {"b": 1, "byte": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_PART = re.compile(r"(\d+)\s*([a-z]+)[\s,]*", re.IGNORECASE)
_USUAL_TIER, _USUAL_CHARACTERS, _MAX_CHARACTERS = "standard", 5_000, 1_000_000
_CHARACTERS_HINT = "standard=5000; premium=50000"
_DURATION_HINT = "write seconds such as 900, or a text such as '15 minutes'"
_SIZE_HINT = "write bytes such as 131072, or a text such as '2 GiB'"


def read_duration(value: object) -> int:
    """Return whole seconds from a number, a timedelta, or a text such as ``15 minutes`` or ``1h 30m``.

    Raises:
        ValueError: The value is no duration.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    return _read_amount(value, _SECONDS, _DURATION_HINT)


def read_size(value: object) -> int:
    """Return bytes from a number or a text such as ``2 GiB``.

    Raises:
        ValueError: The value is no size.
    """
    return _read_amount(value, _BYTES, _SIZE_HINT)


def read_list(value: object) -> object:
    """Return a tuple of texts from a JSON array or a comma-separated text; anything else passes unchanged."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return tuple(json.loads(value))
        except json.JSONDecodeError as error:
            raise ValueError('write a JSON array such as ["a", "b"], or texts separated by commas') from error
    return tuple(part.strip() for part in value.split(",") if part.strip())


def check_limits(value: object) -> object:
    """Return the limit text unchanged once the gate can read it.

    Raises:
        ValueError: The gate cannot read it.
    """
    if isinstance(value, str):
        try:
            limits = parse_limits(value, name="limit")
        except ConfigurationError as error:
            raise ValueError(error.reason) from error
        if limits:
            return value
    raise ValueError("write a limit such as '10 per minute' or '100 per hour; 5 per second'")


def read_characters(value: object) -> object:
    """Return characters by tier from a text such as ``standard=5000; premium=50000``, or one number for every tier.

    Raises:
        ValueError: It is neither, or a number is out of bounds.
    """
    if isinstance(value, Mapping):
        value = ";".join(f"{tier}={number}" for tier, number in value.items())
    read = {}
    for part in str(value).split(";"):
        tier, has_tier, number = part.strip().rpartition("=")
        tier, number = tier.strip() if has_tier else _USUAL_TIER, number.strip()
        if not tier or not re.fullmatch(r"\d{1,7}", number) or not 1 <= int(number) <= _MAX_CHARACTERS:
            raise ValueError(f"write characters by tier such as {_CHARACTERS_HINT!r}, at most {_MAX_CHARACTERS} each")
        read[tier] = int(number)
    return {_USUAL_TIER: _USUAL_CHARACTERS, **read}


def check_budget(value: object) -> object:
    """Return the text of a budget unchanged once the gate can read it; an empty one is no budget.

    Raises:
        ValueError: The gate cannot read it, or it limits what runs at once.
    """
    if isinstance(value, str) and not value.strip():
        return ""
    if isinstance(value, str) and any(
        limit.kind is LimitKind.AT_ONCE for limit in parse_limits(str(check_limits(value)), name="budget")
    ):
        raise ValueError(
            "write characters per time, such as '100000 per calendar day'; jobs at once have their own settings"
        )
    return check_limits(value)


def check_mode(value: str) -> str:
    """Return ``policy=mode`` unchanged when the mode is one that the gate has.

    Raises:
        ValueError: It is not ``closed``, ``local`` or ``open``.
    """
    policy, _, mode = value.partition("=")
    if not policy or mode not in set(Trouble):
        raise ValueError("write policy=mode with a mode of closed, local or open, such as tts-generate=local")
    return value


def check_origin(value: str) -> str:
    """Return an origin unchanged when browsers would send it in this very spelling.

    Raises:
        ValueError: It has a path, a wildcard or no scheme.
    """
    parts = urlsplit(value)
    exact = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in ("http", "https") or not parts.hostname or "*" in value or value != exact.lower():
        raise ValueError("write origins as a browser sends them, such as https://example.org (no path, no '*')")
    return value


def _read_amount(value: object, units: dict[str, int], hint: str) -> int:
    if isinstance(value, str):
        if re.fullmatch(r"\s*\d{1,12}\s*", value):
            return int(value)
        return _read_parts(value.strip(), units, hint)
    if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer():
        raise ValueError(hint)
    return int(value)


def _read_parts(text: str, units: dict[str, int], hint: str) -> int:
    total, end = 0, 0
    for part in _PART.finditer(text):
        unit = part[2].lower()
        scale = units.get(unit) or units.get(unit.removesuffix("s"))
        if scale is None or part.start() != end:
            raise ValueError(hint)
        total, end = total + int(part[1]) * scale, part.end()
    if end == 0 or end != len(text):
        raise ValueError(hint)
    return total


Seconds = Annotated[int, BeforeValidator(read_duration)]
Bytes = Annotated[int, BeforeValidator(read_size)]
Texts = Annotated[tuple[str, ...], BeforeValidator(read_list)]
Characters = Annotated[dict[str, int], BeforeValidator(read_characters)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(check_origin)], ...], BeforeValidator(read_list)]
Modes = Annotated[tuple[Annotated[str, AfterValidator(check_mode)], ...], BeforeValidator(read_list)]
LimitText = Annotated[str, BeforeValidator(check_limits)]
BudgetText = Annotated[str, BeforeValidator(check_budget)]
