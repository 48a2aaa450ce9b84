"""From an address to a store in Redis: a single server, the master that Sentinel names, or a cluster."""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.connection import AbstractConnection, Connection, parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from voxgate.gate.clock import Clock
from voxgate.gate.errors import ConfigurationError
from voxgate.gate.stores.redis import DEFAULT_PREFIX, RedisStore
from voxgate.gate.stores.redis_cluster import ClusterLink
from voxgate.gate.stores.redis_links import KeptLink, Link
from voxgate.gate.stores.redis_parts import ClusterStore

SETTING = "VOXGATE_REDIS_URL"
BUDGET_S = 0.1
_FORM = "redis://user:password@host:6379/0, with % forms for signs like / and @ in the password"
_PORT = 6379
_SENTINEL_PORT = 26379


def open_redis(url: str, *, clock: Clock | None = None, budget_s: float = BUDGET_S) -> RedisStore:
    """Open the store at an address; connects at the first use.

    ``redis://``, ``rediss://`` (TLS) and ``unix://`` name one server; ``valkey://`` and ``valkeys://`` mean the same.
    ``redis+sentinel://host:port,host:port/service/db`` asks Sentinel for the master, ``redis+cluster://host:port,…``
    learns the rest of a cluster from the nodes named; ``rediss+`` is both with TLS. ``?prefix=`` is what the names of
    all keys begin with; every other option of the query is redis-py's.

    Args:
        url: The address.
        clock: Replaces the server's clock; for tests only.
        budget_s: Longest wait for one answer, in seconds; also to connect.

    Raises:
        ConfigurationError: The address cannot be used.
    """
    address, _, query = (url.replace("valkey", "redis", 1) if url.startswith("valkey") else url).partition("?")
    options = dict(parse_qsl(query))
    prefix = options.pop("prefix", DEFAULT_PREFIX)
    settings = {"socket_timeout": budget_s, "socket_connect_timeout": budget_s, "driver_info": None, "protocol": 2}
    try:
        link = _open_link(f"{address}?{urlencode(options)}", settings)
    except TypeError as error:  # It names the option that redis-py does not know.
        raise ConfigurationError(SETTING, f"cannot be used: {error}") from error
    except ValueError:
        # What could not be read may be a part of the password, so nothing of it is told.
        raise ConfigurationError(SETTING, f"cannot be read; write {_FORM}") from None
    store = ClusterStore if link.is_cluster else RedisStore
    return store(link, prefix=prefix, clock=clock)


def _open_link(url: str, settings: dict[str, Any]) -> Link:
    parts = urlsplit(url)
    match parts.scheme:
        case "redis+sentinel" | "rediss+sentinel":
            # Less than the budget, so that the answer comes before the connection is given up.
            confirm_ms = max(1, int(settings["socket_timeout"] * 500))
            return KeptLink(_sentinel_connections(parts, settings), confirm_ms=confirm_ms)
        case "redis+cluster" | "rediss+cluster":
            nodes = [ClusterNode(host, port) for host, port in _hosts(parts, _PORT)]
            return ClusterLink(nodes, {**settings, **_options(parts), "ssl": parts.scheme.startswith("rediss")})
    settings |= parse_url(url)
    connect = partial(settings.pop("connection_class", Connection), retry=_no_retry(), **settings)
    connect()  # Not opened: it only shows whether redis-py knows the options.
    return KeptLink(connect)


def _sentinel_connections(parts: SplitResult, settings: dict[str, Any]) -> Callable[[], AbstractConnection]:
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError(parts.scheme)
    options = _options(parts)
    known = {"retry": _no_retry(), "password": options.pop("sentinel_password", None), **settings}
    sentinel = Sentinel(_hosts(parts, _SENTINEL_PORT), sentinel_kwargs=known)
    is_tls = parts.scheme.startswith("rediss")
    more = {**settings, **options, "db": int(database or 0), "ssl": is_tls, "retry": _no_retry()}
    pool = SentinelConnectionPool(service, sentinel, check_connection=False, **more)
    return partial(pool.connection_class, **pool.connection_kwargs)


def _hosts(parts: SplitResult, default_port: int) -> list[tuple[str, int]]:
    hosts = []
    for text in parts.netloc.rpartition("@")[2].split(","):
        one = urlsplit(f"//{text}")
        hosts.append((one.hostname or "localhost", one.port or default_port))
    return hosts


def _options(parts: SplitResult) -> dict[str, Any]:
    """Return name, password and options, read by redis-py as those of a single server."""
    login, at, _ = parts.netloc.rpartition("@")
    options: dict[str, Any] = parse_url(f"redis://{login}{at}localhost?{parts.query}")
    del options["host"]
    return options


def _no_retry() -> Retry:
    return Retry(NoBackoff(), 0)
