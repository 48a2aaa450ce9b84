"""What a check of the doctor gives: findings, each with its state and the command that mends it."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a finding stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        state: Whether it is right.
        name: What was looked at.
        text: What was found.
        mend: A command or a deed that mends it; empty when there is nothing to mend.
    """

    state: State
    name: str
    text: str
    mend: str = ""
