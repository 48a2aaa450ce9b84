"""The second document's ``AdvancedRateLimiter``: its calls and its answers, over the gate's exact windows."""

from collections.abc import Mapping
from types import MappingProxyType

from voxgate.gate.decision import Charge, Query
from voxgate.gate.limits import MAX_QUOTA, Limit
from voxgate.gate.stores.base import Store

ENDPOINT_LIMITS: Mapping[str, int] = MappingProxyType({"/api/v1/tts/generate": 10, "/api/v1/tts/status": 100})
"""Requests per minute of the endpoints that the second document names."""

_WINDOW_S = 60
_NAME = "check-limit"


class AdvancedRateLimiter:
    """Limits calls by user and endpoint, outside of any route.

    Args:
        store: As ``voxgate.gate.stores.open_store`` gives it; its file or its Redis is shared by every process.
        endpoint_limits: Which endpoints ``get_user_limits`` tells of, and their limits per minute.
    """

    def __init__(self, store: Store, *, endpoint_limits: Mapping[str, int] = ENDPOINT_LIMITS) -> None:
        self._store = store
        self._endpoint_limits = dict(endpoint_limits)

    def check_limit(self, user_id: str, endpoint: str, limit: int, window_seconds: int = 60) -> tuple[bool, int]:  # noqa: PLR0917 -- the second document's own signature
        """Admit a call, or say how long to wait; one store call, which spends nothing when it refuses.

        Exact: no window of the length ever holds more calls than the limit, on any number of processes.

        Args:
            user_id: Who calls.
            endpoint: What is called; each has a counter of its own for each user.
            limit: Calls that fit into a window; 0 admits none.
            window_seconds: Length of the window.

        Returns:
            Whether the call may be made, and the whole seconds after which it may be made: 0 when it may be now, at
            least 1 otherwise.

        Raises:
            ValueError: The limit or the window is out of bounds.
            StoreUnavailableError: The store does not answer.
        """
        if not 0 <= limit <= MAX_QUOTA or window_seconds < 1:
            raise ValueError(f"a limit must be 0 to {MAX_QUOTA}, a window at least 1 second")
        charge = Charge(Limit(_NAME, limit, window_seconds), _partition(user_id, endpoint))
        answer = self._store.decide(Query(charges={"": (charge,)}))
        refusal = getattr(answer, "refusal", None)
        return (True, 0) if refusal is None else (False, refusal.retry_after_s)

    def get_user_limits(self, user_id: str) -> dict[str, dict[str, int]]:
        """Return how a user stands at each endpoint; one store call that spends nothing.

        Returns:
            For each endpoint ``current_count``, ``limit`` and ``remaining`` in calls, ``window`` in seconds, and
            ``reset_after`` in whole seconds until more is free, 0 when nothing is spent.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        charges = [
            Charge(Limit(_NAME, limit, _WINDOW_S), _partition(user_id, endpoint))
            for endpoint, limit in self._endpoint_limits.items()
        ]
        readings = self._store.usage(charges)
        return {
            endpoint: {
                "current_count": reading.used,
                "limit": reading.limit.quota,
                "remaining": reading.remaining,
                "reset_after": -(-reading.next_free_ms // 1000),
                "window": _WINDOW_S,
            }
            for endpoint, reading in zip(self._endpoint_limits, readings, strict=True)
        }


def _partition(user_id: str, endpoint: str) -> str:
    # The length keeps the users 'a:b' and 'a' apart, whatever the endpoints are called.
    return f"call:{len(user_id)}:{user_id}:{endpoint}"
