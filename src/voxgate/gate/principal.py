"""Who asks: the credential that was shown, and the principal that it proved."""

from dataclasses import dataclass
from enum import StrEnum


class CredentialKind(StrEnum):
    """The kinds of credential that a route may accept."""

    ACCESS = "access"
    REFRESH = "refresh"
    API_KEY = "api_key"


@dataclass(frozen=True, slots=True)
class Principal:
    """The proven caller of one request.

    Attributes:
        subject: Stable opaque id of the account, the ``sub`` of its tokens.
        kind: The kind of credential that proved it.
        credential_id: Id of the session or of the API key; safe to log.
        tier: The account's tier at the moment of the decision.
        scopes: What the credential may do; empty means everything that the account may do.
        generation: Which of its session's tokens a token is, counted from 0; a refresh token is answered with the
            tokens of the next.
    """

    subject: str
    kind: CredentialKind
    credential_id: str
    tier: str
    scopes: frozenset[str] = frozenset()
    generation: int = 0

    @property
    def is_premium(self) -> bool:
        """Whether the account's tier is ``premium``."""
        return self.tier == "premium"
