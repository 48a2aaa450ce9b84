"""What exhaust and the clock promise to the tests that use them."""

import pytest
from flask import Flask

from voxgate.gate import Gate
from voxgate.testing import FakeClock, bearer, exhaust

pytest_plugins = ["voxgate.testing"]


@pytest.fixture
def client(gate_clock):
    app = Flask("limits")
    gate = Gate(app)
    app.post("/order")(gate.open(limits="4 per minute")(lambda: ({}, 201)))
    app.get("/alive", endpoint="alive")(gate.exempt(lambda: "alive"))
    return app.test_client()


def test_exhaust_tells_how_many_passed_and_keeps_the_refusal(client):
    """The count is the limit, and the refusal can be looked at."""
    spent = exhaust(client, "/order", method="POST", json={})
    assert spent.passed == 4
    assert spent.refused.get_json()["code"] == "RATE_LIMITED"
    assert spent.retry_after_s == spent.refused.get_json()["retry_after"] == 60


def test_exhaust_fails_on_a_route_without_a_limit(client):
    """A forgotten limit is a failed test and not an endless one."""
    with pytest.raises(AssertionError, match="GET /alive was answered 7 times"):
        exhaust(client, "/alive", at_most=7)


def test_clock_stands_still_until_it_is_moved():
    """Forwards and backwards, in seconds."""
    clock = FakeClock(10_000)
    assert clock.now_ms() == clock.now_ms() == 10_000
    clock.advance(1.5)
    assert clock.now_ms() == 11_500
    clock.advance(-11.5)
    assert clock.now_ms() == 0


def test_bearer_shows_any_credential():
    """A header that the gate reads tokens and keys from."""
    assert bearer("abc") == {"Authorization": "Bearer abc"}
