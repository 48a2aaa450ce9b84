"""Sessions: open one at login, refresh its tokens, end it; SQL first, then the gate's store."""

import secrets
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from voxgate.accounts.account import Account
from voxgate.accounts.database import Database
from voxgate.accounts.directory import session_state
from voxgate.accounts.models import User, UserSession
from voxgate.accounts.names import clean_label
from voxgate.gate.clock import Clock
from voxgate.gate.errors import Refusal
from voxgate.gate.stores.base import Store
from voxgate.gate.tokens import Signer

_ADDRESS_CHARACTERS = 64
_DEVICE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The tokens of a session.

    Attributes:
        access_token: JWT for every route; secret.
        refresh_token: Opaque, for more access tokens; secret.
        expires_in_s: Seconds that the access token lives.
        session_id: The session; safe to log.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_s: int
    session_id: str


class Sessions:
    """The sessions of every account. Every method raises DatabaseUnavailableError and StoreUnavailableError.

    Args:
        database: Where sessions are stored.
        store: The gate's store, told after SQL has committed.
        signer: Makes the tokens.
        clock: The time of beginning and end.
        lifetime_s: Seconds after which a session ends by itself, refreshed or not.
    """

    def __init__(
        self, database: Database, store: Store, signer: Signer, *, clock: Clock, lifetime_s: int = 2_592_000
    ) -> None:
        self._database = database
        self._store = store
        self._signer = signer
        self._clock = clock
        self._lifetime_ms = lifetime_s * 1000

    def open(self, account: Account, *, address: str, device: str) -> TokenPair | Refusal:
        """Open a session for an account that has just proven itself.

        Args:
            account: As ``check_login`` gave it.
            address: Where the login came from; kept for the owner's list of sessions.
            device: The client's own name for itself, such as its User-Agent; cut at 200 characters.

        Returns:
            The tokens, or a refusal when the account has changed since it proved itself:
            LOGIN_DISABLED, or INVALID_CREDENTIALS after a change of its password.
        """
        now_ms = self._clock.now_ms()
        row = UserSession(
            session_id=secrets.token_hex(16),
            subject=account.subject,
            created_at_ms=now_ms,
            expires_at_ms=now_ms + self._lifetime_ms,
            ended_at_ms=None,
            address=clean_label(address, limit=_ADDRESS_CHARACTERS),
            device=clean_label(device, limit=_DEVICE_CHARACTERS),
        )
        with self._database.session() as session:
            user = session.get(User, account.subject, with_for_update=True)
            # The hash was compared before this transaction; without this check a login that races with
            # a change of password would leave a session that the change should have ended.
            if user is None or (user.is_active and user.version != account.version):
                return Refusal("INVALID_CREDENTIALS")
            if not user.is_active:
                return Refusal("LOGIN_DISABLED")
            session.add(row)
        self._store.put_state(account.state)
        self._store.put_state(session_state(row))
        return self._issue(row, now_ms=now_ms)

    def refresh(self, session_id: str, subject: str) -> TokenPair | Refusal:
        """Return a new access token of a live session, and its refresh token; one read.

        Args:
            session_id: From a verified refresh token.
            subject: The account that the session must belong to.

        Returns:
            The tokens, or a refusal: TOKEN_REVOKED, TOKEN_EXPIRED, ACCOUNT_DISABLED.
        """
        now_ms = self._clock.now_ms()
        with self._database.reading() as session:
            row = session.get(UserSession, session_id)
            user = None if row is None else session.get(User, row.subject)
        if row is None or user is None or row.ended_at_ms is not None or row.subject != subject:
            return Refusal("TOKEN_REVOKED")
        if row.expires_at_ms <= now_ms:
            return Refusal("TOKEN_EXPIRED")
        if not user.is_active:
            return Refusal("ACCOUNT_DISABLED")
        return self._issue(row, now_ms=now_ms)

    def end(self, session_id: str) -> None:
        """End a session for ever; its tokens die at once, in every process. Ending it again is no error."""
        with self._database.session() as session:
            row = session.get(UserSession, session_id, with_for_update=True)
            if row is not None and row.ended_at_ms is None:
                row.ended_at_ms = self._clock.now_ms()
        if row is not None:
            self._store.end_session(session_id, expires_at_ms=row.expires_at_ms)

    def _issue(self, row: UserSession, *, now_ms: int) -> TokenPair:
        return TokenPair(
            access_token=self._signer.issue_access(row.subject, row.session_id, now_ms=now_ms),
            refresh_token=self._signer.issue_refresh(row.session_id),
            expires_in_s=min(self._signer.access_expires_s, (row.expires_at_ms - now_ms) // 1000),
            session_id=row.session_id,
        )


def end_rows(session: Session, subject: str, *, now_ms: int) -> list[UserSession]:
    """End every live session of an account in the caller's transaction, and return them for the store."""
    live = (
        UserSession.subject == subject,
        UserSession.ended_at_ms.is_(None),
        UserSession.expires_at_ms > now_ms,
    )
    rows = list(session.scalars(select(UserSession).where(*live).with_for_update()))
    for row in rows:
        row.ended_at_ms = now_ms
    return rows
