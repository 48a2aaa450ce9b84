"""A language that is asked for is found among those a voice speaks."""

import pytest

from voxgate.speech.engines.base import Voice
from voxgate.speech.request import SpeechRequest
from voxgate.speech.voices import language_for, match_language, read_tag

KNOWN = {"en-us", "en", "en-gb-x-rp", "cmn", "yue", "pt", "pt-br", "vi", "nb", "de", "fr-be", "fr-ch"}


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("vi", "vi"),
        ("vi-VN", "vi"),
        ("EN-US", "en-us"),
        ("en-GB", "en"),
        ("en-gb-x-rp", "en-gb-x-rp"),
        ("en-gb-x-other", "en"),
        ("pt-BR", "pt-br"),
        ("pt-PT", "pt"),
        ("zh", "cmn"),
        ("zh-CN", "cmn"),
        ("zh-Hant-TW", "cmn"),
        ("zh-HK", "yue"),
        ("no", "nb"),
        ("de-Latn-DE-1996", "de"),
        ("fr", "fr-be"),
        ("xx", None),
        ("", None),
        ("en_US", None),
        ("e", None),
        ("vi\n", None),
        ("../vi", None),
        ("vi-" + "a" * 40, None),
    ],
)
def test_tags_are_looked_up_from_the_right(tag, language):
    """RFC 4647: the longest beginning that is known; then any variety of the same language."""
    assert match_language(tag, KNOWN) == language


def test_voice_of_one_language_keeps_to_it():
    """A Vietnamese voice takes every Vietnamese tag and no other; a voice of all takes all that its engine has."""
    own, every = (Voice("x", language, "e", "s", "male") for language in ("vi", ""))
    assert language_for(own, "vi-VN", KNOWN) == "vi"
    assert language_for(own, "de", KNOWN) is None
    assert language_for(every, "de-AT", KNOWN) == "de"
    assert language_for(every, "de-AT", set()) == "de-at"
    assert read_tag("de-AT") == "de-at"


def test_language_decides_over_the_text(speak, synthesizer):
    """What is asked for is spoken, whatever the text looks like, and equal requests stay equal."""
    text = "Die Kinder waren alle hier."
    as_german, own = speak(text, language="de-DE"), speak(text, voice_name="de")
    assert as_german.duration_s * 0.96 == pytest.approx(own.duration_s, rel=0.1)
    fingerprints = {
        synthesizer.fingerprint(SpeechRequest(text, language=language)) for language in ("de", "de-DE", "de-AT")
    }
    assert len(fingerprints) == 1
    assert synthesizer.fingerprint(SpeechRequest(text)) not in fingerprints


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (SpeechRequest("a", language="vi"), []),
        (SpeechRequest("a", language="tlh"), ["language"]),
        (SpeechRequest("a", "vi", language="en"), ["language"]),
        (SpeechRequest("a", "nobody", language="xx"), []),
        (SpeechRequest("<speak xml:lang='tlh'>a</speak>", input_format="ssml"), ["text"]),
        (SpeechRequest("<speak", input_format="ssml"), []),
    ],
)
def test_language_that_is_not_spoken_is_a_fault(synthesizer, request_, fields):
    """A voice says what it cannot, in the field that asked for it; also inside SSML."""
    assert [fault.field for fault in synthesizer.find_language_faults(request_)] == fields
