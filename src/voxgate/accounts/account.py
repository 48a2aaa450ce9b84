"""The account as the rest of the service sees it: a value without secrets."""

from dataclasses import dataclass
from typing import Self

from voxgate.accounts.models import User

PREMIUM = "premium"
ADMIN = "admin"
ROLES = (ADMIN,)
"""Every role that an account can have; without one it manages nothing but itself."""


def is_id(text: str) -> bool:
    """Tell whether a text can be an id; PostgreSQL takes no NUL, and a question for nothing is asked by nobody."""
    return text.isascii() and text.isalnum()


@dataclass(frozen=True, slots=True)
class Account:
    """One account at the moment it was read.

    Attributes:
        subject: Stable opaque id, the ``sub`` of its tokens.
        username: Name as shown; compared without regard to case.
        email: Address as given; compared without regard to case.
        tier: Name of the tier.
        is_active: False once the operator has disabled it.
        created_at_ms: Milliseconds since the epoch, UTC.
        version: Grows with every change of the account.
        roles: What it may do beyond its own affairs; nothing unless granted.
        limits: Limits of its own, which come before those of its tier; a canonical text.
    """

    subject: str
    username: str
    email: str
    tier: str
    is_active: bool
    created_at_ms: int
    version: int
    roles: frozenset[str] = frozenset()
    limits: str = ""

    @property
    def is_premium(self) -> bool:
        """Whether the account's tier is ``premium``."""
        return self.tier == PREMIUM

    @property
    def is_admin(self) -> bool:
        """Whether it may manage other accounts and the tiers."""
        return ADMIN in self.roles

    @classmethod
    def of(cls, user: User) -> Self:
        """Return the value of a row."""
        return cls(
            subject=user.subject,
            username=user.username,
            email=user.email,
            tier=user.tier,
            is_active=user.is_active,
            created_at_ms=user.created_at_ms,
            version=user.version,
            roles=frozenset(user.roles.split()),
            limits=user.limits,
        )
