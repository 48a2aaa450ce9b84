"""A store that notes what this process changes, so that what is remembered beside it is dropped at once."""

import threading

from voxgate.gate.decision import AccountState, SessionState, State
from voxgate.gate.stores.base import Store

# More ended records than that in one process and the oldest are forgotten here; the store never forgets.
_REMEMBERED = 10_000


class WatchedStore:
    """Passes everything on to a store; decisions without any detour.

    Args:
        inner: The store.
    """

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self._changes = 0
        self._ended: dict[str, None] = {}
        self._lock = threading.Lock()
        self.decide = inner.decide
        self.usage = inner.usage
        self.release = inner.release
        self.hold = inner.hold
        self.refund = inner.refund
        self.ping = inner.ping
        self.close = inner.close
        self._version = inner.version

    def version(self) -> object:
        """Return what differs as soon as something has changed that may lift a refusal."""
        shared = self._version
        return self._changes if shared is None else shared()

    def has_ended(self, record_id: str) -> bool:
        """Tell whether this process has ended a session or key or disabled an account, though the store be away."""
        return record_id in self._ended

    def put_state(self, state: State) -> None:
        """Record a state; never revives what has ended, never replaces a newer account or key."""
        if not isinstance(state, SessionState):
            self._changes += 1  # Limits, scopes or networks may be wider than before.
        if isinstance(state, AccountState):
            if state.is_active:
                with self._lock:
                    self._ended.pop(state.subject, None)
            else:
                self._note_end(state.subject)
        self._inner.put_state(state)

    def end_session(self, session_id: str, *, expires_at_ms: int, subject: str | None = None) -> None:
        """End a session for ever, known or not; holds from the next decision of any process."""
        self._note_end(session_id)
        self._inner.end_session(session_id, expires_at_ms=expires_at_ms, subject=subject)

    def end_key(self, key_id: str, *, subject: str | None = None) -> None:
        """Revoke an API key for ever, known or not; holds from the next decision of any process."""
        self._note_end(key_id)
        self._inner.end_key(key_id, subject=subject)

    def reset(self, partition: str) -> int:
        """Forget every counter of a partition; returns how many there were."""
        count = self._inner.reset(partition)
        self._changes += 1
        return count

    def _note_end(self, record_id: str) -> None:
        with self._lock:
            self._changes += 1
            if len(self._ended) >= _REMEMBERED:
                del self._ended[next(iter(self._ended))]
            self._ended[record_id] = None


def watch(store: Store) -> WatchedStore:
    """Return the store watched; a watched store stays what it is."""
    return store if isinstance(store, WatchedStore) else WatchedStore(store)
