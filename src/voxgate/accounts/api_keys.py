"""API keys: make, list, change, rotate and revoke them; SQL first, then the gate's store."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from voxgate.accounts.account import Account
from voxgate.accounts.database import Database
from voxgate.accounts.directory import key_state
from voxgate.accounts.key_values import (
    KEEP,
    ApiKeyInfo,
    IssuedKey,
    Keep,
    Rotation,
    clean_name,
    find_key_faults,
    find_overlap_faults,
)
from voxgate.accounts.models import ApiKey, User
from voxgate.gate.api_keys import NewKey, new_key
from voxgate.gate.clock import Clock
from voxgate.gate.errors import Refusal
from voxgate.gate.stores.base import Store

MAX_LIVE_KEYS = 100
DEFAULT_OVERLAP_S = 86_400

# Keys that have expired are listed for a while, so that their owner learns why they are refused.
_LISTED_AFTER_MS = 30 * 86_400_000


class ApiKeys:
    """The API keys of every account. Every method raises DatabaseUnavailableError and StoreUnavailableError.

    A change commits in SQL first and is then told to the gate's store. When the store did not answer, the
    change stands, and asking for it again tells the store.

    Args:
        database: Where keys are stored.
        store: The gate's store, told after SQL has committed.
        clock: The time of creation and end.
    """

    def __init__(self, database: Database, store: Store, *, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    def create(
        self, subject: str, *, name: str, scopes: frozenset[str] = frozenset(), expires_in_s: int | None = None
    ) -> IssuedKey | Refusal:
        """Make one more key; it works at once.

        Args:
            subject: The account that owns it.
            name: The owner's name for it, at most 100 characters; unprintable ones are dropped.
            scopes: What it may do; empty means everything that the account may do.
            expires_in_s: Its life in seconds, from a minute to ten years; None for no end.

        Returns:
            The key, or a refusal: VALIDATION_FAILED, ACCOUNT_UNKNOWN, TOO_MANY_KEYS.
        """
        now_ms = self._clock.now_ms()
        faults = find_key_faults(name=name, scopes=scopes, expires_in_s=expires_in_s)
        if faults:
            return Refusal("VALIDATION_FAILED", faults=faults)
        key = new_key()
        row = make_row(key, subject, name=name, now_ms=now_ms)
        row.scopes, row.expires_at_ms = _joined(scopes), _end_of(expires_in_s, now_ms)
        with self._database.session() as session:
            # The row of the account is the lock under which its keys are counted.
            user = session.get(User, subject, with_for_update=True)
            if user is None:
                return Refusal("ACCOUNT_UNKNOWN")
            if _count_live(session, subject, now_ms) >= MAX_LIVE_KEYS:
                return Refusal("TOO_MANY_KEYS")
            session.add(row)
            state = Account.of(user).state
        self._store.put_state(state)
        self._store.put_state(key_state(row))
        return IssuedKey(info=ApiKeyInfo.of(row), text=key.text)

    def list(self, subject: str) -> tuple[ApiKeyInfo, ...]:
        """Return the account's keys, oldest first; revoked ones never, expired ones for 30 days."""
        since_ms = self._clock.now_ms() - _LISTED_AFTER_MS
        wanted = select(ApiKey).where(*_live_since(subject, since_ms))
        with self._database.reading() as session:
            rows = session.scalars(wanted.order_by(ApiKey.created_at_ms, ApiKey.key_id))
            return tuple(ApiKeyInfo.of(row) for row in rows)

    def change(
        self,
        subject: str,
        key_id: str,
        *,
        name: str | None = None,
        scopes: frozenset[str] | None = None,
        expires_in_s: int | Keep | None = KEEP,
    ) -> ApiKeyInfo | Refusal:
        """Change a live key; holds from the next request.

        Args:
            subject: The account that must own it.
            key_id: The public part.
            name: The new name; None keeps the old one.
            scopes: The new scopes, empty for everything; None keeps the old ones.
            expires_in_s: The life from now in seconds; None for no end, ``KEEP`` for the end that it has.

        Returns:
            The key as it is now, or a refusal: VALIDATION_FAILED, KEY_NOT_FOUND, KEY_EXPIRED, KEY_ROTATED.
        """
        now_ms = self._clock.now_ms()
        lifetime_s = None if expires_in_s is KEEP else expires_in_s
        faults = find_key_faults(name=name or "", scopes=scopes or frozenset(), expires_in_s=lifetime_s)
        if faults:
            return Refusal("VALIDATION_FAILED", faults=faults)

        def apply(row: ApiKey, _session: Session) -> None:
            row.name = row.name if name is None else clean_name(name)
            row.scopes = row.scopes if scopes is None else _joined(scopes)
            row.expires_at_ms = row.expires_at_ms if expires_in_s is KEEP else _end_of(lifetime_s, now_ms)

        row = self._change(subject, key_id, apply, now_ms=now_ms)
        return row if isinstance(row, Refusal) else ApiKeyInfo.of(row)

    def rotate(self, subject: str, key_id: str, *, overlap_s: int = DEFAULT_OVERLAP_S) -> Rotation | Refusal:
        """Replace a live key by a new one with the same name, scopes and end; a key is replaced once.

        Args:
            subject: The account that must own it.
            key_id: The public part of the key that is replaced.
            overlap_s: Seconds that the old key goes on working, 0 to 30 days; never beyond its own end.

        Returns:
            The new key, or a refusal: VALIDATION_FAILED, KEY_NOT_FOUND, KEY_EXPIRED, KEY_ROTATED, TOO_MANY_KEYS.
        """
        faults = find_overlap_faults(overlap_s)
        if faults:
            return Refusal("VALIDATION_FAILED", faults=faults)
        now_ms, key = self._clock.now_ms(), new_key()
        successor = make_row(key, subject, name="", now_ms=now_ms)

        def apply(row: ApiKey, session: Session) -> Refusal | None:
            # With an overlap there is one live key more for a while, and rotating must not be a way around the cap.
            if overlap_s and _count_live(session, subject, now_ms) >= MAX_LIVE_KEYS:
                return Refusal("TOO_MANY_KEYS")
            successor.name, successor.scopes, successor.expires_at_ms = row.name, row.scopes, row.expires_at_ms
            session.add(successor)
            row.successor_id = successor.key_id
            if overlap_s:
                ends_at_ms = now_ms + overlap_s * 1000
                row.expires_at_ms = ends_at_ms if row.expires_at_ms is None else min(row.expires_at_ms, ends_at_ms)
            else:
                row.ended_at_ms = now_ms
            return None

        row = self._change(subject, key_id, apply, now_ms=now_ms)
        if isinstance(row, Refusal):
            return row
        self._store.put_state(key_state(successor))
        ends_at_ms = row.expires_at_ms if row.ended_at_ms is None else row.ended_at_ms
        return Rotation(IssuedKey(ApiKeyInfo.of(successor), key.text), replaces=key_id, replaced_at_ms=ends_at_ms or 0)

    def revoke(self, subject: str, key_id: str) -> bool:
        """End a key for ever; it is refused from the next request.

        Returns:
            Whether the account has such a key. Revoking once more is no error, so that an answer
            that was lost can be asked for again.
        """
        with self._database.session() as session:
            row = _find_own(session, subject, key_id)
            if row is None:
                return False
            if row.ended_at_ms is None:
                row.ended_at_ms = self._clock.now_ms()
        self._store.end_key(key_id)
        return True

    def _change(
        self, subject: str, key_id: str, apply: Callable[[ApiKey, Session], Refusal | None], *, now_ms: int
    ) -> ApiKey | Refusal:
        """Apply a change to a live key in one transaction, and bring the store to what SQL says."""
        with self._database.session() as session:
            # In the same order as everywhere: first the account's row, then the key's.
            session.get(User, subject, with_for_update=True)
            row = _find_own(session, subject, key_id)
            if row is None:
                return Refusal("KEY_NOT_FOUND")
            refusal = _find_end(row, now_ms) or apply(row, session)
        # Told after a refusal too: the store may have been away when the key was ended or rotated.
        self._tell_store(row)
        return row if refusal is None else refusal

    def _tell_store(self, row: ApiKey) -> None:
        """Put the state of a key until it is what SQL says, because two changes may overtake each other on the way."""
        state, told = key_state(row), None
        while state != told:
            if state.is_ended:
                self._store.end_key(state.key_id)
            else:
                self._store.put_state(state)
            told = state
            with self._database.reading() as session:
                state = key_state(session.get_one(ApiKey, row.key_id))


