"""Which signing keys are refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.settings.keys import find_weakness


@pytest.mark.parametrize(
    "key", ["super-secret-key", "dev-secret-key-change-in-production", "Super_Secret_Key", "changeme"]
)
@pytest.mark.parametrize("strict", [False, True])
def test_a_published_key_is_refused(key, strict):
    """The keys that tutorials print are known to every attacker, long or short, in any spelling."""
    assert "published" in find_weakness(key, strict=strict)


@pytest.mark.parametrize("key", ["", "short", "0f4c19ab" * 3])
def test_a_short_key_is_refused_with_the_size_that_is_needed(key):
    """HS256 needs 256 bits."""
    assert "at least 32 random bytes" in find_weakness(key, strict=False)


@pytest.mark.parametrize("key", ["a" * 64, "ab" * 32])
def test_a_key_of_few_characters_is_refused(key):
    """Length alone is no strength."""
    assert "different characters" in find_weakness(key, strict=False)


@pytest.mark.parametrize(
    "key", ["0123456789abcdef" * 2, "my-app-jwt-secret-key-for-production-please-change", "1234567890" * 3 + "12"]
)
def test_a_made_up_key_is_refused_where_it_counts(key):
    """A long key of tutorial words or repeats passes only outside production."""
    assert find_weakness(key, strict=False) is None
    assert "common words" in find_weakness(key, strict=True)


@given(st.binary(min_size=32, max_size=32).filter(lambda key: len(set(key)) > 16))
def test_a_random_key_passes_in_every_usual_spelling(key):
    """Hexadecimal and URL-safe base64 of 32 random bytes are strong."""
    for text in (key.hex(), base64.urlsafe_b64encode(key).decode()):
        assert find_weakness(text, strict=True) is None
