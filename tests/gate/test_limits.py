"""Limit strings mean what people expect, and nothing else is a limit string."""

import pytest

from voxgate.gate.errors import ConfigurationError
from voxgate.gate.limits import Limit, LimitKind, parse_limits


@pytest.mark.parametrize(
    ("text", "quota", "window_s"),
    [
        ("10 per minute", 10, 60),
        ("10 per 1 minute", 10, 60),
        ("10/minute", 10, 60),
        ("10 / minutes", 10, 60),
        ("3 PER Minute", 3, 60),
        ("1000 per 5 minutes", 1000, 300),
        ("1 per second", 1, 1),
        ("5 per hour", 5, 3600),
        ("7 per day", 7, 86_400),
        ("7 per month", 7, 2_592_000),
    ],
)
def test_known_forms_are_read(text, quota, window_s):
    """Every form that people write for this is understood."""
    assert parse_limits(text, name="p") == (Limit("p", quota, window_s),)


def test_several_limits_are_read_in_order():
    """A joined text binds by all its parts."""
    assert [str(limit) for limit in parse_limits("100 per hour; 5 per second", name="p")] == [
        "100 per 1 hour",
        "5 per 1 second",
    ]


def test_empty_text_is_no_limit():
    """An operator may switch a limit off."""
    assert parse_limits(" ", name="p") == ()


@pytest.mark.parametrize(
    "text",
    [
        "ten per minute",
        "10",
        "10 per",
        "0 per minute",
        "-1 per minute",
        "10 per fortnight",
        "10 per 0 minutes",
        "9999999999 per day",
        "1000000001 per day",
        "10 per minute; nonsense",
        "5 per calendar minute",
        "0 at once",
        "two at once",
        "1 per minute; 2 per 60 seconds",
    ],
)
def test_other_texts_are_refused_by_name(text):
    """A text that cannot be meant stops the start and names the setting."""
    with pytest.raises(ConfigurationError, match=r"^login: ") as caught:
        parse_limits(text, name="login")
    assert caught.value.setting == "login"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("5000 per calendar day", LimitKind.CALENDAR_DAY),
        ("100000 per Calendar Month", LimitKind.CALENDAR_MONTH),
        ("2 at once", LimitKind.AT_ONCE),
    ],
)
def test_other_kinds_are_read_and_shown(text, kind):
    """Quotas of the calendar and of what runs at once have a form of their own that reads back."""
    (limit,) = parse_limits(text, name="p")
    assert limit.kind is kind
    assert str(limit) == text.lower()


@pytest.mark.parametrize("window_s", [1, 59, 60, 90, 3600, 7200, 86_400, 2_592_000])
def test_text_of_a_limit_reads_back(window_s):
    """What is shown to a client can be written into the settings."""
    limit = Limit("p", 7, window_s)
    assert parse_limits(str(limit), name="p") == (limit,)


def test_windows_of_one_policy_have_counters_of_their_own():
    """Two windows of a policy never share a counter."""
    text = "100 per hour; 5 per second; 9 per day; 9 per calendar day; 9 per calendar month; 9 per month; 2 at once"
    assert len({limit.counter for limit in parse_limits(text, name="p")}) == 7
