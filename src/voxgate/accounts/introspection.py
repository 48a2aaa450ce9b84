"""What a token is worth right now: read by its signature and from SQL, without a use of it being counted."""

import hmac
from dataclasses import dataclass

from voxgate.accounts.directory import SqlDirectory
from voxgate.gate import api_keys
from voxgate.gate.clock import Clock
from voxgate.gate.errors import Refusal
from voxgate.gate.principal import CredentialKind
from voxgate.gate.tokens import REFRESH_PREFIX, Signer


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token that is alive.

    Attributes:
        kind: Which of the three it is.
        subject: Its account.
        record_id: Its session, or the id of the key.
        scopes: What it may do; empty means everything that the account may do.
        expires_at_ms: Its end, milliseconds since the epoch, or None.
        token_id: ``jti`` of an access token, else the record.
    """

    kind: CredentialKind
    subject: str
    record_id: str
    scopes: frozenset[str]
    expires_at_ms: int | None
    token_id: str


class Introspection:
    """Tells what a token is (RFC 7662). Every method raises DatabaseUnavailableError.

    Args:
        directory: What is known of sessions, keys and accounts.
        signer: Verifies tokens.
        clock: The time at which a token must be alive.
    """

    def __init__(self, directory: SqlDirectory, signer: Signer, *, clock: Clock) -> None:
        self._directory = directory
        self._signer = signer
        self._clock = clock

    def look(self, token: str) -> TokenInfo | None:
        """Return what is known of a live token, or None: nobody learns why another is dead."""
        if token.startswith(api_keys.PREFIX):
            found = self._look_at_key(token)
        elif token.startswith(REFRESH_PREFIX):
            found = self._look_at_refresh(token)
        else:
            found = self._look_at_access(token)
        if found is None:
            return None
        account = self._directory.find_account(found.subject)
        return found if account is not None and account.is_active else None

    def _look_at_access(self, token: str) -> TokenInfo | None:
        claims = self._signer.verify_access(token, now_ms=self._clock.now_ms())
        if isinstance(claims, Refusal) or self._live_until(claims.session_id, claims.subject) is None:
            return None
        return TokenInfo(
            kind=CredentialKind.ACCESS,
            subject=claims.subject,
            record_id=claims.session_id,
            scopes=claims.scopes,
            expires_at_ms=claims.expires_at_ms,
            token_id=claims.token_id,
        )

    def _look_at_refresh(self, token: str) -> TokenInfo | None:
        claims = self._signer.verify_refresh(token)
        session = None if isinstance(claims, Refusal) else self._directory.find_session(claims.session_id)
        if isinstance(claims, Refusal) or session is None or claims.counter < session.generation:
            return None
        until_ms = self._live_until(session.session_id, session.subject)
        if until_ms is None:
            return None
        return TokenInfo(
            kind=CredentialKind.REFRESH,
            subject=session.subject,
            record_id=session.session_id,
            scopes=claims.scopes,
            expires_at_ms=until_ms,
            token_id=f"{session.session_id}.{claims.counter}",
        )

    def _look_at_key(self, text: str) -> TokenInfo | None:
        parsed = api_keys.parse_key(text)
        key = None if parsed is None else self._directory.find_key(parsed.key_id)
        if parsed is None or key is None or not hmac.compare_digest(parsed.digest, key.digest):
            return None
        if key.is_ended or (key.expires_at_ms is not None and key.expires_at_ms <= self._clock.now_ms()):
            return None
        return TokenInfo(
            kind=CredentialKind.API_KEY,
            subject=key.subject,
            record_id=key.key_id,
            scopes=key.scopes,
            expires_at_ms=key.expires_at_ms,
            token_id=key.key_id,
        )

    def _live_until(self, session_id: str, subject: str) -> int | None:
        """Return the end of a session that lives and belongs to an account, or None."""
        session = self._directory.find_session(session_id)
        if session is None or session.is_ended or session.subject != subject:
            return None
        idle_ms = session.idle_ends_at_ms
        until_ms = session.expires_at_ms if idle_ms is None else min(idle_ms, session.expires_at_ms)
        return until_ms if self._clock.now_ms() < until_ms else None