def make_row(key: NewKey, subject: str, *, name: str, now_ms: int) -> ApiKey:
    """Return the row of a new key that may do everything and never expires."""
    return ApiKey(
        key_id=key.key_id,
        subject=subject,
        name=clean_name(name),
        digest=key.digest,
        hint=key.hint,
        scopes="",
        created_at_ms=now_ms,
        expires_at_ms=None,
        ended_at_ms=None,
        successor_id=None,
    )


def _find_own(session: Session, subject: str, key_id: str) -> ApiKey | None:
    """Return the key of an account, locked, ended or not; None for another's and for what can be no key's id."""
    is_id = key_id.isascii() and key_id.isalnum()  # PostgreSQL takes no NUL
    row = session.get(ApiKey, key_id, with_for_update=True) if is_id else None
    return row if row is not None and row.subject == subject else None


def _find_end(row: ApiKey, now_ms: int) -> Refusal | None:
    """Return why a key cannot be changed any more, or None."""
    if row.ended_at_ms is not None:
        return Refusal("KEY_NOT_FOUND")
    if row.expires_at_ms is not None and row.expires_at_ms <= now_ms:
        return Refusal("KEY_EXPIRED")
    if row.successor_id is not None:
        return Refusal("KEY_ROTATED")
    return None


def _count_live(session: Session, subject: str, now_ms: int) -> int:
    return session.scalar(select(func.count()).select_from(ApiKey).where(*_live_since(subject, now_ms))) or 0


def _live_since(subject: str, at_ms: int) -> tuple[ColumnElement[bool], ...]:
    unexpired = or_(ApiKey.expires_at_ms.is_(None), ApiKey.expires_at_ms > at_ms)
    return ApiKey.subject == subject, ApiKey.ended_at_ms.is_(None), unexpired


def _joined(scopes: frozenset[str]) -> str:
    return " ".join(sorted(scopes))


def _end_of(expires_in_s: int | None, now_ms: int) -> int | None:
    return None if expires_in_s is None else now_ms + expires_in_s * 1000
