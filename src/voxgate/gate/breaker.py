"""The breaker: a store that has failed is not waited for by every request, only asked again by a few."""

import threading

from voxgate.gate.clock import Clock

PROBE_EVERY_MS = 500
OPENS_AFTER = 2


class Breaker:
    """Counts failures in a row; when it is open, one request in half a second tries the store.

    Args:
        clock: Source of time; a clock that is set back brings the next probe forward.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failed_at_ms = 0
        self.failures = 0
        """Failures since the last success; 0 while all is well."""

    def refuses(self) -> bool:
        """Tell whether the store is not to be asked now; the one that gets False is the probe."""
        if self.failures < OPENS_AFTER:
            return False
        with self._lock:
            now_ms = self._clock.now_ms()
            if 0 <= now_ms - self._failed_at_ms < PROBE_EVERY_MS:
                return True
            self._failed_at_ms = now_ms
            return False

    def fail(self) -> bool:
        """Note a failure; True for the first in a row, which is the one to tell of."""
        with self._lock:
            self.failures += 1
            self._failed_at_ms = self._clock.now_ms()
            return self.failures == 1

    def recover(self) -> bool:
        """Note a success; True when it ended a row of failures."""
        with self._lock:
            had_failed = self.failures > 0
            self.failures = 0
            return had_failed
