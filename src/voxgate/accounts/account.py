"""The account as the rest of the service sees it: a value without secrets."""

from dataclasses import dataclass
from typing import Self

from voxgate.accounts.models import User
from voxgate.gate.decision import AccountState

PREMIUM = "premium"


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
    """

    subject: str
    username: str
    email: str
    tier: str
    is_active: bool
    created_at_ms: int
    version: int

    @property
    def is_premium(self) -> bool:
        """Whether the account's tier is ``premium``."""
        return self.tier == PREMIUM

    @property
    def state(self) -> AccountState:
        """What the gate's store needs to know of it."""
        return AccountState(subject=self.subject, tier=self.tier, is_active=self.is_active, version=self.version)

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
        )
