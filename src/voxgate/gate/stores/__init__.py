"""Stores of the gate, and the one way to open them."""

from pathlib import Path

from voxgate.gate.clock import Clock
from voxgate.gate.errors import ConfigurationError
from voxgate.gate.stores.base import Directory, Store
from voxgate.gate.stores.sqlite import SqliteStore

__all__ = ["Directory", "SqliteStore", "Store", "open_store"]


def open_store(location: str | Path, *, clock: Clock | None = None) -> Store:
    """Open the store at a location: the path of a SQLite file; its folder is made when missing.

    Raises:
        ConfigurationError: The location is a URL of a kind that this version does not have.
    """
    if "://" in str(location):
        scheme = str(location).partition("://")[0]
        raise ConfigurationError("VOXGATE_REDIS_URL", f"{scheme}:// stores are not in this version; leave it empty")
    path = Path(location)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return SqliteStore(path, clock=clock)
