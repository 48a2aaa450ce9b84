"""The values of sessions: the tokens that are shown once, and what a list tells."""

from dataclasses import dataclass, field
from typing import Self

from voxgate.accounts.models import UserSession


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lives.

    Attributes:
        absolute_s: Seconds after which it ends by itself, refreshed or not.
        idle_s: Seconds after which it ends unless it was refreshed.
        is_strict: Whether a refresh token works once, also when its answer is lost.
    """

    absolute_s: int = 2_592_000
    idle_s: int = 604_800
    is_strict: bool = False

    def confirmed_by(self, generation: int) -> int:
        """Return the newest refresh token that counts as received once one of a generation was used."""
        return generation + 1 if self.is_strict else generation


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The tokens of a session.

    Attributes:
        access_token: JWT for every route; secret.
        refresh_token: Opaque, for more access tokens; secret.
        expires_in_s: Seconds that the access token lives.
        refresh_expires_in_s: Seconds until the session ends unless it is refreshed before.
        session_id: The session; safe to log.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_s: int
    refresh_expires_in_s: int
    session_id: str


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What a list tells of a session; nothing of it opens anything.

    Attributes:
        session_id: The session; safe to log.
        device: The client's own name for itself at login; may be empty.
        address: Where the login came from.
        created_at_ms: Time of the login, milliseconds since the epoch, UTC.
        expires_at_ms: When it ends by itself, refreshed or not.
        idle_ends_at_ms: When it ends unless it is refreshed before.
        last_seen_at_ms: When one of its tokens was last accepted, to about half a minute.
    """

    session_id: str
    device: str
    address: str
    created_at_ms: int
    expires_at_ms: int
    idle_ends_at_ms: int
    last_seen_at_ms: int

    @classmethod
    def of(cls, row: UserSession) -> Self:
        """Return the value of a row."""
        return cls(
            session_id=row.session_id,
            device=row.device,
            address=row.address,
            created_at_ms=row.created_at_ms,
            expires_at_ms=row.expires_at_ms,
            idle_ends_at_ms=row.expires_at_ms if row.idle_ends_at_ms is None else row.idle_ends_at_ms,
            last_seen_at_ms=row.last_seen_at_ms or row.created_at_ms,
        )
