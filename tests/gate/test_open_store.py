"""One place opens every store, by what is written in the settings."""

import importlib.util
import stat

import pytest

from voxgate.gate.clock import SystemClock
from voxgate.gate.errors import ConfigurationError
from voxgate.gate.stores import SqliteStore, open_store


def test_path_opens_the_embedded_store(tmp_path):
    """The folder is made."""
    store = open_store(tmp_path / "new" / "gate.db")
    store.ping()
    store.close()
    assert isinstance(store, SqliteStore)
    assert (tmp_path / "new" / "gate.db").exists()


def test_embedded_store_is_its_owners_alone(tmp_path):
    """Its files hold who asked for what and from where, and an instance folder is often one that others can read."""
    store = open_store(tmp_path / "gate.db")
    store.ping()
    try:
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        store.close()
    assert modes == dict.fromkeys(("gate.db", "gate.db-shm", "gate.db-wal"), 0o600)


def test_folder_that_cannot_be_made_stops_the_start(tmp_path):
    """And is named, with the system's reason."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"VOXGATE_STORE: .*file cannot be made: "):
        open_store(tmp_path / "file" / "gate.db")


def test_address_of_another_kind_is_refused_by_name():
    """A store that there is not is not silently replaced by another."""
    with pytest.raises(ConfigurationError, match="memcached://"):
        open_store("memcached://127.0.0.1:11211")


@pytest.mark.parametrize("url", ["redis://h:6379/0", "rediss://u:p@h", "unix:///run/redis.sock?db=1", "valkey://h/2"])
def test_address_of_one_server_is_opened_without_a_call(url):
    """A service starts although its store is down; only its decisions wait."""
    open_store(url).close()


@pytest.mark.parametrize("tls", ["", "s"])
@pytest.mark.parametrize("rest", ["sentinel://u:p@a:1,b:2/main/0?sentinel_password=x", "cluster://:p@a:1,b?prefix=x:"])
def test_address_of_many_servers_is_opened_without_a_call(tls, rest):
    """Sentinel and cluster, with and without TLS."""
    open_store(f"redis{tls}+{rest}").close()


@pytest.mark.parametrize(
    "url",
    ["redis://h?colour=red", "redis://h:port", "redis+sentinel://a:1", "redis+cluster://a:x", "unix:///s?db=one"],
)
def test_address_that_cannot_be_used_stops_the_start(url):
    """And names the setting."""
    with pytest.raises(ConfigurationError, match="VOXGATE_REDIS_URL"):
        open_store(url)


def test_password_that_cannot_be_read_is_not_told():
    """An unescaped slash makes half of it look like a port."""
    with pytest.raises(ConfigurationError) as caught:
        open_store("redis://:hunter2/x@host:6379")
    assert "hunter2" not in str(caught.value)


def test_clock_of_the_machine_never_decides_on_a_server():
    """The clocks of machines differ; the server's is one for all."""
    store = open_store("redis://h", clock=SystemClock())
    assert store._clock is None
    store.close()


def test_missing_client_names_the_command_that_installs_it(monkeypatch):
    """The extra is not installed by default."""
    monkeypatch.setattr(importlib.util, "find_spec", {"redis": None}.get)
    with pytest.raises(ConfigurationError, match=r"pip install 'voxgate\[redis\]'"):
        open_store("redis://h")
