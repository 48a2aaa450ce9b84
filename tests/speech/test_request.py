"""A request's faults are found all at once, in the documents' words."""

import math

import pytest

from voxgate.speech.request import Fault, SpeechRequest, find_faults

BLOCKED = ("<script", "javascript:", "onload=", "onerror=")


def faults(**fields) -> list[Fault]:
    request = SpeechRequest(**{"text": "Hello", **fields})
    return find_faults(request, voices=("Alnilam", "alloy"), formats=("wav", "mp3"), blocked_patterns=BLOCKED)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"speed_ratio": 0.5, "pitch_semitones": -10},
        {"speed_ratio": 2, "pitch_semitones": 10},
        {"output_format": "mp3"},
    ],
)
def test_request_within_its_bounds_passes(fields):
    """The bounds themselves are allowed."""
    assert faults(**fields) == []


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u202e", "\x00"])
def test_text_that_says_nothing_is_refused(text):
    """Hidden characters do not make a text."""
    assert faults(text=text) == [Fault("text", "Text cannot be empty")]


def test_text_is_counted_after_tidying():
    """5000 characters pass with any white space around them; 5001 do not."""
    assert faults(text=" " * 90 + "好" * 5000 + "\u200b" * 90) == []
    assert faults(text="a" * 5001) == [Fault("text", "Text too long")]


@pytest.mark.parametrize("text", ["<ScRiPt>", "see JAVASCRIPT:x", "on\u200dload=1"])
def test_blocked_patterns_are_found_in_any_case(text):
    """A pattern is found whatever its case, also when hidden characters divide it."""
    assert faults(text=text) == [Fault("text", "Text contains potentially harmful content")]


def test_without_patterns_everything_may_be_spoken():
    """Text is data; the list is the operator's content policy and may be empty."""
    request = SpeechRequest("I teach javascript: the good parts")
    assert find_faults(request, voices=("Alnilam",), formats=("wav",), blocked_patterns=()) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.49, 2.01, -1])
def test_speed_outside_its_bounds_is_refused(value):
    """Not a number and infinity are outside every bound."""
    assert [one.field for one in faults(speed_ratio=value)] == ["speed"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10.1, -10.1])
def test_pitch_outside_its_bounds_is_refused(value):
    """Not a number and infinity are outside every bound."""
    assert faults(pitch_semitones=value) == [Fault("pitch", "Pitch must be between -10 and 10 semitones")]


def test_unknown_voice_is_named_with_the_nearest_known_one():
    """A slip of the finger is answered with the name that was meant; a long name is not echoed whole."""
    assert faults(voice_name="alnilan") == [Fault("voice_name", "Unknown voice: alnilan; did you mean Alnilam?")]
    assert faults(voice_name="../" * 900) == [Fault("voice_name", "Unknown voice: " + ("../" * 900)[:64])]


def test_all_faults_come_at_once_in_the_order_of_the_fields():
    """A caller mends a request in one turn."""
    found = faults(text="x" * 5001, voice_name="?", output_format="exe", speed_ratio=99, pitch_semitones=99)
    assert [one.field for one in found] == ["text", "voice_name", "output_format", "speed", "pitch"]
    assert found[2].detail == "Unknown format; one of mp3, wav"


def test_format_of_a_missing_extra_names_the_extra():
    """A format that is known and not installed says what to install."""
    (found,) = faults(output_format="aac")
    assert found.field == "output_format"
    assert "pip install 'voxgate[aac]'" in found.detail


@pytest.mark.parametrize(("output_format", "sample_rate_hz"), [("wav", 44_100), ("mp3", 8_000), ("wav", None)])
def test_sample_rates_of_a_format_pass(output_format, sample_rate_hz):
    """Every usual rate may be asked for."""
    assert faults(output_format=output_format, sample_rate_hz=sample_rate_hz) == []


@pytest.mark.parametrize("sample_rate_hz", [0, -8_000, 7_999, 48_001, 10**9])
def test_other_sample_rates_are_refused(sample_rate_hz):
    """A rate that the format does not know is refused, with those that it knows."""
    (found,) = faults(sample_rate_hz=sample_rate_hz)
    assert (found.field, "48000" in found.detail) == ("sample_rate", True)


def test_interface_may_promise_other_speeds():
    """Another interface has other bounds of speed; this one's are told in the fault."""
    request = SpeechRequest("Hello", speed_ratio=4)
    known = {"voices": ("Alnilam",), "formats": ("wav",), "blocked_patterns": ()}
    assert find_faults(request, **known, speeds=(0.25, 4.0)) == []
    assert find_faults(request, **known) == [Fault("speed", "Speed must be between 0.5 and 2.0")]
