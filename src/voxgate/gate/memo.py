"""The memo: refusals that cannot have changed yet are remembered in this process and cost no store call.

Refusals are monotonic: until ``retry_after`` nothing can pass, an ended session never lives again, a bad signature
stays bad. A memo never admits anything, so forgetting is always right, and remembering is bounded in time and number.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from voxgate.gate.clock import Clock
from voxgate.gate.errors import Refusal

# What other machines change of tiers and limits is seen within two seconds, the wait for the store included.
MAX_AGE_MS = 1800
# What ended stays ended, and a bad signature stays bad while the keys are the same; only a wrong clock can mend that.
MAX_AGE_FOR_GOOD_MS = 30_000
CAPACITY = 10_000

_FOR_GOOD = frozenset({"TOKEN_REVOKED", "TOKEN_EXPIRED", "INVALID_TOKEN", "API_KEY_INVALID"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One remembered refusal.

    Attributes:
        value: What is to be answered.
        noted_at_ms: When it was refused.
        life_ms: How long it holds.
        version: What the store's version was; under another one it does not hold.
    """

    value: T
    noted_at_ms: int
    life_ms: int
    version: object


class Memo(Generic[T]):
    """Remembers refusals by what was asked.

    Args:
        clock: Source of time; a clock that is set back drops what was noted after it.
        version: Returns what differs as soon as a refusal may have been lifted.
        capacity: Most entries; the oldest goes first.
    """

    def __init__(self, *, clock: Clock, version: Callable[[], object], capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._version = version
        self._capacity = capacity
        # A plain dict finds its oldest entry only behind the places of all that went before: 8 us at this capacity.
        self._entries: OrderedDict[Hashable, Entry[T]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return how many refusals are remembered."""
        return len(self._entries)

    def recall(self, key: Hashable) -> tuple[Entry[T], int] | None:
        """Return what is remembered of a key, and its age in milliseconds, while it holds; otherwise None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        age_ms = self._clock.now_ms() - entry.noted_at_ms
        return (entry, age_ms) if 0 <= age_ms < entry.life_ms and entry.version == self._version() else None

    def remember(self, key: Hashable, refusal: Refusal, value: T) -> Entry[T] | None:
        """Keep a refusal that cannot change for a while, and return it as it is kept; others are passed over."""
        life_ms = MAX_AGE_FOR_GOOD_MS if refusal.code in _FOR_GOOD else min(refusal.wait_ms, MAX_AGE_MS)
        if life_ms <= 0:
            return None
        entry = Entry(value, self._clock.now_ms(), life_ms, self._version())
        with self._lock:
            self._entries.pop(key, None)
            if len(self._entries) >= self._capacity:
                self._entries.popitem(last=False)
            self._entries[key] = entry
        return entry

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
