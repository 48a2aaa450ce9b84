"""The shape of every JSON body about other accounts and the tiers."""

from typing import Annotated

from pydantic import Field, StringConstraints

from voxgate.web.account_schemas import LimitText, LimitTexts, Policy
from voxgate.web.schemas import Answer, Body, UserAnswer

_LimitChanges = Annotated[dict[Policy, LimitText | None], Field(max_length=30)]


class UserChangeBody(Body):
    """What is to change of an account; what is absent stays."""

    tier: Annotated[str, StringConstraints(max_length=32)] = Field("", description="Name of a tier.")
    is_active: bool = Field(default=True, description="`false` disables the account and ends its sessions.")
    limits: _LimitChanges = Field(
        default_factory=dict,
        description="Limits of its own by policy; `*` for every route without one; `null` takes one back.",
        examples=[{"tts-generate": "20 per minute", "*": None}],
    )


class TierBody(Body):
    """All the limits of a tier."""

    limits: LimitTexts = Field(
        description="By policy; `*` for every route without one; what is absent is as the settings say.",
        examples=[{"*": "500 per minute", "tts-generate": "60 per minute"}],
    )


class ManagedUserAnswer(UserAnswer):
    """An account as an administrator sees it."""

    roles: list[str] = Field(description="What it may do beyond its own affairs; given by the command line alone.")
    limits: dict[str, str] = Field(description="Its own limits by policy, before those of its tier.")


class ManagedUsersAnswer(Answer):
    """Accounts, oldest first."""

    users: list[ManagedUserAnswer]
    next: str | None = Field(description="Address of the next page, or null.")


class TierAnswer(Answer):
    """One tier."""

    name: str
    limits: dict[str, str] = Field(description="By policy; what is absent is as the settings say.")
    accounts: int = Field(description="How many accounts are in it.")


class TiersAnswer(Answer):
    """Every tier, by name."""

    tiers: list[TierAnswer]
