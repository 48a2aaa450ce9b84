"""Limits: a quota per sliding window, and the strings that people write them in."""

import re
from dataclasses import dataclass, field

from voxgate.gate.errors import ConfigurationError

UNIT_SECONDS = {
    "second": 1,
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "month": 2_592_000,  # 30 days: the meaning that these strings have in the `limits` package
}
MAX_QUOTA = 1_000_000
MAX_COST = (1 << 20) - 1

_ONE = re.compile(r"\s*(\d{1,7})\s*(?:/|\s+per\s+)\s*(?:(\d{1,5})\s*)?([a-z]+?)s?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``quota`` units in any window of ``window_s`` seconds.

    Attributes:
        name: The policy's name; with the window it names the counter.
        quota: Units that fit into one window, 1 to 1,000,000.
        window_s: Length of the sliding window in seconds.
        counter: Name of the counter; two windows of one policy never share one.
    """

    name: str
    quota: int
    window_s: int
    counter: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Name the counter once, because every decision asks for it."""
        object.__setattr__(self, "counter", f"{self.name}:{self.window_s}")

    def __str__(self) -> str:
        """Return the form that people know, such as ``10 per 1 minute``."""
        unit, seconds = next(each for each in reversed(UNIT_SECONDS.items()) if self.window_s % each[1] == 0)
        return f"{self.quota} per {self.window_s // seconds} {unit}"


def parse_limits(text: str, *, name: str) -> tuple[Limit, ...]:
    """Read a limit string: ``10 per minute``, ``10/minute``, ``100 per hour; 5 per second``.

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
    if len({limit.window_s for limit in limits}) != len(limits):
        raise ConfigurationError(name, f"two limits of {text!r} have the same window")
    return limits


def _parse_one(text: str, *, name: str) -> Limit:
    match = _ONE.fullmatch(text)
    if match is None or match[3].lower() not in UNIT_SECONDS:
        units = ", ".join(UNIT_SECONDS)
        raise ConfigurationError(name, f"{text.strip()!r} is not a limit; write '10 per minute' (units: {units})")
    quota, multiple = int(match[1]), int(match[2] or 1)
    if not 1 <= quota <= MAX_QUOTA or multiple < 1:
        raise ConfigurationError(name, f"{text.strip()!r}: the quota must be 1 to {MAX_QUOTA}, the window at least 1")
    return Limit(name=name, quota=quota, window_s=multiple * UNIT_SECONDS[match[3].lower()])
