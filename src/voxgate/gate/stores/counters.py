"""The counters beside the sliding window: quotas of the calendar, and what runs at once. Each is one short row."""

import json
from datetime import UTC, datetime, timedelta
from typing import Protocol

from voxgate.gate.limits import Limit, LimitKind
from voxgate.gate.stores.window import Window


class Counter(Protocol):
    """One counter at one moment."""

    used: int
    next_free_ms: int
    ends_at_ms: int
    is_mended: bool
    """Whether something lay in the future; then the row must be kept although nothing is admitted."""

    def wait_for_ms(self, cost: int, *, quota: int) -> int:
        """Return the milliseconds until ``cost`` units fit; 0 when they fit now."""
        ...

    def admit(self, cost: int, lease_id: str) -> bytes:
        """Record what is admitted now, and return the new row."""
        ...

    def pack(self) -> bytes:
        """Return the row as it stands."""
        ...


class CalendarQuota:
    """Units spent in a day or month of the calendar, UTC.

    Args:
        packed: The row, or None for a counter that was never used.
        now_ms: The moment of the decision.
        kind: Day or month.
    """

    __slots__ = ("_kind", "_now_ms", "ends_at_ms", "is_mended", "next_free_ms", "used")

    def __init__(self, packed: bytes | None, *, now_ms: int, kind: LimitKind) -> None:
        self._now_ms = now_ms
        self._kind = kind
        self.ends_at_ms = _period_end_ms(now_ms, kind)
        self.is_mended = False
        # The row says which period it counts; a row of another period counts nothing, whichever way the clock went.
        period, used = (int(part) for part in packed.split(b":")) if packed else (0, 0)
        self.used = used if period == self.ends_at_ms else 0
        self.next_free_ms = self.ends_at_ms - now_ms if self.used else 0

    def wait_for_ms(self, cost: int, *, quota: int) -> int:
        """Return the milliseconds until ``cost`` units fit; 0 when they fit now."""
        return 0 if self.used + cost <= quota else self.ends_at_ms - self._now_ms

    def admit(self, cost: int, _lease_id: str) -> bytes:
        """Record what is admitted now, and return the new row."""
        self.used += cost
        self.next_free_ms = self.ends_at_ms - self._now_ms
        return self.pack()

    def take_back(self, cost: int, *, spent_at_ms: int) -> bytes:
        """Take back what was spent, if it was in the period that runs now; return the new row."""
        if _period_end_ms(spent_at_ms, self._kind) == self.ends_at_ms:
            self.used = max(0, self.used - cost)
        return self.pack()

    def pack(self) -> bytes:
        """Return the row as it stands."""
        return f"{self.ends_at_ms}:{self.used}".encode()


class Leases:
    """What runs at once: each lease is held until it is given back or its time is over.

    Args:
        packed: The row, or None for a counter that was never used.
        now_ms: The moment of the decision.
        lease_ms: Longest time that a lease is held.
    """

    __slots__ = ("_ends", "_lease_ms", "_now_ms", "ends_at_ms", "is_mended", "next_free_ms", "used")

    def __init__(self, packed: bytes | None, *, now_ms: int, lease_ms: int) -> None:
        self._now_ms = now_ms
        self._lease_ms = lease_ms
        ends: dict[str, int] = json.loads(packed) if packed else {}
        latest_ms = now_ms + lease_ms
        # A clock that was set back must not hold a lease for longer than its time.
        self._ends = {id_: min(ends_at_ms, latest_ms) for id_, ends_at_ms in ends.items() if ends_at_ms > now_ms}
        self.is_mended = max(ends.values(), default=0) > latest_ms
        self._note()

    def wait_for_ms(self, cost: int, *, quota: int) -> int:
        """Return the milliseconds after which ``cost`` leases are free at the latest; 0 when they are now."""
        excess = self.used + cost - quota
        if excess <= 0:
            return 0
        ends = sorted(self._ends.values())
        return ends[min(excess, len(ends)) - 1] - self._now_ms if ends else self._lease_ms

    def admit(self, _cost: int, lease_id: str) -> bytes:
        """Hold a lease, and return the new row."""
        self._ends[lease_id] = self._now_ms + self._lease_ms
        self._note()
        return self.pack()

    def release(self, lease_id: str) -> bytes:
        """Give a lease back, and return the new row."""
        self._ends.pop(lease_id, None)
        self._note()
        return self.pack()

    def pack(self) -> bytes:
        """Return the row as it stands."""
        return json.dumps(self._ends, separators=(",", ":")).encode()

    def _note(self) -> None:
        self.used = len(self._ends)
        self.next_free_ms = min(self._ends.values()) - self._now_ms if self._ends else 0
        self.ends_at_ms = self._now_ms + self._lease_ms


def open_counter(limit: Limit, packed: bytes | None, *, now_ms: int) -> Counter:
    """Return the counter of a limit as it stands now."""
    if limit.kind is LimitKind.WINDOW:
        return Window(packed, now_ms=now_ms, window_ms=limit.window_s * 1000)
    if limit.kind is LimitKind.AT_ONCE:
        return Leases(packed, now_ms=now_ms, lease_ms=limit.window_s * 1000)
    return CalendarQuota(packed, now_ms=now_ms, kind=limit.kind)


def _period_end_ms(now_ms: int, kind: LimitKind) -> int:
    day = datetime.fromtimestamp(now_ms // 1000, tz=UTC).replace(hour=0, minute=0, second=0)
    if kind is LimitKind.CALENDAR_DAY:
        end = day + timedelta(days=1)
    else:
        # The 28th and four days are always in the next month.
        end = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return int(end.timestamp()) * 1000
