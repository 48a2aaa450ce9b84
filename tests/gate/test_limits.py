"""Limit strings mean what people expect, and nothing else is a limit string."""

import pytest

from voxgate.gate.errors import ConfigurationError
from voxgate.gate.limits import Limit, parse_limits


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
        "99999999 per day",
        "1000001 per day",
        "10 per minute; nonsense",
        "1 per minute; 2 per 60 seconds",
    ],
)
def test_other_texts_are_refused_by_name(text):
    """A text that cannot be meant stops the start and names the setting."""
    with pytest.raises(ConfigurationError, match=r"^login: ") as caught:
        parse_limits(text, name="login")
    assert caught.value.setting == "login"


@pytest.mark.parametrize("window_s", [1, 59, 60, 90, 3600, 7200, 86_400, 2_592_000])
def test_text_of_a_limit_reads_back(window_s):
    """What is shown to a client can be written into the settings."""
    limit = Limit("p", 7, window_s)
    assert parse_limits(str(limit), name="p") == (limit,)


def test_windows_of_one_policy_have_counters_of_their_own():
    """Two windows of a policy never share a counter."""
    hour, second = parse_limits("100 per hour; 5 per second", name="p")
    assert hour.counter != second.counter
