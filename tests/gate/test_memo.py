"""The memo remembers what cannot have changed, for a short time, in bounded memory, and never admits."""

import pytest

from voxgate.gate.errors import Refusal
from voxgate.gate.memo import CAPACITY, MAX_AGE_FOR_GOOD_MS, MAX_AGE_MS, Memo

LIMITED = Refusal("RATE_LIMITED", retry_after_s=60, wait_ms=60_000)


@pytest.fixture
def version():
    return [0]


@pytest.fixture
def memo(clock, version):
    return Memo(clock=clock, version=lambda: version[0])


def test_refusal_is_recalled_for_two_seconds_at_most(memo, clock):
    """And not a millisecond longer."""
    kept = memo.remember("a", LIMITED, "no")
    clock.advance((MAX_AGE_MS - 1) / 1000)
    assert memo.recall("a") == (kept, MAX_AGE_MS - 1)
    assert kept.value == "no"
    clock.advance(0.001)
    assert memo.recall("a") is None


def test_refusal_is_not_recalled_beyond_its_own_wait(memo, clock):
    """What fits again in 200 ms is asked again in 200 ms."""
    memo.remember("a", Refusal("RATE_LIMITED", retry_after_s=1, wait_ms=200), "no")
    clock.advance(0.199)
    assert memo.recall("a") is not None
    clock.advance(0.001)
    assert memo.recall("a") is None


@pytest.mark.parametrize("code", ["TOKEN_REVOKED", "TOKEN_EXPIRED", "INVALID_TOKEN", "API_KEY_INVALID"])
def test_what_never_changes_is_remembered_longer(memo, clock, code):
    """Ended sessions and bad tokens; not for ever, because a clock may have been wrong."""
    memo.remember("a", Refusal(code), "no")
    clock.advance((MAX_AGE_FOR_GOOD_MS - 1) / 1000)
    assert memo.recall("a") is not None
    clock.advance(0.001)
    assert memo.recall("a") is None


@pytest.mark.parametrize("code", ["ACCOUNT_DISABLED", "PREMIUM_REQUIRED", "INSUFFICIENT_SCOPE", "STORE_UNAVAILABLE"])
def test_what_an_operator_may_change_is_asked_each_time(memo, code):
    """Enabling an account holds from the next request."""
    assert memo.remember("a", Refusal(code), "no") is None
    assert memo.recall("a") is None


def test_change_drops_everything_at_once(memo, version):
    """A tier or a reset may have lifted any refusal."""
    memo.remember("a", LIMITED, "no")
    version[0] += 1
    assert memo.recall("a") is None


def test_clock_that_is_set_back_drops_what_lies_in_the_future(memo, clock):
    """Nothing is refused for longer than its time."""
    memo.remember("a", LIMITED, "no")
    clock.advance(-3600)
    assert memo.recall("a") is None


def test_memory_is_bounded(memo):
    """A million distinct credentials leave no more than the capacity, the newest."""
    for number in range(CAPACITY + 500):
        memo.remember(number, LIMITED, "no")
    assert len(memo) == CAPACITY
    assert memo.recall(0) is None
    assert memo.recall(CAPACITY + 499) is not None


def test_everything_can_be_forgotten(memo):
    """With new keys nothing holds that was said of tokens."""
    memo.remember("a", LIMITED, "no")
    memo.forget()
    assert memo.recall("a") is None
    assert len(memo) == 0


def test_age_is_told_in_milliseconds(memo, clock):
    """So that a wait that is sent again is the wait that is left."""
    kept = memo.remember("a", LIMITED, "no")
    clock.advance(0.9)
    assert memo.recall("a") == (kept, 900)
