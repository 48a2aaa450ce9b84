"""The values of API keys: what is told of them, what is shown once, and which terms are accepted."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, Self

from voxgate.accounts.models import ApiKey
from voxgate.accounts.names import clean_label
from voxgate.accounts.scopes import SCOPES
from voxgate.gate.errors import FieldFault

MAX_NAME_CHARACTERS = 100
MIN_EXPIRES_IN_S = 60
MAX_EXPIRES_IN_S = 10 * 365 * 86_400
MAX_OVERLAP_S = 30 * 86_400


class _Unchanged(Enum):
    KEEP = "keep"


KEEP: Final = _Unchanged.KEEP
"""Stands for a value that stays as it is, where None means something else."""

Keep = Literal[_Unchanged.KEEP]


@dataclass(frozen=True, slots=True)
class ApiKeyInfo:
    """What a list tells of a key; never its secret.

    Attributes:
        key_id: The public part.
        name: The owner's name for it.
        hint: The last characters of the secret.
        scopes: What it may do; empty means everything that the account may do.
        created_at_ms: Milliseconds since the epoch, UTC.
        expires_at_ms: End of the key, or None.
        successor_id: The key that has replaced it, or None.
    """

    key_id: str
    name: str
    hint: str
    scopes: frozenset[str]
    created_at_ms: int
    expires_at_ms: int | None
    successor_id: str | None = None

    @classmethod
    def of(cls, row: ApiKey) -> Self:
        """Return the value of a row."""
        return cls(
            key_id=row.key_id,
            name=row.name,
            hint=row.hint,
            scopes=frozenset(row.scopes.split()),
            created_at_ms=row.created_at_ms,
            expires_at_ms=row.expires_at_ms,
            successor_id=row.successor_id,
        )


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key at the one moment when its text is known.

    Attributes:
        info: What is told of it later.
        text: The whole key; shown to its owner once and kept nowhere.
    """

    info: ApiKeyInfo
    text: str = field(repr=False)

    @property
    def key_id(self) -> str:
        """The public part; safe to log."""
        return self.info.key_id


@dataclass(frozen=True, slots=True)
class Rotation:
    """A key that has replaced another.

    Attributes:
        issued: The new key.
        replaces: Id of the old key.
        replaced_at_ms: When the old key ends, milliseconds since the epoch, UTC.
    """

    issued: IssuedKey
    replaces: str
    replaced_at_ms: int


def clean_name(name: str) -> str:
    """Return a key's name as it is kept: printable and bounded."""
    return clean_label(name, limit=MAX_NAME_CHARACTERS)


def find_key_faults(*, name: str, scopes: frozenset[str], expires_in_s: int | None) -> tuple[FieldFault, ...]:
    """Return every term of a key that cannot be accepted."""
    faults = []
    if len(name) > MAX_NAME_CHARACTERS:
        faults.append(FieldFault("/name", f"must be at most {MAX_NAME_CHARACTERS} characters long"))
    if not scopes.issubset(SCOPES):
        faults.append(FieldFault("/scopes", f"must be of {', '.join(SCOPES)}"))
    if expires_in_s is not None and not MIN_EXPIRES_IN_S <= expires_in_s <= MAX_EXPIRES_IN_S:
        faults.append(FieldFault("/expires_in", f"must be {MIN_EXPIRES_IN_S} to {MAX_EXPIRES_IN_S} seconds"))
    return tuple(faults)


def find_overlap_faults(overlap_s: int) -> tuple[FieldFault, ...]:
    """Return what is wrong with the time that a replaced key goes on working."""
    if 0 <= overlap_s <= MAX_OVERLAP_S:
        return ()
    return (FieldFault("/overlap_s", f"must be 0 to {MAX_OVERLAP_S} seconds"),)
