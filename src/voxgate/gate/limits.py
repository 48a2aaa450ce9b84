"""Limits: a quota per sliding window, and the strings that people write them in."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from voxgate.gate.errors import ConfigurationError

UNIT_SECONDS = {
    "second": 1,
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "month": 2_592_000,  # 30 days: the meaning that these strings have in the `limits` package
}
MAX_QUOTA = 1_000_000_000
MAX_COST = (1 << 20) - 1
LEASE_S = 300

_WINDOW = re.compile(r"\s*(\d{1,10})\s*(?:/|\s+per\s+)\s*(?:(\d{1,5})\s*)?([a-z]+?)s?\s*", re.IGNORECASE)
_CALENDAR = re.compile(r"\s*(\d{1,10})\s+per\s+calendar\s+(day|month)\s*", re.IGNORECASE)
_AT_ONCE = re.compile(r"\s*(\d{1,10})\s+at\s+once\s*", re.IGNORECASE)


class LimitKind(StrEnum):
    """How a limit counts."""

    WINDOW = "window"
    CALENDAR_DAY = "calendar day"
    CALENDAR_MONTH = "calendar month"
    AT_ONCE = "at once"


_SUFFIX = {
    LimitKind.WINDOW: "",
    LimitKind.CALENDAR_DAY: "d",
    LimitKind.CALENDAR_MONTH: "m",
    LimitKind.AT_ONCE: "o",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``quota`` units: in any window, in a day or month of the calendar (UTC), or running at once.

    Attributes:
        name: The policy's name; with the window it names the counter.
        quota: Units that fit, 1 to 1,000,000,000.
        window_s: Length of the sliding window in seconds; of a calendar limit its usual length; of a limit of
            what runs at once the longest time that a unit is held when nobody gives it back.
        kind: How it counts.
        counter: Name of the counter; two windows of one policy never share one.
    """

    name: str
    quota: int
    window_s: int
    kind: LimitKind = LimitKind.WINDOW
    counter: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Name the counter once, because every decision asks for it."""
        object.__setattr__(self, "counter", f"{self.name}:{self.window_s}{_SUFFIX[self.kind]}")

    def __str__(self) -> str:
        """Return the form that people know, such as ``10 per 1 minute``."""
        if self.kind is LimitKind.AT_ONCE:
            return f"{self.quota} at once"
        if self.kind is not LimitKind.WINDOW:
            return f"{self.quota} per {self.kind}"
        unit, seconds = next(each for each in reversed(UNIT_SECONDS.items()) if self.window_s % each[1] == 0)
        return f"{self.quota} per {self.window_s // seconds} {unit}"


def parse_limits(text: str, *, name: str) -> tuple[Limit, ...]:
    """Read a limit string: ``10 per minute``, ``10/minute``, ``100 per hour; 5 per second``.

    ``5000 per calendar day`` starts again at midnight UTC, ``per calendar month`` on the first; ``2 at once`` limits
    what runs at the same time.

    Args:
        text: One or more limits, separated by ``;``, ``,`` or ``|``.
        name: Name of the policy that the limits belong to.

    Returns:
        The limits in the order written; none for an empty text.

    Raises:
        ConfigurationError: The text is not a limit string, or a number is out of bounds.
    """
    parts = [part for part in re.split(r"[;,|]", text) if part.strip()]
    limits = tuple(_parse_one(part, name=name) for part in parts)
    if len({limit.counter for limit in limits}) != len(limits):
        raise ConfigurationError(name, f"two limits of {text!r} have the same window")
    return limits


def _parse_one(text: str, *, name: str) -> Limit:
    if match := _CALENDAR.fullmatch(text):
        unit = match[2].lower()
        return _checked(Limit(name, int(match[1]), UNIT_SECONDS[unit], LimitKind(f"calendar {unit}")), text)
    if match := _AT_ONCE.fullmatch(text):
        return _checked(Limit(name, int(match[1]), LEASE_S, LimitKind.AT_ONCE), text)
    match = _WINDOW.fullmatch(text)
    if match is None or match[3].lower() not in UNIT_SECONDS:
        units = ", ".join(UNIT_SECONDS)
        raise ConfigurationError(name, f"{text.strip()!r} is not a limit; write '10 per minute' (units: {units})")
    return _checked(Limit(name, int(match[1]), int(match[2] or 1) * UNIT_SECONDS[match[3].lower()]), text)


def _checked(limit: Limit, text: str) -> Limit:
    if not 1 <= limit.quota <= MAX_QUOTA or limit.window_s < 1:
        reason = f"{text.strip()!r}: the quota must be 1 to {MAX_QUOTA}, the window at least 1"
        raise ConfigurationError(limit.name, reason)
    return limit
