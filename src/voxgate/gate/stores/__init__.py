"""Stores of the gate, and the one way to open them."""

import importlib.util
from pathlib import Path

from voxgate.gate.clock import Clock, SystemClock
from voxgate.gate.errors import ConfigurationError
from voxgate.gate.stores.base import Directory, Store
from voxgate.gate.stores.sqlite import SqliteStore

__all__ = ["Directory", "SqliteStore", "Store", "open_store"]

_SERVERS = ("redis", "rediss", "unix", "valkey", "valkeys")
_REDIS = frozenset(_SERVERS + tuple(f"redis{tls}+{kind}" for tls in ("", "s") for kind in ("sentinel", "cluster")))


def open_store(location: str | Path, *, clock: Clock | None = None) -> Store:
    """Open the store at a location: the path of a SQLite file, whose folder is made when missing, or a Redis address.

    Args:
        location: A path, or an address as ``open_redis`` takes it.
        clock: Source of time of the embedded store. Redis decides on its server's clock, because the clocks of
            machines differ; only a clock that is not the machine's own, as in tests, replaces it.

    Raises:
        ConfigurationError: The location is a URL of a kind that there is not, Redis' client is not installed, or the
            file's folder cannot be made.
    """
    scheme, is_url, _ = str(location).partition("://")
    if is_url:
        return _open_server(str(location), scheme, None if isinstance(clock, SystemClock) else clock)
    path = Path(location)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError("VOXGATE_STORE", f"{path.parent} cannot be made: {error.strerror}") from error
    return SqliteStore(path, clock=clock)


def _open_server(url: str, scheme: str, clock: Clock | None) -> Store:
    if scheme not in _REDIS:
        raise ConfigurationError("VOXGATE_REDIS_URL", f"there is no store {scheme}://; write redis://host:6379/0")
    if importlib.util.find_spec("redis") is None:
        raise ConfigurationError("VOXGATE_REDIS_URL", "Redis' client is not installed: pip install 'voxgate[redis]'")
    from voxgate.gate.stores.redis_urls import open_redis  # noqa: PLC0415 -- an extra that may be missing

    return open_redis(url, clock=clock)
