"""What the doctor is told of the servers."""

from contextlib import closing
from types import SimpleNamespace

import pytest
from tests.support.proxies import proxied
from tests.support.servers import running

from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.stores.redis_health import MAX_LATENCY_MS, examine
from voxgate.gate.stores.redis_urls import open_redis

GOOD = "redis_version:7.2.4\r\nmaxmemory_policy:noeviction\r\n"
NOW_MS = 1_800_000_000_000


class Imitated:
    """Answers as a server would."""

    def __init__(self, info=GOOD, seconds=NOW_MS // 1000):
        self.answers = {"INFO": info.encode(), "TIME": [str(seconds).encode(), b"0"]}

    def call_each(self, command):
        return [self.answers[command]]


def faults(link):
    return [(each.text, each.mend) for each in examine(link, now_ms=NOW_MS) if not each.is_good]


def test_good_server_has_no_fault():
    """And what is good is said as well."""
    assert faults(Imitated()) == []
    assert next(each.text for each in examine(Imitated(), now_ms=NOW_MS)) == "Redis 7.2.4 answers"


def test_server_that_evicts_is_told_with_the_command():
    """Under any policy but noeviction limits are forgotten."""
    ((text, mend),) = faults(Imitated(GOOD.replace("noeviction", "allkeys-lru")))
    assert "allkeys-lru" in text
    assert mend.endswith("CONFIG SET maxmemory-policy noeviction")


def test_old_server_is_told():
    """The scripts need version 7."""
    ((text, _),) = faults(Imitated(GOOD.replace("7.2.4", "6.0.16")))
    assert text == "Redis 6.0.16 is too old"


@pytest.mark.parametrize(("off_s", "word"), [(6, "ahead of"), (-3600, "behind")])
def test_clock_that_differs_is_told(off_s, word):
    """Limits go by the server's clock, tokens by this machine's."""
    ((text, _),) = faults(Imitated(seconds=NOW_MS // 1000 + off_s))
    assert text == f"its clock is {abs(off_s)} s {word} this machine's"
    assert faults(Imitated(seconds=NOW_MS // 1000 + 4)) == []


def test_slow_server_is_told(monkeypatch):
    """Every request waits for it once."""
    moments = iter([0, (MAX_LATENCY_MS + 1) / 1000])
    monkeypatch.setattr("voxgate.gate.stores.redis_health.time", SimpleNamespace(monotonic=lambda: next(moments)))
    ((text, _),) = faults(Imitated())
    assert text == f"an answer takes {MAX_LATENCY_MS + 1:.1f} ms"


@pytest.mark.redis
@pytest.mark.parametrize(("kind", "count"), [("valkey", 4), ("cluster", 10)])
def test_real_servers_are_looked_at(server_of, kind, count):
    """Each primary of a cluster."""
    with closing(open_redis(server_of(kind).url, budget_s=20)) as store:
        findings = store.check_health()
    assert len(findings) == count
    assert all(each.is_good for each in findings if not each.text.startswith("an answer takes"))
    assert findings[0].text.startswith("Valkey 9.")


@pytest.mark.redis
def test_server_that_answers_something_else_is_an_error():
    """What stands at the address is no Redis."""
    with running() as server, proxied(server) as proxy, closing(open_redis(proxy.url, budget_s=20)) as store:
        proxy.change = lambda _: b"+hello\r\n"
        with pytest.raises(StoreUnavailableError):
            store.check_health()
