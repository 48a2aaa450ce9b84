"""The values of one decision: the rule of a route, the question to the store, and its answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from voxgate.gate.errors import Refusal
from voxgate.gate.limits import Limit
from voxgate.gate.principal import CredentialKind, Principal

DEFAULT_TIER = "standard"


class Trouble(StrEnum):
    """What a policy does while the store is out of reach.

    ``closed``: nothing passes; the default, and the only right choice for logging in and for managing keys.
    ``local``: a credential that this process has seen alive within five seconds passes, within this process' share
    of its limits. ``open``: so does any access token whose signature and expiry hold and that this process has not
    ended, and limits do not bind.
    """

    CLOSED = "closed"
    LOCAL = "local"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class AccountState:
    """What the store knows of an account.

    Attributes:
        subject: Stable opaque id.
        tier: Name of the tier.
        is_active: False ends every credential of the account.
        version: Grows with every change; an older state never replaces a newer one.
        limits: Limits that bind this account instead of those of the settings, as ``format_overrides`` of
            ``voxgate.gate.overrides`` writes them.
    """

    subject: str
    tier: str = DEFAULT_TIER
    is_active: bool = True
    version: int = 0
    limits: str = ""


@dataclass(frozen=True, slots=True)
class SessionState:
    """What the store knows of a session. An ended session is never revived.

    Attributes:
        session_id: Id of the session, the ``sid`` of its tokens.
        subject: The account it belongs to.
        expires_at_ms: End of the session, milliseconds since the epoch.
        is_ended: True once it was logged out or revoked.
        generation: The newest refresh token, counted from 0, that is proven to have reached the client; never goes
            back.
        idle_ends_at_ms: When it ends unless it is refreshed before, milliseconds since the epoch; None for never.
    """

    session_id: str
    subject: str
    expires_at_ms: int
    is_ended: bool = False
    generation: int = 0
    idle_ends_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class KeyState:
    """What the store knows of an API key. A revoked key is never revived.

    Attributes:
        key_id: The public part of the key.
        subject: The account it belongs to.
        digest: SHA-256 of the secret part.
        scopes: What the key may do; empty means everything that the account may do.
        expires_at_ms: End of the key, or None.
        is_ended: True once it was revoked.
        version: Grows with every change; an older state never replaces a newer one.
        networks: Networks that the key may be used from, such as ``192.0.2.0/24``; empty means everywhere.
        limits: Limits of this key beneath those of its account, as ``format_overrides`` of ``voxgate.gate.overrides``
            writes them.
    """

    key_id: str
    subject: str
    digest: bytes = field(repr=False)
    scopes: frozenset[str] = frozenset()
    expires_at_ms: int | None = None
    is_ended: bool = False
    version: int = 0
    networks: tuple[str, ...] = ()
    limits: str = ""


State = AccountState | SessionState | KeyState


def key_partition(key_id: str, subject: str) -> str:
    """Return the partition of what one key of an account may do beneath the account's limits."""
    return f"key:{key_id}:{subject}"


@dataclass(frozen=True, slots=True)
class Charge:
    """One limit on one partition, to be spent by one request.

    Attributes:
        limit: The limit.
        partition: Whose counter it is, such as ``ip:192.0.2.7``; None for the subject that the
            credential proves. What belongs to one key of an account begins as ``key_partition`` says.
        cost: Units that the request weighs, 1 to 1,048,575.
    """

    limit: Limit
    partition: str | None = None
    cost: int = 1


@dataclass(frozen=True, slots=True)
class Query:
    """One question to the store: may this request pass?

    Attributes:
        kind: Kind of the credential; None asks for the limits alone.
        credential_id: Session id or key id.
        subject: The ``sub`` of a token; None for a key, whose account only the store knows.
        digest: SHA-256 of a key's secret.
        granted: Scopes that a token carries; the scopes of a key are in the store.
        scopes: Scopes that the route needs; a credential with scopes must hold them all.
        tier: Tier that the route needs, or None.
        lease_id: Names what a limit ``at once`` holds, so that it can be given back; asking again under the same
            name holds nothing more.
        charges: For each tier, what the request spends. The key ``""`` serves tiers that are not
            named and requests without a credential.
        generation: Which of its session's tokens a token is, counted from 0.
        is_strict: Whether a refresh token works once only, its answer lost or not.
        idle_ms: How long a session lasts after a refresh; 0 leaves its idle end as it is.
        account_limits: Limits of the account that ``charges`` take into account.
        key_limits: Limits of the key that ``charges`` take into account.
        address: The client's address as bits, see ``address_bits``; empty when it was not asked for.
    """

    charges: Mapping[str, tuple[Charge, ...]]
    kind: CredentialKind | None = None
    credential_id: str = ""
    subject: str | None = None
    digest: bytes = field(default=b"", repr=False)
    granted: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    tier: str | None = None
    lease_id: str = ""
    generation: int = 0
    is_strict: bool = False
    idle_ms: int = 0
    account_limits: str = ""
    key_limits: str = ""
    address: str = ""


class Reading(NamedTuple):
    """One limit as it stands after a decision; a tuple, because a dataclass takes three times as long to make.

    Attributes:
        limit: The limit.
        used: Units spent in the window that ends now.
        next_free_ms: Milliseconds until more quota is available; 0 when nothing is spent.
    """

    limit: Limit
    used: int
    next_free_ms: int

    @property
    def remaining(self) -> int:
        """Units that are left."""
        return max(0, self.limit.quota - self.used)


class Decision(NamedTuple):
    """The answer of one admission.

    Attributes:
        principal: Who asks, when a credential was proven.
        refusal: Why not; None when the request may pass.
        readings: The limits that bound the request, as they stand now.
        is_degraded: True when the store was out of reach and the policy let this process decide alone.
    """

    principal: Principal | None = None
    refusal: Refusal | None = None
    readings: tuple[Reading, ...] = ()
    is_degraded: bool = False

    @property
    def is_allowed(self) -> bool:
        """Whether the request may pass."""
        return self.refusal is None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The store does not know a record that the decision needs; it must be read from the directory.

    Attributes:
        kind: ``account``, ``session`` or ``key``.
        record_id: Id of the record.
    """

    kind: str
    record_id: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Nothing was decided: the query believes something else than the store knows, and must be asked anew.

    Attributes:
        subject: The account.
        account_limits: Limits of the account.
        key_limits: Limits of the key.
        asks_address: Whether the key is bound to networks, so that the address must be told.
    """

    subject: str
    account_limits: str = ""
    key_limits: str = ""
    asks_address: bool = False
