"""Sessions and keys for an application that keeps no accounts of its own: the store alone remembers them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from voxgate.gate import api_keys, base62
from voxgate.gate.clock import Clock
from voxgate.gate.decision import DEFAULT_TIER, AccountState, KeyState, SessionState
from voxgate.gate.networks import clean_network
from voxgate.gate.overrides import format_overrides
from voxgate.gate.principal import CredentialKind, Principal
from voxgate.gate.stores.base import Store
from voxgate.gate.tokens import Signer

_SESSION_ID_LENGTH = 24  # 143 bits: unguessable


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The two tokens of a session.

    Attributes:
        access_token: Opens routes, for ``expires_in_s`` seconds.
        refresh_token: Gets the next tokens of the session.
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
        idle_s: Seconds after which a session that is not refreshed ends; 0 for its absolute end alone.
        makes_accounts: Whether opening a session or a key makes an account that is not known yet; false where a
            directory says who exists.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        *,
        clock: Clock,
        session_expires_s: int,
        idle_s: int = 0,
        makes_accounts: bool = True,
    ) -> None:
        self._idle_s = idle_s
        self._makes_accounts = makes_accounts
        self._store = store
        self._signer = signer
        self._clock = clock
        self._session_expires_s = session_expires_s

    def set_account(
        self,
        subject: str,
        *,
        tier: str = DEFAULT_TIER,
        is_active: bool = True,
        limits: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Make or change an account; holds from its next request.

        Args:
            subject: The account.
            tier: Name of the tier.
            is_active: False refuses every credential of the account.
            limits: For each policy the limits of this account instead of the usual; ``*`` for what has no policy.

        Raises:
            ConfigurationError: A text is not a limit string.
        """
        version, own = self._clock.now_ms(), format_overrides(limits)
        self._store.put_state(AccountState(subject, tier, is_active=is_active, version=version, limits=own))

    def open_session(self, subject: str, *, scopes: frozenset[str] = frozenset()) -> TokenPair:
        """Open a session and return its tokens.

        An account that nobody has made is made with the lowest tier; one that is known stays as it is.
        """
        self._make_account(subject)
        session_id = base62.random_text(_SESSION_ID_LENGTH)
        now_ms = self._clock.now_ms()
        expires_at_ms = now_ms + self._session_expires_s * 1000
        idle_ends_at_ms = min(expires_at_ms, now_ms + self._idle_s * 1000) if self._idle_s else None
        state = SessionState(session_id, subject, expires_at_ms, idle_ends_at_ms=idle_ends_at_ms)
        self._store.put_state(state)
        return self._tokens(subject, session_id, scopes, generation=0)

    def renew(self, principal: Principal) -> TokenPair:
        """Return the next tokens of the session whose refresh token the gate has just let in; no store call.

        The same refresh token gives the same next one, so that an answer that was lost can be asked for again. Once
        the new access token has been seen, the old refresh token ends the session.

        Args:
            principal: Proven by a refresh token.

        Raises:
            ValueError: It was proven by something else.
        """
        if principal.kind is not CredentialKind.REFRESH:
            raise ValueError(f"a session is renewed by its refresh token, not by {principal.kind}")
        generation = principal.generation + 1
        return self._tokens(principal.subject, principal.credential_id, principal.scopes, generation=generation)

    def end_session(self, session_id: str, *, subject: str | None = None) -> None:
        """End a session: its access and refresh tokens are refused from the next request on.

        With the subject, when it is known, the end is complete also where a part of a cluster was lost.
        """
        expires_at_ms = self._clock.now_ms() + self._session_expires_s * 1000
        self._store.end_session(session_id, expires_at_ms=expires_at_ms, subject=subject)

    def new_key(
        self,
        subject: str,
        *,
        scopes: frozenset[str] = frozenset(),
        expires_at_ms: int | None = None,
        networks: Sequence[str] = (),
        limits: Mapping[str, str] = MappingProxyType({}),
    ) -> api_keys.NewKey:
        """Make an API key; its text is in the answer and nowhere else.

        Args:
            subject: The account.
            scopes: What the key may do; empty for everything that the account may do.
            expires_at_ms: Its end, milliseconds since the epoch, or None.
            networks: Where it may be used from, such as ``192.0.2.0/24``; empty for everywhere.
            limits: For each policy its own limits beneath those of the account; ``*`` for every other route.

        Raises:
            ConfigurationError: A text is not a limit string.
            ValueError: A text is not a network.
        """
        self._make_account(subject)
        key = api_keys.new_key()
        state = KeyState(
            key_id=key.key_id,
            subject=subject,
            digest=key.digest,
            scopes=scopes,
            expires_at_ms=expires_at_ms,
            networks=tuple(map(clean_network, networks)),
            limits=format_overrides(limits),
        )
        self._store.put_state(state)
        return key

    def end_key(self, key_id: str, *, subject: str | None = None) -> None:
        """Revoke an API key for ever; the subject as for a session."""
        self._store.end_key(key_id, subject=subject)

    def _tokens(self, subject: str, session_id: str, scopes: frozenset[str], *, generation: int) -> TokenPair:
        now_ms = self._clock.now_ms()
        return TokenPair(
            access_token=self._signer.issue_access(
                subject, session_id, scopes=scopes, generation=generation, now_ms=now_ms
            ),
            refresh_token=self._signer.issue_refresh(session_id, counter=generation, scopes=scopes),
            expires_in_s=self._signer.access_expires_s,
            session_id=session_id,
        )

    def _make_account(self, subject: str) -> None:
        if self._makes_accounts:
            # The lowest version replaces nothing.
            self._store.put_state(AccountState(subject, version=0))
