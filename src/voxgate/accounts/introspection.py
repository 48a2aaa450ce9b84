"""What a token is worth right now: read by its signature and from SQL, without a use of it being counted."""

import hmac
from dataclasses import dataclass, replace

from voxgate.accounts.directory import SqlDirectory
from voxgate.gate import api_keys
from voxgate.gate.clock import Clock
from voxgate.gate.errors import Refusal
from voxgate.gate.networks import address_bits, network_bits
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
        token_id: ``jti`` of an access token; of a refresh token its session and number; of a key its id.
        networks: Where a key may be used from; empty means everywhere.
    """

    kind: CredentialKind
    subject: str
    record_id: str
    scopes: frozenset[str]
    expires_at_ms: int | None
    token_id: str
    networks: tuple[str, ...] = ()

    def opens_from(self, address: str) -> bool:
        """Tell whether it may be used by a client of this address."""
        return not self.networks or address_bits(address).startswith(tuple(map(network_bits, self.networks)))


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
        if found is None or (found.expires_at_ms is not None and found.expires_at_ms <= self._clock.now_ms()):
            return None
        account = self._directory.find_account(found.subject)
        return found if account is not None and account.is_active else None

    def _look_at_access(self, token: str) -> TokenInfo | None:
        claims = self._signer.verify_access(token, now_ms=self._clock.now_ms())
        found = None if isinstance(claims, Refusal) else self._find_session(claims.session_id)
        if isinstance(claims, Refusal) or found is None or found.subject != claims.subject:
            return None
        return replace(
            found,
            kind=CredentialKind.ACCESS,
            scopes=claims.scopes,
            expires_at_ms=claims.expires_at_ms,
            token_id=claims.token_id,
        )

    def _look_at_refresh(self, token: str) -> TokenInfo | None:
        claims = self._signer.verify_refresh(token)
        if isinstance(claims, Refusal):
            return None
        found = self._find_session(claims.session_id, counter=claims.counter)
        return None if found is None else replace(found, scopes=claims.scopes)

    def _find_session(self, session_id: str, *, counter: int | None = None) -> TokenInfo | None:
        """Return a live session as its refresh token is told, the newest or that of a number; None for a used one."""
        session = self._directory.find_session(session_id)
        if session is None or session.is_ended or (counter is not None and counter < session.generation):
            return None
        until_ms = min(session.expires_at_ms, session.idle_ends_at_ms or session.expires_at_ms)
        if until_ms <= self._clock.now_ms():
            return None
        number = session.generation if counter is None else counter
        return TokenInfo(
            kind=CredentialKind.REFRESH,
            subject=session.subject,
            record_id=session_id,
            scopes=frozenset(),
            expires_at_ms=until_ms,
            token_id=f"{session_id}.{number}",
        )

    def _look_at_key(self, text: str) -> TokenInfo | None:
        parsed = api_keys.parse_key(text)
        key = None if parsed is None else self._directory.find_key(parsed.key_id)
        if parsed is None or key is None or key.is_ended or not hmac.compare_digest(parsed.digest, key.digest):
            return None
        return TokenInfo(
            kind=CredentialKind.API_KEY,
            subject=key.subject,
            record_id=key.key_id,
            scopes=key.scopes,
            expires_at_ms=key.expires_at_ms,
            token_id=key.key_id,
            networks=key.networks,
        )
