"""Sessions: open one at login, refresh its tokens, end it; SQL first, then the gate's store."""

import secrets

from sqlalchemy import or_, select

from voxgate.accounts.account import Account
from voxgate.accounts.database import Database
from voxgate.accounts.directory import account_state, session_state
from voxgate.accounts.models import User, UserSession
from voxgate.accounts.names import clean_label
from voxgate.accounts.session_rows import end_rows, mark_ended, tell_ends, to_end
from voxgate.accounts.session_values import Lifetime, SessionInfo, TokenPair
from voxgate.gate.clock import Clock
from voxgate.gate.errors import Refusal
from voxgate.gate.stores.base import Store
from voxgate.gate.tokens import Signer

MAX_LISTED = 500

_ADDRESS_CHARACTERS = 64
_DEVICE_CHARACTERS = 200
_BATCH = 500


class Sessions:
    """The sessions of every account. Every method raises DatabaseUnavailableError and StoreUnavailableError.

    Args:
        database: Where sessions are stored.
        store: The gate's store, told after SQL has committed.
        signer: Makes the tokens.
        clock: The time of beginning and end.
        lifetime: How long a session lives.
    """

    def __init__(
        self, database: Database, store: Store, signer: Signer, *, clock: Clock, lifetime: Lifetime | None = None
    ) -> None:
        self._database = database
        self._store = store
        self._signer = signer
        self._clock = clock
        self._lifetime = lifetime or Lifetime()

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
                expires_at_ms=now_ms + self._lifetime.absolute_s * 1000,
                ended_at_ms=None,
                generation=0,
                idle_ends_at_ms=now_ms + min(self._lifetime.absolute_s, self._lifetime.idle_s) * 1000,
                last_seen_at_ms=now_ms,
                address=clean_label(address, limit=_ADDRESS_CHARACTERS),
                device=clean_label(device, limit=_DEVICE_CHARACTERS),
            )
            session.add(row)
            state = account_state(session, user)
        self._store.put_state(state)
        self._store.put_state(session_state(row))
        return self._issue(row, generation=0, now_ms=now_ms)

    def refresh(
        self, session_id: str, subject: str, *, generation: int = 0, scopes: frozenset[str] = frozenset()
    ) -> TokenPair | Refusal:
        """Return the next tokens of a live session; one transaction.

        The gate has decided already that the refresh token may be used. The same one gives the same successor again,
        so that an answer that was lost can be asked for once more.

        In strict mode the first use is answered even when a second one has ended the session since the gate has let
        the first in: its tokens are dead then. So of many uses at once one succeeds, whichever is written down first.

        Args:
            session_id: From a verified refresh token.
            subject: The account that the session must belong to.
            generation: Which of the session's refresh tokens was shown, counted from 0.
            scopes: What the session was opened for; empty means everything.

        Returns:
            The tokens, or a refusal: TOKEN_REVOKED, TOKEN_EXPIRED, ACCOUNT_DISABLED; in strict mode also
            TOKEN_REUSED, for a second use of which the gate's store has forgotten the first.
        """
        with self._database.session() as session:
            row = session.get(UserSession, session_id, with_for_update=True)
            now_ms = self._clock.now_ms()
            user = None if row is None else session.get(User, row.subject)
            if row is None or user is None or row.subject != subject:
                return Refusal("TOKEN_REVOKED")
            is_reused = self._lifetime.is_strict and generation < row.generation
            refusal = _refuse_row(row, user, now_ms=now_ms, may_have_ended=self._lifetime.is_strict and not is_reused)
            if refusal is not None:
                return refusal
            if is_reused:
                row.ended_at_ms = now_ms
            else:
                self._carry_on(row, generation, now_ms)
        if row.ended_at_ms is not None:
            tell_ends(self._store, [row])
        if is_reused:
            return Refusal("TOKEN_REUSED")
        return self._issue(row, generation=generation + 1, scopes=scopes, now_ms=now_ms)

    def list(self, subject: str) -> tuple[SessionInfo, ...]:
        """Return the account's live sessions, newest first, at most 500."""
        now_ms = self._clock.now_ms()
        live = (
            UserSession.subject == subject,
            UserSession.ended_at_ms.is_(None),
            UserSession.expires_at_ms > now_ms,
            or_(UserSession.idle_ends_at_ms.is_(None), UserSession.idle_ends_at_ms > now_ms),
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

    def end_all(self, subject: str, *, but: str | None = None, before_ms: int | None = None) -> int:
        """End every session of an account that was opened before now; they are dead when this returns.

        Args:
            subject: The account; its API keys stay.
            but: A session that goes on.
            before_ms: Ends only what was opened before then, milliseconds since the epoch.

        Returns:
            How many were live.
        """
        with self._database.session() as session:
            session.get(User, subject, with_for_update=True)
            now_ms = self._clock.now_ms()
            rows, count = end_rows(session, subject, now_ms=now_ms, but=but, before_ms=before_ms)
        tell_ends(self._store, rows)
        return count

    def end_everybody(self, *, before_ms: int | None = None) -> int:
        """End every session of every account that was opened before now, some hundreds at a time.

        Logins go on meanwhile, and their sessions stay. When this is interrupted, what has ended has ended,
        and calling it again ends the rest.

        Args:
            before_ms: Ends only what was opened before then, milliseconds since the epoch.

        Returns:
            How many were live.
        """
        now_ms, last_id, total = self._clock.now_ms(), "", 0
        until_ms = now_ms if before_ms is None else min(now_ms, before_ms - 1)
        while True:
            wanted = (*to_end(now_ms), UserSession.created_at_ms <= until_ms, UserSession.session_id > last_id)
            batch = select(UserSession).where(*wanted).order_by(UserSession.session_id).limit(_BATCH)
            with self._database.session() as session:
                rows = list(session.scalars(batch.with_for_update()))
                total += mark_ended(rows, now_ms=now_ms)
            tell_ends(self._store, rows)
            if len(rows) < _BATCH:
                return total
            last_id = rows[-1].session_id

    def _carry_on(self, row: UserSession, generation: int, now_ms: int) -> None:
        # Two uses may overtake each other between the decision and here: nothing goes back.
        row.generation = max(row.generation, self._lifetime.confirmed_by(generation))
        idle_ends_at_ms = min(row.expires_at_ms, now_ms + self._lifetime.idle_s * 1000)
        row.idle_ends_at_ms = max(row.idle_ends_at_ms or 0, idle_ends_at_ms)
        row.last_seen_at_ms = max(row.last_seen_at_ms or 0, now_ms)

    def _issue(
        self, row: UserSession, *, generation: int, scopes: frozenset[str] = frozenset(), now_ms: int
    ) -> TokenPair:
        access = self._signer.issue_access(
            row.subject, row.session_id, scopes=scopes, generation=generation, now_ms=now_ms
        )
        ends_at_ms = min(row.expires_at_ms, row.idle_ends_at_ms or row.expires_at_ms)
        return TokenPair(
            access_token=access,
            refresh_token=self._signer.issue_refresh(row.session_id, counter=generation, scopes=scopes),
            expires_in_s=min(self._signer.access_expires_s, (row.expires_at_ms - now_ms) // 1000),
            refresh_expires_in_s=(ends_at_ms - now_ms) // 1000,
            session_id=row.session_id,
        )


def _refuse_row(row: UserSession, user: User, *, now_ms: int, may_have_ended: bool) -> Refusal | None:
    if not user.is_active:
        return Refusal("ACCOUNT_DISABLED")
    if row.ended_at_ms is not None and not may_have_ended:
        return Refusal("TOKEN_REVOKED")
    return Refusal("TOKEN_EXPIRED") if row.expires_at_ms <= now_ms else None
