"""A clock that is given instead of waited for."""


class FakeClock:
    """A clock that stands still until it is moved.

    Args:
        now_ms: Milliseconds since the epoch at which it starts.
    """

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Return the milliseconds since the epoch that were set."""
        return self._now_ms

    def advance(self, seconds: float) -> None:
        """Move the clock; a negative number sets it back."""
        self._now_ms += round(seconds * 1000)
