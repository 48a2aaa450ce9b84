"""Sessions: open one at login, refresh its tokens, end it; SQL first, then the gate's store."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from sqlalchemy import ColumnElement, or_, select
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

MAX_LISTED = 500

_ADDRESS_CHARACTERS = 64
_DEVICE_CHARACTERS = 200
# An end that the store missed is told again by the same request, when it comes within this time.
_RETOLD_MS = 3_600_000
_BATCH = 500


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


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What a list tells of a session; nothing of it opens anything.

    Attributes:
        session_id: The session; safe to log.
        device: The client's own name for itself at login; may be empty.
        address: Where the login came from.
        created_at_ms: Time of the login, milliseconds since the epoch, UTC.
        expires_at_ms: When it ends by itself.
    """

    session_id: str
    device: str
    address: str
    created_at_ms: int
    expires_at_ms: int

    @classmethod
    def of(cls, row: UserSession) -> Self:
        """Return the value of a row."""
        return cls(
            session_id=row.session_id,
            device=row.device,
            address=row.address,
            created_at_ms=row.created_at_ms,
            expires_at_ms=row.expires_at_ms,
        )


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
        with self._database.session() as session:
            user = session.get(User, account.subject, with_for_update=True)
            # Read under the lock: whoever ends all sessions takes it too, and misses none that is older.
            now_ms = self._clock.now_ms()
            # The hash was compared before this transaction; without this check a login that races with
            # a change of password would leave a session that the change should have ended.
            if user is None or (user.is_active and user.version != account.version):
                return Refusal("INVALID_CREDENTIALS")
            if not user.is_active:
                return Refusal("LOGIN_DISABLED")
            row = UserSession(
                session_id=secrets.token_hex(16),
                subject=account.subject,
                created_at_ms=now_ms,
                expires_at_ms=now_ms + self._lifetime_ms,
                ended_at_ms=None,
                address=clean_label(address, limit=_ADDRESS_CHARACTERS),
                device=clean_label(device, limit=_DEVICE_CHARACTERS),
            )
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

    def list(self, subject: str) -> tuple[SessionInfo, ...]:
        """Return the account's live sessions, newest first, at most 500."""
        live = (
            UserSession.subject == subject,
            UserSession.ended_at_ms.is_(None),
            UserSession.expires_at_ms > self._clock.now_ms(),
        )
        newest = (UserSession.created_at_ms.desc(), UserSession.session_id)
        with self._database.reading() as session:
            rows = session.scalars(select(UserSession).where(*live).order_by(*newest).limit(MAX_LISTED))
            return tuple(SessionInfo.of(row) for row in rows)

    def end(self, session_id: str, *, subject: str | None = None) -> bool:
        """End a session for ever; its tokens die at once, in every process. Ending it again is no error.

        Args:
            session_id: The session.
            subject: The account that must own it; None for whoever does.

        Returns:
            Whether there is such a session, ended or not.
        """
        is_id = session_id.isascii() and session_id.isalnum()  # PostgreSQL takes no NUL
        with self._database.session() as session:
            row = session.get(UserSession, session_id, with_for_update=True) if is_id else None
            if row is None or subject not in {None, row.subject}:
                return False
            if row.ended_at_ms is None:
                row.ended_at_ms = self._clock.now_ms()
        tell_ends(self._store, [row])
        return True

    def end_all(self, subject: str, *, but: str | None = None) -> int:
        """End every session of an account that was opened before now; they are dead when this returns.

        Args:
            subject: The account; its API keys stay.
            but: A session that goes on.

        Returns:
            How many were live.
        """
        with self._database.session() as session:
            session.get(User, subject, with_for_update=True)
            rows, count = end_rows(session, subject, now_ms=self._clock.now_ms(), but=but)
        tell_ends(self._store, rows)
        return count

    def end_everybody(self) -> int:
        """End every session of every account that was opened before now, some hundreds at a time.

        Logins go on meanwhile, and their sessions stay. When this is interrupted, what has ended has ended,
        and calling it again ends the rest.

        Returns:
            How many were live.
        """
        now_ms, last_id, total = self._clock.now_ms(), "", 0
        while True:
            wanted = (*_to_end(now_ms), UserSession.created_at_ms <= now_ms, UserSession.session_id > last_id)
            batch = select(UserSession).where(*wanted).order_by(UserSession.session_id).limit(_BATCH)
            with self._database.session() as session:
                rows = list(session.scalars(batch.with_for_update()))
                total += _mark_ended(rows, now_ms=now_ms)
            tell_ends(self._store, rows)
            if len(rows) < _BATCH:
                return total
            last_id = rows[-1].session_id

    def _issue(self, row: UserSession, *, now_ms: int) -> TokenPair:
        return TokenPair(
            access_token=self._signer.issue_access(row.subject, row.session_id, now_ms=now_ms),
            refresh_token=self._signer.issue_refresh(row.session_id),
            expires_in_s=min(self._signer.access_expires_s, (row.expires_at_ms - now_ms) // 1000),
            session_id=row.session_id,
        )


def end_rows(session: Session, subject: str, *, now_ms: int, but: str | None = None) -> tuple[list[UserSession], int]:
    """End every live session of an account but one, in the caller's transaction.

    Returns:
        What the store is to be told by ``tell_ends`` after the commit, and how many sessions were live.
    """
    wanted = [UserSession.subject == subject, *_to_end(now_ms)]
    if but is not None:
        wanted.append(UserSession.session_id != but)
    rows = list(session.scalars(select(UserSession).where(*wanted).with_for_update()))
    return rows, _mark_ended(rows, now_ms=now_ms)


def tell_ends(store: Store, rows: Iterable[UserSession]) -> None:
    """Tell the store which sessions have ended.

    Raises:
        StoreUnavailableError: It cannot be told; asking for the same end again tells it.
    """
    for row in rows:
        store.end_session(row.session_id, expires_at_ms=row.expires_at_ms)


def _to_end(now_ms: int) -> tuple[ColumnElement[bool], ...]:
    """Return what selects live sessions, and those that have ended just now, whose end the store may have missed."""
    recent = or_(UserSession.ended_at_ms.is_(None), UserSession.ended_at_ms > now_ms - _RETOLD_MS)
    return UserSession.expires_at_ms > now_ms, recent


def _mark_ended(rows: Iterable[UserSession], *, now_ms: int) -> int:
    live = [row for row in rows if row.ended_at_ms is None]
    for row in live:
        row.ended_at_ms = now_ms
    return len(live)
