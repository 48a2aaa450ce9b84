"""Events told once and then counted, and the vocabulary that they are told in."""

import logging

import pytest

from voxgate.gate import events
from voxgate.gate.events import Quiet


@pytest.fixture
def told():
    return []


@pytest.fixture
def quiet(told):
    return Quiet(lambda name, fields: told.append((name, dict(fields))))


def tell(quiet, key="k", *, now_ms=0, **fields):
    quiet.tell(events.AUTHZ_FAIL, {"user_id": "ann", **fields}, key=key, now_ms=now_ms, for_ms=1000)


def test_the_first_is_told_and_the_rest_are_one_count(quiet, told):
    """With the fields of the first, as soon as it happens again after its time."""
    for number in range(58):
        tell(quiet, number=number)
    assert told == [("authz_fail", {"user_id": "ann", "number": 0})]
    tell(quiet, now_ms=1000, number=58)
    assert told[1:] == [
        ("authz_fail", {"user_id": "ann", "number": 0, "repeats": 57}),
        ("authz_fail", {"user_id": "ann", "number": 58}),
    ]


def test_what_happened_once_has_no_count(quiet, told):
    """A second line would say nothing."""
    tell(quiet)
    tell(quiet, now_ms=1000)
    quiet.flush()
    assert told == [("authz_fail", {"user_id": "ann"})] * 2


def test_a_count_comes_also_when_nobody_comes_again(quiet, told):
    """A flush tells those whose time is over, and at the end all."""
    for key in "ab":
        for _ in range(3):
            tell(quiet, key, now_ms=500 if key == "b" else 0)
    quiet.flush(1000)
    assert [fields.get("repeats") for _, fields in told] == [None, None, 2]
    quiet.flush()
    assert [fields.get("repeats") for _, fields in told] == [None, None, 2, 2]
    quiet.flush()
    assert len(told) == 4


def test_other_events_bring_old_counts_with_them(quiet, told):
    """So that a library without a thread of its own tells them too."""
    for _ in range(3):
        tell(quiet, "a")
    tell(quiet, "b", now_ms=1000)
    assert [fields.get("repeats") for _, fields in told] == [None, 2, None]


def test_what_is_within_its_time_is_only_counted(quiet, told):
    """The question alone counts, so that its fields need not be made."""
    assert quiet.has_counted("k", now_ms=0) is False
    tell(quiet)
    assert quiet.has_counted("k", now_ms=999) is True
    assert quiet.has_counted("k", now_ms=1000) is False
    quiet.flush()
    assert [fields.get("repeats") for _, fields in told] == [None, 1]


def test_memory_is_bounded_and_no_count_is_lost(quiet, told):
    """A million callers do not fill it: the oldest goes, and its count is told."""
    tell(quiet, 0)
    tell(quiet, 0)
    for key in range(1, 25_000):
        tell(quiet, key)
    assert len(quiet._spells) <= 10_000
    assert sum("repeats" in fields for _, fields in told) == 1


def test_every_name_is_in_the_vocabulary():
    """It is closed: what is not a constant here is no event."""
    constants = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}
    assert constants == events.NAMES
    assert {"login", "api_key_usage", "rate_limit_exceeded"} <= events.NAMES


@pytest.fixture
def records(monkeypatch):
    """What the events' logger is given, whatever logging another test has set up in this process."""
    logger, handler, found = logging.getLogger("voxgate.events"), logging.Handler(), []
    monkeypatch.setattr(handler, "emit", found.append)
    for name, value in (("disabled", False), ("handlers", [handler]), ("filters", []), ("propagate", False)):
        monkeypatch.setattr(logger, name, value)
    level = logger.level
    logger.setLevel("INFO")
    yield found
    logger.setLevel(level)


def test_an_outage_is_a_warning_where_no_logging_is_set_up(records):
    """Everything else is for whoever listens."""
    ours = {"reason": "asked for by this test"}
    events.log_event(events.STORE_UNAVAILABLE, ours)
    events.log_event(events.AUTHZ_FAIL, ours)
    assert [(each.levelname, each.event) for each in records if each.fields == ours] == [
        ("WARNING", "gate_store_unavailable"),
        ("INFO", "authz_fail"),
    ]
