"""TLS to Redis: a server is believed by its certificate alone, and by the name that it was asked for."""

import contextlib
from datetime import UTC, datetime

import pytest
from tests.support.proxies import TlsProxy
from tests.support.queries import TEN, by_nobody
from tests.support.servers import running

from voxgate.cli.certificates import make_certificate
from voxgate.gate.decision import Charge
from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.stores.redis_urls import open_redis

pytestmark = pytest.mark.redis
QUERY = by_nobody(Charge(TEN, "ip:a"))


@pytest.fixture(scope="module")
def server():
    with running() as server:
        yield server


@pytest.fixture
def serve(server, tmp_path):
    """Serve TLS under some names; gives the address and the authority's certificate."""
    with contextlib.ExitStack() as stack:

        def begin(*names):
            made = make_certificate(tmp_path / "tls", names, now=datetime.now(UTC))
            proxy = TlsProxy(server, made.certificate)
            stack.callback(proxy.close)
            return proxy.url, made.authority

        yield begin


@pytest.fixture
def open_at():
    with contextlib.ExitStack() as stack:
        yield lambda url: stack.enter_context(contextlib.closing(open_redis(url, budget_s=10)))


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_decisions_are_made_over_tls(serve, open_at, scheme):
    """By either name of the scheme, with the authority that the address names."""
    url, authority = serve("127.0.0.1")
    store = open_at(f"{url.replace('rediss', scheme)}?ssl_ca_certs={authority}&prefix={scheme}:")
    assert [store.decide(QUERY).readings[0].used for _ in range(2)] == [1, 2]


def test_a_certificate_of_nobody_is_refused(serve, open_at):
    """Whoever stands in between decides nothing, not even that the store is well."""
    url, _ = serve("127.0.0.1")
    with pytest.raises(StoreUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        open_at(url).decide(QUERY)


def test_a_certificate_of_another_name_is_refused(serve, open_at):
    """A good certificate of another machine is none of this one."""
    url, authority = serve("redis.example")
    with pytest.raises(StoreUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        open_at(f"{url}?ssl_ca_certs={authority}").decide(QUERY)


def test_plain_words_to_a_server_of_tls_are_no_decision(serve, open_at):
    """A forgotten s in the address is trouble, and is told as such."""
    url, _ = serve("127.0.0.1")
    with pytest.raises(StoreUnavailableError):
        open_at(url.replace("rediss://", "redis://")).decide(QUERY)
