"""Sessions and keys for an application that keeps no accounts of its own: the store alone remembers them."""

from dataclasses import dataclass, field

from voxgate.gate import api_keys, base62
from voxgate.gate.clock import Clock
from voxgate.gate.decision import DEFAULT_TIER, AccountState, KeyState, SessionState
from voxgate.gate.principal import Principal
from voxgate.gate.stores.base import Store
from voxgate.gate.tokens import Signer

_SESSION_ID_LENGTH = 24  # 143 bits: unguessable


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The two tokens of a session.

    Attributes:
        access_token: Opens routes, for ``expires_in_s`` seconds.
        refresh_token: Gets new access tokens until the session ends.
        expires_in_s: Life of the access token in seconds.
        session_id: Ends both.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_s: int
    session_id: str


class Issuer:
    """Opens and ends sessions and keys in the store. One or two store calls each.

    Args:
        store: The shared facts.
        signer: Signs tokens.
        clock: Source of time.
        session_expires_s: Life of a session in seconds.
        makes_accounts: Whether opening a session or a key makes an account that is not known yet; false where a
            directory says who exists.
    """

    def __init__(
        self, store: Store, signer: Signer, *, clock: Clock, session_expires_s: int, makes_accounts: bool = True
    ) -> None:
        self._makes_accounts = makes_accounts
        self._store = store
        self._signer = signer
        self._clock = clock
        self._session_expires_s = session_expires_s

    def set_account(self, subject: str, *, tier: str = DEFAULT_TIER, is_active: bool = True) -> None:
        """Make or change an account; holds from its next request."""
        self._store.put_state(AccountState(subject, tier, is_active=is_active, version=self._clock.now_ms()))

    def open_session(self, subject: str, *, scopes: frozenset[str] = frozenset()) -> TokenPair:
        """Open a session and return its tokens.

        An account that nobody has made is made with the lowest tier; one that is known stays as it is.
        """
        self._make_account(subject)
        session_id = base62.random_text(_SESSION_ID_LENGTH)
        expires_at_ms = self._clock.now_ms() + self._session_expires_s * 1000
        self._store.put_state(SessionState(session_id, subject, expires_at_ms))
        return self._tokens(subject, session_id, scopes)

    def renew(self, principal: Principal) -> TokenPair:
        """Return new tokens of the session that the gate has just found alive, for the same scopes; no store call."""
        return self._tokens(principal.subject, principal.credential_id, principal.scopes)

    def end_session(self, session_id: str) -> None:
        """End a session: its access and refresh tokens are refused from the next request on."""
        expires_at_ms = self._clock.now_ms() + self._session_expires_s * 1000
        self._store.end_session(session_id, expires_at_ms=expires_at_ms)

    def new_key(
        self, subject: str, *, scopes: frozenset[str] = frozenset(), expires_at_ms: int | None = None
    ) -> api_keys.NewKey:
        """Make an API key; its text is in the answer and nowhere else."""
        self._make_account(subject)
        key = api_keys.new_key()
        self._store.put_state(KeyState(key.key_id, subject, key.digest, scopes, expires_at_ms))
        return key

    def end_key(self, key_id: str) -> None:
        """Revoke an API key for ever."""
        self._store.end_key(key_id)

    def _tokens(self, subject: str, session_id: str, scopes: frozenset[str]) -> TokenPair:
        now_ms = self._clock.now_ms()
        return TokenPair(
            access_token=self._signer.issue_access(subject, session_id, scopes=scopes, now_ms=now_ms),
            refresh_token=self._signer.issue_refresh(session_id, scopes=scopes),
            expires_in_s=self._signer.access_expires_s,
            session_id=session_id,
        )

    def _make_account(self, subject: str) -> None:
        if self._makes_accounts:
            # The lowest version replaces nothing.
            self._store.put_state(AccountState(subject, version=0))
