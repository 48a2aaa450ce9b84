"""One change of one account: its row under a lock, a new version, its sessions' ends, and then the gate's store."""

from collections.abc import Callable

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from voxgate.accounts.account import Account, is_id
from voxgate.accounts.database import Database
from voxgate.accounts.directory import account_state
from voxgate.accounts.models import User, UserSession
from voxgate.accounts.session_rows import end_rows, tell_ends
from voxgate.gate.clock import Clock
from voxgate.gate.errors import Refusal
from voxgate.gate.stores.base import Store

Change = Callable[[User, Session], Refusal | None]
"""Changes the row of an account within the transaction, or says why not."""

OnDisabled = Callable[[Connection, str], object]
"""Ends what an account has left to be done, in the transaction that disables it."""


class AccountChanges:
    """Changes accounts; SQL first, then the gate's store.

    When the store did not answer, the change stands, and making it again tells the store.

    Args:
        database: Where accounts are stored.
        store: The gate's store.
        clock: The time of every change.
    """

    def __init__(self, database: Database, store: Store, *, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._on_disabled: list[OnDisabled] = []

    def when_disabled(self, end: OnDisabled) -> None:
        """Have `end` called, with its id, within the transaction of every change that leaves an account disabled."""
        self._on_disabled.append(end)

    def make(
        self, subject: str, change: Change, *, ends_sessions: bool = False, but: str | None = None
    ) -> Account | Refusal:
        """Change an account; holds from the next request, in every process.

        Args:
            subject: The account.
            change: What is changed.
            ends_sessions: Whether the account's sessions end with it.
            but: A session that goes on.

        Returns:
            The account as it is now, or the refusal ACCOUNT_UNKNOWN or that of the change.

        Raises:
            DatabaseUnavailableError: Nothing has changed.
            StoreUnavailableError: The store does not know of the change.
        """
        now_ms = self._clock.now_ms()
        ended: list[UserSession] = []
        with self._database.session() as session:
            user = session.get(User, subject, with_for_update=True) if is_id(subject) else None
            if user is None:
                return Refusal("ACCOUNT_UNKNOWN")
            refusal = change(user, session)
            if refusal is not None:
                return refusal
            # Every change has its own version, so that the store never keeps an older state.
            user.version += 1
            user.updated_at_ms = now_ms
            if ends_sessions:
                ended, _ = end_rows(session, subject, now_ms=now_ms, but=but)
            if not user.is_active:
                for end in self._on_disabled:
                    end(session.connection(), subject)
            state = account_state(session, user)
        self._store.put_state(state)
        # Of a disabled account the store learns no single end: its credentials are refused as those of a disabled
        # account, and before it is enabled again the store is told which sessions have ended meanwhile.
        if user.is_active:
            tell_ends(self._store, ended)
        return Account.of(user)
