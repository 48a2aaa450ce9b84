"""The second document's rate limiter, called as it is there, on every store."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.servers import EVERY_STORE

from voxgate.gate.classic.limits import AdvancedRateLimiter
from voxgate.gate.errors import StoreUnavailableError

pytestmark = EVERY_STORE
GENERATE = "/api/v1/tts/generate"


@pytest.fixture
def limiter(store):
    return AdvancedRateLimiter(store)


def test_limit_admits_so_many_and_says_how_long_to_wait(limiter, clock):
    """Within one second too, and after the wait again."""
    assert [limiter.check_limit("u1", GENERATE, 10) for _ in range(10)] == [(True, 0)] * 10
    clock.advance(10.5)
    assert limiter.check_limit("u1", GENERATE, 10) == (False, 50)
    clock.advance(49.499)
    assert limiter.check_limit("u1", GENERATE, 10) == (False, 1)
    clock.advance(0.001)
    assert limiter.check_limit("u1", GENERATE, 10) == (True, 0)


def test_limit_is_exact_for_many_threads(limiter):
    """Thirty-two at once under a limit of ten, and a hundred within one second under a limit of a hundred."""
    with ThreadPoolExecutor(32) as pool:
        for limit, calls in ((10, 32), (100, 200)):
            answers = list(pool.map(lambda _, n=limit: limiter.check_limit("u1", f"/{n}", n), range(calls)))
            assert sum(is_allowed for is_allowed, _ in answers) == limit


def test_users_and_endpoints_do_not_share(limiter):
    """Whatever they are called."""
    for user, endpoint in [("a", "b:c"), ("a:b", "c"), ("a", "b"), ("b", "b"), ("", "a:b"), ("é", "\ud800")]:
        assert limiter.check_limit(user, endpoint, 1) == (True, 0)
        assert limiter.check_limit(user, endpoint, 1, window_seconds=60) == (False, 60)


def test_window_and_limit_are_those_of_the_call(limiter, clock):
    """A limit of none admits nothing, and a call that can never be made waits for a window."""
    assert limiter.check_limit("u1", "/x", 1, 5) == (True, 0)
    clock.advance(1)
    assert limiter.check_limit("u1", "/x", 1, 5) == (False, 4)
    assert limiter.check_limit("u1", "/x", 2, 5) == (True, 0)
    assert limiter.check_limit("u1", "/y", 0) == (False, 60)


@pytest.mark.parametrize(("limit", "window"), [(-1, 60), (10**10, 60), (1, 0), (1, -5)])
def test_what_is_no_limit_is_refused(limiter, limit, window):
    """With an exception, because a caller's code is wrong."""
    with pytest.raises(ValueError, match="limit"):
        limiter.check_limit("u1", "/x", limit, window)


def test_limits_of_a_user_are_read_without_spending(limiter, clock):
    """The second document's shape, with the time until more is free, and nothing of what is over."""
    for _ in range(3):
        limiter.check_limit("u1", GENERATE, 10)
    clock.advance(20.5)
    for _ in range(5):
        assert limiter.get_user_limits("u1") == {
            GENERATE: {"current_count": 3, "limit": 10, "remaining": 7, "reset_after": 40, "window": 60},
            "/api/v1/tts/status": {
                "current_count": 0,
                "limit": 100,
                "remaining": 100,
                "reset_after": 0,
                "window": 60,
            },
        }
    clock.advance(40)
    assert limiter.get_user_limits("u1")[GENERATE]["current_count"] == 0


def test_endpoints_are_those_that_are_given(store):
    """With their own limits."""
    limiter = AdvancedRateLimiter(store, endpoint_limits={"/x": 2})
    limiter.check_limit("u1", "/x", 2)
    assert {name: each["remaining"] for name, each in limiter.get_user_limits("u1").items()} == {"/x": 1}


def test_store_that_does_not_answer_is_an_error(limiter, store, monkeypatch):
    """Never a call that is let through."""

    def gone(_):
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(store, "decide", gone)
    with pytest.raises(StoreUnavailableError):
        limiter.check_limit("u1", "/x", 1)
