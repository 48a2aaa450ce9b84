"""API keys: make, list, change, rotate and revoke them; SQL first, then the gate's store."""

from collections.abc import Callable
from typing import Unpack

from sqlalchemy import select
from sqlalchemy.orm import Session

from voxgate.accounts.database import Database
from voxgate.accounts.directory import account_state, key_state
from voxgate.accounts.key_rows import count_live, find_end, find_own, inherit, live_since, make_row
from voxgate.accounts.key_values import (
    ApiKeyInfo,
    IssuedKey,
    KeyTerms,
    Rotation,
    apply_terms,
    find_key_faults,
    find_overlap_faults,
)
from voxgate.accounts.models import ApiKey, User
from voxgate.gate.api_keys import new_key
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
        policies: The policies whose limits a key can have of its own.
    """

    def __init__(
        self, database: Database, store: Store, *, clock: Clock, policies: frozenset[str] = frozenset()
    ) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._policies = policies

    def create(self, subject: str, **terms: Unpack[KeyTerms]) -> IssuedKey | Refusal:
        """Make one more key; it works at once.

        Args:
            subject: The account that owns it.
            terms: Its name, scopes, life, networks and limits.

        Returns:
            The key, or a refusal: VALIDATION_FAILED, ACCOUNT_UNKNOWN, TOO_MANY_KEYS.
        """
        now_ms = self._clock.now_ms()
        faults = find_key_faults(terms, policies=self._policies)
        if faults:
            return Refusal("VALIDATION_FAILED", faults=faults)
        key = new_key()
        row = make_row(key, subject, name="", now_ms=now_ms)
        apply_terms(row, terms, now_ms=now_ms)
        with self._database.session() as session:
            # The row of the account is the lock under which its keys are counted.
            user = session.get(User, subject, with_for_update=True)
            if user is None:
                return Refusal("ACCOUNT_UNKNOWN")
            if count_live(session, subject, now_ms) >= MAX_LIVE_KEYS:
                return Refusal("TOO_MANY_KEYS")
            session.add(row)
            state = account_state(session, user)
        self._store.put_state(state)
        self._store.put_state(key_state(row))
        return IssuedKey(info=ApiKeyInfo.of(row), text=key.text)

    def list(self, subject: str) -> tuple[ApiKeyInfo, ...]:
        """Return the account's keys, oldest first; revoked ones never, expired ones for 30 days."""
        since_ms = self._clock.now_ms() - _LISTED_AFTER_MS
        wanted = select(ApiKey).where(*live_since(subject, since_ms))
        with self._database.reading() as session:
            rows = session.scalars(wanted.order_by(ApiKey.created_at_ms, ApiKey.key_id))
            return tuple(ApiKeyInfo.of(row) for row in rows)

    def change(self, subject: str, key_id: str, **terms: Unpack[KeyTerms]) -> ApiKeyInfo | Refusal:
        """Change a live key; holds from the next request.

        Args:
            subject: The account that must own it.
            key_id: The public part.
            terms: What changes; what is absent stays.

        Returns:
            The key as it is now, or a refusal: VALIDATION_FAILED, KEY_NOT_FOUND, KEY_EXPIRED, KEY_ROTATED.
        """
        now_ms = self._clock.now_ms()
        faults = find_key_faults(terms, policies=self._policies)
        if faults:
            return Refusal("VALIDATION_FAILED", faults=faults)

        def apply(row: ApiKey, _session: Session) -> None:
            apply_terms(row, terms, now_ms=now_ms)

        row = self._change(subject, key_id, apply, now_ms=now_ms)
        return row if isinstance(row, Refusal) else ApiKeyInfo.of(row)

    def rotate(self, subject: str, key_id: str, *, overlap_s: int = DEFAULT_OVERLAP_S) -> Rotation | Refusal:
        """Replace a live key by a new one on the same terms; a key is replaced once.

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
            if overlap_s and count_live(session, subject, now_ms) >= MAX_LIVE_KEYS:
                return Refusal("TOO_MANY_KEYS")
            inherit(successor, row)
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
            row = find_own(session, subject, key_id)
            if row is None:
                return False
            if row.ended_at_ms is None:
                row.ended_at_ms = self._clock.now_ms()
        self._store.end_key(key_id, subject=subject)
        return True

    def _change(
        self, subject: str, key_id: str, apply: Callable[[ApiKey, Session], Refusal | None], *, now_ms: int
    ) -> ApiKey | Refusal:
        """Apply a change to a live key in one transaction, and bring the store to what SQL says."""
        with self._database.session() as session:
            # In the same order as everywhere: first the account's row, then the key's.
            session.get(User, subject, with_for_update=True)
            row = find_own(session, subject, key_id)
            if row is None:
                return Refusal("KEY_NOT_FOUND")
            refusal = find_end(row, now_ms) or apply(row, session)
            if refusal is None:
                row.version += 1  # so that the store never keeps an older state
        # Told after a refusal too: the store may have been away when the key was ended or rotated.
        self._tell_store(row)
        return row if refusal is None else refusal

    def _tell_store(self, row: ApiKey) -> None:
        """Put the state of a key until it is what SQL says, because two changes may overtake each other on the way."""
        state, told = key_state(row), None
        while state != told:
            if state.is_ended:
                self._store.end_key(state.key_id, subject=state.subject)
            else:
                self._store.put_state(state)
            told = state
            with self._database.reading() as session:
                state = key_state(session.get_one(ApiKey, row.key_id))
