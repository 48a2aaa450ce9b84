"""API keys: made at random, read back exactly, and refused by their checksum when mistyped."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.gate import api_keys, base62

FORM = re.compile(r"\bsk-vg_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}\b")


def test_key_has_the_published_form():
    """Secret scanners find keys by this expression."""
    assert FORM.fullmatch(api_keys.new_key().text)


def test_key_reads_back():
    """What was made is what is read."""
    key = api_keys.new_key()
    parsed = api_keys.parse_key(key.text)
    assert (parsed.key_id, parsed.digest) == (key.key_id, key.digest)
    assert key.text.removeprefix("sk-vg_").split("_")[1][39:43] == key.hint


def test_key_without_its_leading_sk_is_a_key():
    """A double click on the key stops at the hyphen."""
    key = api_keys.new_key()
    assert api_keys.parse_key(key.text.removeprefix("sk-")) == api_keys.parse_key(key.text)


def test_secret_is_not_shown_by_repr():
    """A key in a log line does not leak."""
    key = api_keys.new_key()
    assert key.text not in repr(key)
    assert key.digest.hex() not in repr(key)
    assert str(key.digest) not in repr(api_keys.parse_key(key.text))


@given(position=st.integers(6, 67), letter=st.sampled_from(base62.ALPHABET))
def test_one_wrong_character_is_refused(position, letter):
    """The checksum finds every single typing error."""
    text = api_keys.new_key().text
    wrong = text[:position] + letter + text[position + 1 :]
    assert wrong == text or api_keys.parse_key(wrong) is None


@given(position=st.integers(6, 66))
def test_swapped_characters_are_refused(position):
    """The checksum finds two neighbours that changed places."""
    text = api_keys.new_key().text
    wrong = text[:position] + text[position + 1] + text[position] + text[position + 2 :]
    assert wrong == text or api_keys.parse_key(wrong) is None


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        str.lower,
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda _: "",
        lambda _: "sk-vg_",
    ],
)
def test_other_spellings_are_refused(change):
    """One key, one spelling."""
    assert api_keys.parse_key(change(api_keys.new_key().text)) is None


@given(text=st.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    """No text raises."""
    assert api_keys.parse_key(text) is None


def test_numbers_in_base62_keep_their_order_and_read_back():
    """The alphabet is 0-9, A-Z, a-z, padded with zeros."""
    numbers = (0, 9, 10, 61, 62)
    texts = [base62.encode(number, length=2) for number in numbers]
    assert texts == ["00", "09", "0A", "0z", "10"]
    assert tuple(base62.decode(text) for text in texts) == numbers
