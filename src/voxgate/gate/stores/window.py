"""An exact sliding window as one short row: what was admitted, when, and how heavy it was.

The row is an array of 64-bit integers. The first is the number of units spent; each further one is an admitted
request, oldest first: its milliseconds since the epoch, shifted left by twenty bits, and its cost in the low twenty.
A packed request sorts by its time, so what has left the window is found by bisection, and the work per decision does
not grow with the limit.
"""

from array import array
from bisect import bisect_left
from contextlib import suppress

_COST_BITS = 20
_COST_MASK = (1 << _COST_BITS) - 1


class Window:
    """The admitted requests of one counter, as they stand at one moment.

    A request admitted at ``t`` counts until ``t + window`` and no longer, so that waiting exactly ``retry_after``
    is enough, and no half-open window of the length ever holds more than the quota.

    Args:
        packed: The row, or None for a counter that was never used.
        now_ms: The moment of the decision.
        window_ms: Length of the window.
    """

    __slots__ = ("_entries", "_now_ms", "_window_ms", "ends_at_ms", "is_mended", "next_free_ms", "used")

    def __init__(self, packed: bytes | None, *, now_ms: int, window_ms: int) -> None:
        self._entries = array("q", packed or bytes(8))
        self._now_ms = now_ms
        self._window_ms = window_ms
        self.ends_at_ms = now_ms + window_ms
        """When nothing that is in the row counts any more."""
        self.is_mended = self._entries[-1] >> _COST_BITS > now_ms
        """Whether something lay in the future; then the row must be kept although nothing is admitted."""
        if self.is_mended:
            self._bring_back_from_future()
        end = bisect_left(self._entries, (now_ms - window_ms + 1) << _COST_BITS, 1)
        if end > 1:
            self._entries[0] -= sum([entry & _COST_MASK for entry in self._entries[1:end]])
            del self._entries[1:end]
        self.used = self._entries[0]
        """Units spent in the window that ends now."""
        oldest = (self._entries[1] >> _COST_BITS) if len(self._entries) > 1 else now_ms - window_ms
        self.next_free_ms = oldest + window_ms - now_ms
        """Milliseconds until the oldest request leaves the window; 0 when there is none."""

    def wait_for_ms(self, cost: int, *, quota: int) -> int:
        """Return the milliseconds until ``cost`` units fit; 0 when they fit now.

        A cost above the quota never fits; the answer is then a whole window.
        """
        excess = self.used + cost - quota
        if excess <= 0:
            return 0
        for position in range(1, len(self._entries)):
            excess -= self._entries[position] & _COST_MASK
            if excess <= 0:
                return self._leaves_in(position)
        return self._window_ms

    def admit(self, cost: int, _lease_id: str = "") -> bytes:
        """Record a request that is admitted now, and return the new row."""
        self._entries.append(self._now_ms << _COST_BITS | cost)
        self._entries[0] = self.used = self.used + cost
        self.next_free_ms = self.next_free_ms or self._window_ms
        return self._entries.tobytes()

    def release(self, _lease_id: str = "") -> bytes:
        """Take back one unit: that of the newest request of one unit; return the new row."""
        for position in range(len(self._entries) - 1, 0, -1):
            if self._entries[position] & _COST_MASK == 1:
                del self._entries[position]
                self._entries[0] = self.used = self.used - 1
                break
        return self._entries.tobytes()

    def take_back(self, cost: int, *, spent_at_ms: int) -> bytes:
        """Take back the request of a time and cost, if it still counts; return the new row."""
        # Those of one moment stand in the order in which they came, whatever they cost.
        first = bisect_left(self._entries, spent_at_ms << _COST_BITS, 1)
        last = bisect_left(self._entries, (spent_at_ms + 1) << _COST_BITS, first)
        with suppress(ValueError):
            del self._entries[self._entries.index(spent_at_ms << _COST_BITS | cost, first, last)]
            self._entries[0] = self.used = self.used - cost
        return self._entries.tobytes()

    def pack(self) -> bytes:
        """Return the row as it stands."""
        return self._entries.tobytes()

    def _leaves_in(self, position: int) -> int:
        return (self._entries[position] >> _COST_BITS) + self._window_ms - self._now_ms

    def _bring_back_from_future(self) -> None:
        # A clock that was set back must not lock anybody out for longer than one window.
        for position in range(len(self._entries) - 1, 0, -1):
            entry = self._entries[position]
            if entry >> _COST_BITS <= self._now_ms:
                return
            self._entries[position] = self._now_ms << _COST_BITS | entry & _COST_MASK
