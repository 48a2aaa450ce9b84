"""Names that people choose: what is accepted, and what counts as the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.accounts.names import clean_label, find_email_fault, find_username_fault, fold, normalize

# Combining grapheme joiner, Hangul fillers of all three widths, Khmer inherent vowels, Mongolian and other variations.
INVISIBLE = "\u034f\u115f\u1160\u3164\uffa0\u17b4\u17b5\u180b\u180f\ufe00\ufe0f\U000e0100\U000e01ef"


class TestUsername:
    @pytest.mark.parametrize(
        "name", ["abc", "test_user-1.x", "Nguyễn", "用户名", "пользователь", "हिन्दी", "x" * 64, "007"]
    )
    def test_accepts_names_of_every_script(self, name):
        """Letters, digits and marks of any script make a name."""
        assert find_username_fault(normalize(name)) is None

    @pytest.mark.parametrize("name", ["", "ab", "x" * 65])
    def test_refuses_other_lengths(self, name):
        """A name has 3 to 64 characters."""
        assert find_username_fault(name) == "must be 3 to 64 characters long"

    @pytest.mark.parametrize(
        "name",
        [
            "a@b",
            "a b c",
            "a\x00bc",
            "a\nbc",
            "a\u200bbc",
            "a\u202ebc",
            "abc\ud800",
            "<script>",
            "../abc",
            "_abc",
            "-abc",
            *(f"abc{invisible}" for invisible in INVISIBLE),
            *(f"ab{invisible}c" for invisible in INVISIBLE),
        ],
    )
    def test_refuses_what_could_deceive_or_break(self, name):
        """No address, blank, control, invisible or half character, and no sign at the start."""
        assert "letters, digits" in find_username_fault(name)

    @pytest.mark.parametrize("name", ["v\u0456ctim", "te\u03c5st", "ad\u0578in", "\u13a0dmin", "\ua4f2BM", "5\u00b5m"])
    def test_refuses_letters_of_alphabets_that_look_alike(self, name):
        """A Cyrillic letter among Latin ones makes a name that nobody tells from another's."""
        assert "look alike" in find_username_fault(normalize(name))

    @pytest.mark.parametrize(
        "name",
        [
            "\u0432\u0438\u043a\u0442\u043e\u0440-7",
            "\u03bd\u03af\u03ba\u03b7",
            "tom\u30c8\u30e0",
            "\u738b-wang",
            "\u0928\u0940\u0932.neel",
        ],
    )
    def test_accepts_one_alphabet_and_what_looks_like_none(self, name):
        """Japanese, Chinese and Indian names are written beside Latin ones every day."""
        assert find_username_fault(normalize(name)) is None

    @given(st.text(min_size=3, max_size=64))
    def test_accepted_name_is_clean(self, name):
        """Whatever is accepted has no blank, no control and no at sign in it."""
        name = normalize(name)
        if find_username_fault(name) is None:
            assert "@" not in name
            assert clean_label(name, limit=64) == name
            assert name.split() == [name]
            assert len(fold(name)) <= 192


class TestEmail:
    @pytest.mark.parametrize(
        "email", ["a@b", "test@example.com", "a.b+c@x-y.example", "ü@bücher.example", "_x@1.example"]
    )
    def test_accepts_what_could_be_an_address(self, email):
        """Only a message sent there can prove an address, so the form is asked for and no more."""
        assert find_email_fault(email) is None

    @pytest.mark.parametrize(
        "email",
        [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a@@b",
            "a b@c",
            "a@b c",
            "a@b@c",
            "a@-b",
            "a@b-",
            "a@b..c",
            "a\x00@b",
            "a\ud800@b",
            "a\ufe0f@b",
            "a@b\u3164c",
        ],
    )
    def test_refuses_what_cannot(self, email):
        """A text that no mail server takes is refused."""
        assert "e-mail address" in find_email_fault(email)

    @pytest.mark.parametrize("email", ["a@" + "b" * 253, "ß" * 60 + "@" + "ß" * 120])
    def test_refuses_what_is_too_long(self, email):
        """An address has at most 254 characters, folded too."""
        assert "254" in find_email_fault(email)


class TestFold:
    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
    def test_folding_again_changes_nothing(self, text):
        """The folded form is stable, so a stored key is always found again."""
        assert fold(fold(text)) == fold(text)

    @pytest.mark.parametrize(
        ("one", "other"), [("Straße", "STRASSE"), ("ﬁn", "FIN"), ("e\u0301a", "ÉA"), ("\uff21bc", "abC")]
    )
    def test_spellings_of_one_name_are_one(self, one, other):
        """Case, width, ligatures and composition do not make another name."""
        assert fold(one) == fold(other)


class TestLabel:
    def test_keeps_what_can_be_shown(self):
        """Controls and half characters are dropped, the rest is cut at the limit."""
        assert clean_label("curl/8\r\n\x00\ud800 ü" + "x" * 50, limit=10) == "curl/8 üxx"
