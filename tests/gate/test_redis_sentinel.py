"""A master that fails over under Sentinel: nothing that ended lives again, and nobody is logged out."""

import time
from contextlib import closing

import pytest
from tests.support.queries import TEN, by_nobody, by_session, code
from tests.support.servers import running_sentinel
from tests.support.waiting import eventually

from voxgate.gate.decision import AccountState, Charge, SessionState
from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.stores.redis_urls import open_redis

pytestmark = pytest.mark.redis
SESSIONS = [f"s{number}" for number in range(40)]


@pytest.fixture
def watched():
    with running_sentinel() as watched:
        yield watched


def decides(store):
    """Say whether the store decides, and spend nothing."""
    try:
        store.ping()
    except StoreUnavailableError:
        return False
    return True


def test_failover_revives_nothing_and_logs_nobody_out(watched):
    """Without a restart; the limits go on, but for what the old master had not passed on."""
    with closing(open_redis(watched.url, budget_s=5)) as store:
        store.put_state(AccountState("u1"))
        for session in SESSIONS:
            store.put_state(SessionState(session, "u1", time.time_ns() // 1_000_000 + 3_600_000))
        for session in SESSIONS[::2]:
            store.end_session(session, expires_at_ms=0)
        for _ in range(4):
            store.decide(by_nobody(Charge(TEN, "ip:a")))
        assert watched.master.call("WAIT", 1, 20_000) == 1
        watched.master.kill()
        with pytest.raises(StoreUnavailableError):
            store.decide(by_session())
        eventually(lambda: decides(store), "the replica as the new master")
        codes = [code(store.decide(by_session(session=session))) for session in SESSIONS]
        assert codes == ["TOKEN_REVOKED", None] * 20
        assert store.decide(by_nobody(Charge(TEN, "ip:a"))).readings[0].used == 5


def test_sentinel_that_is_away_is_an_error(watched):
    """A store that cannot learn who is the master decides nothing, and what it knows it goes on using."""
    with closing(open_redis(watched.url, budget_s=2)) as store, closing(open_redis(watched.url, budget_s=2)) as late:
        eventually(lambda: decides(store), "a first answer")
        watched.sentinel.kill()
        with pytest.raises(StoreUnavailableError):
            late.ping()
        store.ping()
        watched.sentinel.start()
        eventually(lambda: decides(late), "an answer after Sentinel is back")
