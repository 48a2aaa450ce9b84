"""A master that fails over under Sentinel: nothing that ended lives again, and nobody is logged out."""

import time
from contextlib import closing, suppress

import pytest
import redis
from tests.support.queries import TEN, by_nobody, by_session, code
from tests.support.servers import running_sentinel
from tests.support.waiting import eventually

from voxgate.gate.decision import AccountState, Charge, SessionState, Unknown
from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.stores.redis_urls import open_redis

pytestmark = pytest.mark.redis
SESSIONS = [f"s{number}" for number in range(40)]
PATIENT_S = 20  # a busy machine keeps it; who is gone is found out at once


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
    with closing(open_redis(watched.url, budget_s=PATIENT_S)) as store:
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
        eventually(watched.has_failed_over, "the replica as the new master")
        eventually(lambda: decides(store), "answers of the new master")
        codes = [code(store.decide(by_session(session=session))) for session in SESSIONS]
        assert codes == ["TOKEN_REVOKED", None] * 20
        assert store.decide(by_nobody(Charge(TEN, "ip:a"))).readings[0].used == 5


def test_what_ends_is_with_the_replica_before_it_is_answered(watched):
    """A master that dies the next moment is not followed by one that takes the ended for alive."""
    with closing(open_redis(watched.url, budget_s=5)) as store:
        store.put_state(AccountState("u1"))
        store.put_state(SessionState("s1", "u1", time.time_ns() // 1_000_000 + 3_600_000))
        for end in (
            lambda: store.end_session("s1", expires_at_ms=0),
            lambda: store.end_key("k1"),
            lambda: store.put_state(AccountState("u1", is_active=False, version=2)),
        ):
            before = waits(watched.master)
            end()
            assert waits(watched.master) == before + 1
        # A replica that is away is waited for no longer than the budget allows, and the end holds.
        watched.replica.kill()
        store.end_session("s1", expires_at_ms=0)
        assert code(store.decide(by_session())) == "TOKEN_REVOKED"


def waits(server):
    """Return how often a server was asked to wait for its replica."""
    stats = server.call("INFO", "commandstats")
    return stats.get("cmdstat_wait", {"calls": 0})["calls"]


@pytest.mark.timeout(300)  # Sentinel that was kept waiting by a busy machine does nothing for half a minute (TILT)
def test_old_master_that_comes_back_decides_nothing(watched):
    """Empty as it is: whoever still asks it learns nothing, and soon it follows the new one."""
    with (
        closing(open_redis(watched.url, budget_s=PATIENT_S)) as store,
        closing(open_redis(watched.url, budget_s=PATIENT_S)) as late,
    ):
        store.put_state(AccountState("u1"))
        for session in SESSIONS:
            store.put_state(SessionState(session, "u1", time.time_ns() // 1_000_000 + 3_600_000))
        store.end_session(SESSIONS[0], expires_at_ms=0)
        ended = by_session(session=SESSIONS[0])
        revoked = store.decide(ended)
        assert code(revoked) == "TOKEN_REVOKED"
        assert watched.master.call("WAIT", 1, 20_000) == 1
        watched.master.kill()
        # Started again before that, it would stay the master.
        eventually(watched.has_failed_over, "the replica as the new master")
        eventually(lambda: decides(store), "answers of the new master")
        watched.master.start()

        def is_replica():
            for asked in (store, late):
                with suppress(StoreUnavailableError):  # while Sentinel is not sure, there is no answer
                    # Before Sentinel has told it, it may be asked: it knows nothing, and the directory is asked.
                    assert asked.decide(ended) in (Unknown("session", SESSIONS[0]), revoked)
                    asked._link.drop()  # the next one asks Sentinel again who the master is
            with suppress(redis.ConnectionError):  # Sentinel cuts its clients when it tells it whom to follow
                told = watched.master.call("INFO", "replication")
                return told["role"] == "slave" and told["master_link_status"] == "up"
            return False

        eventually(is_replica, "the old master as a replica of the new one", deadline_s=240)
        assert watched.replica.call("INFO", "replication")["role"] == "master"
        eventually(lambda: decides(late) and decides(store), "answers of the new master")
        assert late.decide(ended) == revoked
        assert code(late.decide(by_session(session=SESSIONS[1]))) is None


def test_sentinel_that_is_away_is_an_error(watched):
    """A store that cannot learn who is the master decides nothing, and what it knows it goes on using."""
    with (
        closing(open_redis(watched.url, budget_s=PATIENT_S)) as store,
        closing(open_redis(watched.url, budget_s=PATIENT_S)) as late,
    ):
        eventually(lambda: decides(store), "a first answer")
        watched.sentinel.kill()
        with pytest.raises(StoreUnavailableError):
            late.ping()
        store.ping()
        watched.sentinel.start()
        eventually(lambda: decides(late), "an answer after Sentinel is back")
