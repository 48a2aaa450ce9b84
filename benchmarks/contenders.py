"""The stores that are compared: ours, and the moving window of the `limits` library on Redis."""

import importlib.util
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from benchmarks.redis_server import RedisServer
from voxgate.gate.clock import SystemClock
from voxgate.gate.decision import AccountState, Charge, Decision, Query, SessionState
from voxgate.gate.errors import VoxgateError
from voxgate.gate.limits import Limit
from voxgate.gate.principal import CredentialKind
from voxgate.gate.stores import Store, open_store
from voxgate.gate.stores.redis_urls import open_redis

# Long enough that nothing leaves its window while a figure is taken.
WINDOW_S = 3600
_SESSION_S = 86_400
_BUDGET_S = 30.0

Ask = Callable[[str], bool]
"""Takes a name and says whether it may pass."""


class Contender(Protocol):
    """A store that is measured."""

    name: str

    def add_accounts(self, subjects: Sequence[str]) -> None:
        """Make accounts, each with a session."""
        ...

    def prepare(self, quotas: Sequence[int], *, is_spend: bool) -> Ask:
        """Return what decides under limits of these quotas; for limits alone, or with session and account."""
        ...

    def stored_bytes(self) -> int:
        """Return the bytes of everything that is stored."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...


def open_contenders(folder: Path, redis: RedisServer | None, *, only: str | None = None) -> Iterator[Contender]:
    """Give every store that can run here, or the one that is named."""
    if only in (None, "sqlite"):
        yield SqliteContender(folder / "gate.db")
    if redis and only in (None, "redis"):
        try:
            yield RedisContender(redis)
        except VoxgateError as error:
            print(f"left out: redis: {error}")
    if redis and only in (None, "limits") and importlib.util.find_spec("limits"):
        yield LimitsContender(redis)


class _GateContender:
    """A store of the gate."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add_accounts(self, subjects: Sequence[str]) -> None:
        """Make accounts, each with a session."""
        expires_at_ms = SystemClock().now_ms() + _SESSION_S * 1000
        for subject in subjects:
            self._store.put_state(AccountState(subject))
            self._store.put_state(SessionState(f"session-{subject}", subject, expires_at_ms))

    def prepare(self, quotas: Sequence[int], *, is_spend: bool) -> Ask:
        """Return what decides; each limit has a window of its own."""
        limits = [Limit("bench", quota, WINDOW_S + number) for number, quota in enumerate(quotas)]
        decide = self._store.decide
        charges = {"": tuple(Charge(limit) for limit in limits)}

        def spend(name: str) -> bool:
            answer = decide(Query(charges={"": tuple(Charge(limit, f"ip:{name}") for limit in limits)}))
            return isinstance(answer, Decision) and answer.is_allowed

        def admit(name: str) -> bool:
            query = Query(charges, kind=CredentialKind.ACCESS, credential_id=f"session-{name}", subject=name)
            answer = decide(query)
            return isinstance(answer, Decision) and answer.is_allowed

        return spend if is_spend else admit


class SqliteContender(_GateContender):
    """The embedded store."""

    name = "voxgate, SQLite"

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(open_store(path))

    def stored_bytes(self) -> int:
        """Return the bytes of the pages in use."""
        with closing(sqlite3.connect(self._path)) as connection:
            pages, free, size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * size)

    def clear(self) -> None:
        """Forget everything, by beginning with a new file."""
        self._store.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self._store = open_store(self._path)


class RedisContender(_GateContender):
    """The store on Redis.

    Raises:
        ConfigurationError: This version has no such store.
    """

    name = "voxgate, Redis"

    def __init__(self, redis: RedisServer) -> None:
        self._redis = redis
        # Filling takes minutes; a pause of the machine in them is not what is measured.
        super().__init__(open_redis(redis.url(0), budget_s=_BUDGET_S))

    def stored_bytes(self) -> int:
        """Return the memory that the server uses."""
        return self._redis.used_bytes()

    def clear(self) -> None:
        """Forget everything."""
        self._redis.clear()


class LimitsContender:
    """The moving window of the `limits` library; knows neither sessions nor accounts."""

    name = "limits, moving window, Redis"

    def __init__(self, redis: RedisServer) -> None:
        from limits.storage import RedisStorage  # noqa: PLC0415 -- among the requirements of the benchmarks only
        from limits.strategies import MovingWindowRateLimiter  # noqa: PLC0415 -- as above

        self._redis = redis
        self._limiter: Any = MovingWindowRateLimiter(RedisStorage(redis.url(1)))

    def add_accounts(self, subjects: Sequence[str]) -> None:
        """Keep nothing."""

    def prepare(self, quotas: Sequence[int], *, is_spend: bool) -> Ask:  # noqa: ARG002 -- it knows limits alone
        """Return what hits each limit in turn, one trip each."""
        from limits import RateLimitItemPerSecond  # noqa: PLC0415 -- as above

        items = [RateLimitItemPerSecond(quota, WINDOW_S + number) for number, quota in enumerate(quotas)]
        hit = self._limiter.hit

        def spend(name: str) -> bool:
            passed = [hit(item, name) for item in items]
            return all(passed)

        return spend

    def stored_bytes(self) -> int:
        """Return the memory that the server uses."""
        return self._redis.used_bytes()

    def clear(self) -> None:
        """Forget everything."""
        self._redis.clear()
