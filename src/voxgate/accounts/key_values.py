"""The values of API keys: what is told of them, what is shown once, and which terms are accepted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Self, TypedDict

from voxgate.accounts.limit_terms import find_limit_faults, read_limits, write_limits
from voxgate.accounts.models import ApiKey
from voxgate.accounts.names import clean_label
from voxgate.accounts.scopes import SCOPES
from voxgate.gate.errors import FieldFault

MAX_NAME_CHARACTERS = 100
MIN_EXPIRES_IN_S = 60
MAX_EXPIRES_IN_S = 10 * 365 * 86_400
MAX_OVERLAP_S = 30 * 86_400
MAX_NETWORKS = 32


class KeyTerms(TypedDict, total=False):
    """The terms of a key. Of a new one what is absent binds nothing, of a changed one it stays.

    Attributes:
        name: The owner's name for it, at most 100 characters; unprintable ones are dropped.
        scopes: What it may do; empty means everything that the account may do.
        expires_in_s: Its life from now in seconds, from a minute to ten years; None for no end.
        networks: Where it may be used from, such as ``192.0.2.0/24``; empty means everywhere.
        limits: Limits of its own beneath those of its account, for each policy or ``*``; replaced as a whole.
    """

    name: str
    scopes: frozenset[str]
    expires_in_s: int | None
    networks: tuple[str, ...]
    limits: Mapping[str, str]


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
        networks: Where it may be used from; empty means everywhere.
        limits: Limits of its own, for each policy.
        last_used_at_ms: When it was last accepted, to about half a minute; None for never.
    """

    key_id: str
    name: str
    hint: str
    scopes: frozenset[str]
    created_at_ms: int
    expires_at_ms: int | None
    successor_id: str | None = None
    networks: tuple[str, ...] = ()
    limits: Mapping[str, str] = field(default_factory=dict)
    last_used_at_ms: int | None = None

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
            networks=tuple(row.networks.split()),
            limits=read_limits(row.limits),
            last_used_at_ms=row.last_used_at_ms,
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


def find_key_faults(terms: KeyTerms, *, policies: frozenset[str]) -> tuple[FieldFault, ...]:
    """Return every term of a key that cannot be accepted."""
    faults, expires_in_s = [], terms.get("expires_in_s")
    if len(terms.get("name", "")) > MAX_NAME_CHARACTERS:
        faults.append(FieldFault("/name", f"must be at most {MAX_NAME_CHARACTERS} characters long"))
    if not terms.get("scopes", frozenset()).issubset(SCOPES):
        faults.append(FieldFault("/scopes", f"must be of {', '.join(SCOPES)}"))
    if expires_in_s is not None and not MIN_EXPIRES_IN_S <= expires_in_s <= MAX_EXPIRES_IN_S:
        faults.append(FieldFault("/expires_in", f"must be {MIN_EXPIRES_IN_S} to {MAX_EXPIRES_IN_S} seconds"))
    return (
        *faults,
        *_find_network_faults(terms.get("networks", ())),
        *find_limit_faults(terms.get("limits", {}), policies),
    )


def apply_terms(row: ApiKey, terms: KeyTerms, *, now_ms: int) -> None:
    """Give a key the terms that are present; they have no faults."""
    if "name" in terms:
        row.name = clean_name(terms["name"])
    if "scopes" in terms:
        row.scopes = " ".join(sorted(terms["scopes"]))
    if "expires_in_s" in terms:
        lifetime_s = terms["expires_in_s"]
        row.expires_at_ms = None if lifetime_s is None else now_ms + lifetime_s * 1000
    if "networks" in terms:
        row.networks = " ".join(sorted({str(ip_network(text)) for text in terms["networks"]}))
    if "limits" in terms:
        row.limits = write_limits(terms["limits"])


def find_overlap_faults(overlap_s: int) -> tuple[FieldFault, ...]:
    """Return what is wrong with the time that a replaced key goes on working."""
    if 0 <= overlap_s <= MAX_OVERLAP_S:
        return ()
    return (FieldFault("/overlap_s", f"must be 0 to {MAX_OVERLAP_S} seconds"),)


def _find_network_faults(networks: tuple[str, ...]) -> tuple[FieldFault, ...]:
    if len(networks) > MAX_NETWORKS:
        return (FieldFault("/allowed_networks", f"must be at most {MAX_NETWORKS} networks"),)
    detail = "must be a network such as 192.0.2.0/24 or 2001:db8::/48, or one address"
    return tuple(
        FieldFault(f"/allowed_networks/{place}", detail) for place, text in enumerate(networks) if not _is_network(text)
    )


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return "%" not in text  # a zone means something on one machine only (RFC 4007)
