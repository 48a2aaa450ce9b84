"""The forms that values may be written in."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.gate.errors import ConfigurationError
from voxgate.settings import load_settings
from voxgate.settings.forms import check_budget, check_limits, check_origin, read_duration, read_list, read_size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (900, 900),
        (900.0, 900),
        ("900", 900),
        (" 900 ", 900),
        ("15 minutes", 900),
        ("15m", 900),
        ("1 minute", 60),
        ("1h 30m", 5400),
        ("1 hour, 30 minutes", 5400),
        ("30 Days", 2_592_000),
        ("2 weeks", 1_209_600),
        (timedelta(days=7), 604_800),
    ],
)
def test_a_duration_is_read_in_every_form_that_people_write(written, seconds):
    """Seconds, texts and timedeltas mean the same."""
    assert read_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "soon",
        "15 lightyears",
        "m15",
        "1h x 30m",
        "-5",
        "1.5",
        True,
        None,
        1.5,
        [],
        timedelta(seconds=0.5),
        "9" * 13,
    ],
)
def test_what_is_no_duration_is_refused_with_the_right_form(written):
    """The text of the refusal shows how to write it."""
    with pytest.raises(ValueError, match="15 minutes"):
        read_duration(written)


@given(st.text(max_size=30))
def test_any_text_is_a_whole_number_of_seconds_or_a_clear_refusal(text):
    """No text breaks the reader."""
    try:
        assert read_duration(text) >= 0
    except ValueError as error:
        assert "15 minutes" in str(error)  # noqa: PT017 -- both outcomes are right


@pytest.mark.parametrize(
    ("written", "size_bytes"), [("2 GiB", 2 << 30), ("128 KiB", 131_072), ("1kb", 1000), ("5 bytes", 5), (7, 7)]
)
def test_a_size_is_read_with_its_unit(written, size_bytes):
    """Decimal and binary units keep their meaning."""
    assert read_size(written) == size_bytes


def test_what_is_no_size_is_refused_with_the_right_form():
    """The text of the refusal shows how to write it."""
    with pytest.raises(ValueError, match="2 GiB"):
        read_size("2 TB")


@pytest.mark.parametrize(
    ("written", "texts"),
    [("a, b", ("a", "b")), ('["a, b"]', ("a, b",)), ("[]", ()), (" ", ()), (["a"], ["a"])],
)
def test_a_list_is_read_from_commas_or_json(written, texts):
    """A TOML array passes as it is."""
    assert read_list(written) == texts


def test_a_broken_json_list_is_refused():
    """It is not silently read as a text."""
    with pytest.raises(ValueError, match="JSON array"):
        read_list('["a"')


@pytest.mark.parametrize("written", ["10 per minute", "10/minute", "100 per hour; 5 per second"])
def test_a_limit_text_passes_unchanged(written):
    """The gate reads it later, in its own words."""
    assert check_limits(written) == written


@pytest.mark.parametrize("written", ["", "10", "10 per fortnight", "0 per minute", 10, None])
def test_what_is_no_limit_is_refused(written):
    """An empty text would mean no limit at all."""
    with pytest.raises(ValueError, match=r"10 per minute|quota"):
        check_limits(written)


@pytest.mark.parametrize("origin", ["https://example.org", "http://localhost:3000", "https://example.org:8443"])
def test_an_exact_origin_passes(origin):
    """Scheme, host and port, as a browser sends them."""
    assert check_origin(origin) == origin


@pytest.mark.parametrize(
    "origin", ["*", "https://*.example.org", "https://example.org/", "example.org", "https://Example.org", "null", ""]
)
def test_an_origin_that_no_browser_sends_is_refused(origin):
    """A wildcard would open the API to every page."""
    with pytest.raises(ValueError, match="as a browser sends them"):
        check_origin(origin)


def test_modes_of_trouble_are_read():
    """Each policy may say what holds while the store is out of reach."""
    settings = load_settings({"VOXGATE_ON_TROUBLE": "tts-generate=open, login=closed"})
    assert settings.modes() == {"tts-generate": "open", "login": "closed"}


@pytest.mark.parametrize("text", ["tts-generate", "=open", "tts-generate=maybe"])
def test_unknown_mode_of_trouble_is_refused(text):
    """The message says which modes there are."""
    with pytest.raises(ConfigurationError, match="closed, local or open"):
        load_settings({"VOXGATE_ON_TROUBLE": text})


@pytest.mark.parametrize("written", ["100000 per calendar day", "1000 per day; 5000 per calendar month"])
def test_budget_is_kept_as_it_was_written(written):
    """The gate reads it when it starts."""
    assert check_budget(written) == written


def test_empty_budget_is_none():
    """Whatever it is empty of."""
    assert check_budget(" ") == ""


@pytest.mark.parametrize("written", ["2 at once", "lots", None, 5])
def test_no_budget_says_what_is_right(written):
    """What runs at once has a setting of its own."""
    with pytest.raises(ValueError, match="write"):
        check_budget(written)
