"""The second document's classes about passwords, text and requests: its call forms, and what its words promise."""

import pytest

from voxgate.web import classic
from voxgate.web.classic import ClassicError, PasswordManager, SchemaError, SecurityUtils, TTSRequestSchema


class TestPasswordManager:
    @pytest.fixture(autouse=True)
    def _cheap(self, hasher, monkeypatch):
        monkeypatch.setattr(classic, "_hasher", lambda: hasher)

    def test_right_password_verifies_and_a_wrong_one_does_not(self):
        """argon2id, and never the same hash twice."""
        hashed = PasswordManager.hash_password("password123")
        assert hashed.startswith("$argon2id$")
        assert PasswordManager.hash_password("password123") != hashed
        assert PasswordManager.verify_password("password123", hashed)
        assert not PasswordManager.verify_password("password124", hashed)

    def test_password_that_no_rule_accepts_is_refused(self):
        """Endless passwords are no way to keep the service busy."""
        with pytest.raises(ClassicError):
            PasswordManager.hash_password("x" * 100_000)

    def test_busy_hasher_is_told(self, monkeypatch):
        """A hash that cannot be made is an exception, never an empty string."""
        busy = type("Busy", (), {"hash": lambda *_: classic.Refusal("HASHING_BUSY")})()
        monkeypatch.setattr(classic, "_hasher", lambda: busy)
        with pytest.raises(ClassicError, match="too many"):
            PasswordManager.hash_password("password123")

    def test_key_has_one_hash_by_which_it_is_found(self):
        """The document's bcrypt gave another hash each time."""
        key = PasswordManager.generate_api_key()
        assert key.startswith("sk-")
        assert PasswordManager.hash_api_key(key) == PasswordManager.hash_api_key(key)
        assert PasswordManager.generate_api_key() != key
        assert key[10:30] not in PasswordManager.hash_api_key(key)
        with pytest.raises(ClassicError):
            PasswordManager.hash_api_key(key[:-1])


def test_hasher_is_made_once():
    """Its bound on what runs at once holds for all."""
    assert classic._hasher() is classic._hasher()


class TestSecurityUtils:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("a\0b", "ab"),
            ("a\x07b", "ab"),
            ("  a \t b  ", "a b"),
            ("a\n\n\nb", "a\n\nb"),
            ("a\u202eb", "ab"),
            ("", ""),
            (None, None),
        ],
    )
    def test_input_is_cleaned_and_keeps_its_paragraphs(self, text, wanted):
        """Control and invisible characters go, line breaks stay."""
        assert SecurityUtils.sanitize_input(text) == wanted

    @pytest.mark.parametrize("name", ["a.wav", "a..b.wav", "t\u00f4i_1.mp3", "my file (2).wav", "7", "\u97f3.wav"])
    def test_harmless_name_is_valid(self, name):
        """Letters of every script, and dots that are no path."""
        assert SecurityUtils.validate_filename(name)

    @pytest.mark.parametrize(
        "name",
        [
            "", "..", ".", "../a", "a/b", "a\\b", "<a>", "a:b", 'a"b', "a|b", "a?b", "a*b", "a\0b.wav", "a\nb",
            "CON.wav", "nul", ".hidden", "-rf", "a" * 256, "a.wav.", "a ", "\ud800", "a;b", "$(id)", "a\u202eb",
        ],
    )  # fmt: skip
    def test_harmful_name_is_not(self, name):
        """The document's characters, and what it forgot."""
        assert not SecurityUtils.validate_filename(name)


class TestRequestSchema:
    def test_defaults_are_those_of_the_document(self):
        """Voice, format, speed and pitch."""
        assert TTSRequestSchema().load({"text": "Hello."}) == {
            "text": "Hello.",
            "voice_name": "Alnilam",
            "output_format": "wav",
            "speed": 1.0,
            "pitch": 0.0,
        }

    @pytest.mark.parametrize(
        ("data", "field", "text"),
        [
            ({}, "text", "is required"),
            ({"text": "   "}, "text", "Text cannot be empty"),
            ({"text": "x" * 5001}, "text", "Text too long"),
            ({"text": "<SCRIPT>"}, "text", "Text contains potentially harmful content"),
            ({"text": "a", "speed": 99}, "speed", "Speed"),
            ({"text": "a", "pitch": -11}, "pitch", "Pitch"),
            ({"text": "a", "speed": float("nan")}, "speed", "finite"),
            ({"text": "a", "output_format": "exe"}, "output_format", "Unknown format"),
            ({"text": "a", "speed": "1"}, "speed", "must be a number"),
            ({"text": "a", "is_admin": True}, "is_admin", "is not a known field"),
        ],
    )
    def test_bad_field_is_named(self, data, field, text):
        """By ``validate`` as a value, by ``load`` as an exception."""
        assert text in TTSRequestSchema().validate(data)[field][0]
        with pytest.raises(SchemaError, match=field) as caught:
            TTSRequestSchema().load(data)
        assert field in caught.value.messages

    def test_every_fault_is_told_at_once(self):
        """And a voice is judged where the voices are known."""
        told = TTSRequestSchema(voices=("Alnilam",)).validate({"text": "", "voice_name": "x", "speed": 9, "pitch": 99})
        assert told.keys() == {"text", "voice_name", "speed", "pitch"}

    def test_policy_can_be_switched_off(self):
        """It is a content policy: no patterns, no refusals."""
        assert TTSRequestSchema(blocked_patterns=()).validate({"text": "I teach javascript: the good parts"}) == {}
