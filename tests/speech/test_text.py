"""Text becomes safe and small without losing what people wrote."""

# ruff: noqa: RUF001 - the marks of many scripts look like each other, and all of them are meant

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voxgate.speech.text import MAX_RUN_BYTES, MAX_SEGMENT_CHARS, Segment, clean, plain_signs, split, tidy

anything = st.text(st.characters(exclude_categories=()), max_size=1500)
proselike = st.lists(
    st.sampled_from(["Hello", "Mr.", "xin", "你好", "。", ". ", "\n\n", ", ", " ", "！", "W." * 60]), max_size=200
)


def texts(segments: list[Segment]) -> list[str]:
    return [segment.text for segment in segments]


@given(anything)
@example("[\u200b[aeiou")
@example("a\ufe0f\u0301" * 100)
def test_cleaned_text_is_clean_for_good(text):
    """Cleaning twice changes nothing, so a fingerprint of cleaned text is stable."""
    assert clean(clean(text)) == clean(text)
    assert tidy(tidy(text)) == tidy(text)


@given(anything)
def test_nothing_dangerous_is_left(text):
    """No control, bidirectional or zero-width character, no long run, no phoneme input; it encodes as UTF-8."""
    cleaned = clean(text)
    assert all(unicodedata.category(char)[0] != "C" or char == "\n" for char in cleaned)
    assert all(len(run.encode()) <= MAX_RUN_BYTES for run in cleaned.split())
    assert "[[" not in cleaned


@given(st.one_of(anything, proselike.map("".join)))
def test_segments_lose_nothing_but_white_space(text):
    """Each segment stands at its offset, none is blank or over 400 characters, and all together are the text."""
    cleaned = clean(text)
    segments = split(cleaned)
    assert all(cleaned[one.offset : one.offset + len(one.text)] == one.text for one in segments)
    assert all(0 < len(one.text) <= MAX_SEGMENT_CHARS and one.text == one.text.strip() for one in segments)
    assert "".join("".join(texts(segments)).split()) == "".join(cleaned.split())


@pytest.mark.parametrize(
    ("raw", "tidied"),
    [
        ("e\u0301t\u00e9", "été"),
        ("co\u00adoperate \u202eevil\u202c", "cooperate evil"),
        ("a\x00b\x07c", "a b c"),
        ("one\r\n\r\n\r\ntwo\rthree", "one\n\ntwo\nthree"),
        ("one\u2029two", "one\ntwo"),
        (" \t two \u00a0 words \n", "two words"),
        ("heart ❤\ufe0f", "heart ❤"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("ภาษา\u200bไทย", "ภาษา ไทย"),
    ],
)
def test_tidied_text_keeps_what_people_mean(raw, tidied):
    """Composed letters, no hidden characters, paragraph breaks kept, other white space single."""
    assert tidy(raw) == tidied


def test_counting_is_not_changed_by_broken_runs():
    """A Chinese text of 5000 characters counts 5000, although runs of it are broken for the engine."""
    text = "好" * 5000
    assert len(tidy(text)) == 5000
    assert len(clean(text)) > 5000


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("One. Two! Three? Four… Five", ["One.", "Two!", "Three?", "Four…", "Five"]),
        ('He said "stop." Then left.', ['He said "stop."', "Then left."]),
        ("你好。再见！真的吗？", ["你好。", "再见！", "真的吗？"]),
        (
            "Dr. Smith met J. R. Ewing vs. Mrs. Jones. They left.",
            ["Dr. Smith met J. R. Ewing vs. Mrs. Jones.", "They left."],
        ),
        ("Version 2.0 costs 3.50 dollars. Yes.", ["Version 2.0 costs 3.50 dollars.", "Yes."]),
        ("A title\n\nA paragraph", ["A title", "A paragraph"]),
        ("नमस्ते। कैसे हो?", ["नमस्ते।", "कैसे हो?"]),
        ("", []),
    ],
)
def test_text_is_cut_where_a_speaker_breathes(text, segments):
    """Sentences and paragraphs end a segment; abbreviations and numbers do not."""
    assert texts(split(text)) == segments


def test_long_sentence_is_cut_at_a_comma_then_at_a_space():
    """A sentence over 400 characters is cut after its last comma that fits, else at a space."""
    words = "word " * 60
    with_comma = split(f"{words.strip()}, {words}")
    assert texts(with_comma)[0].endswith("word,")
    without = split((words * 3).strip())
    assert all(one.text.startswith("word") and one.text.endswith("word") for one in without)
    chinese = split("好" * 200 + "，" + "好" * 300)
    assert texts(chinese)[0] == "好" * 200 + "，"
    assert len(split("x" * 1000)) == 3


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("２０２６年", "2026年"),
        ("٣ كتب", "3 كتب"),
        ("१२३", "123"),
        ("ＡＢＣ, ａｂｃ!", "ABC, abc!"),
        ("Ünï ② ½ 二", "Ünï ② ½ 二"),
    ],
)
def test_signs_that_engines_pass_over_become_plain(text, plain):
    """Digits of every script and letters of full width, one for one; everything else stays."""
    assert plain_signs(text) == plain
    assert len(plain) == len(text)
