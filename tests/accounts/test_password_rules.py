"""Which passwords are accepted, by profile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.accounts.password_rules import encode_password, rules_for

CONTEXT = ("Michaela", "m.schmidt@example.com")


class TestDevelopment:
    rules = rules_for("development")

    def test_eight_characters_are_enough(self):
        """The length is counted in characters."""
        assert self.rules.judge("1ü3☃5語7x").faults == ()
        assert self.rules.judge("1ü3☃5語7").faults == ("must be at least 8 characters long",)

    def test_common_password_warns(self):
        """A guessable password is accepted with a warning."""
        judgement = self.rules.judge("PassWord123")
        assert (judgement.faults, judgement.warnings) == ((), ("is one of the commonest passwords",))

    @pytest.mark.parametrize("password", ["michaela2026", "m.schmidt!!", "VoxGate rocks", "M.SCHMIDT@EXAMPLE.COM"])
    def test_own_names_warn(self, password):
        """The account's names and the service's are what is tried first."""
        assert len(self.rules.judge(password, context=CONTEXT).warnings) == 1

    def test_short_names_do_not_warn(self):
        """Three letters turn up in a good password by chance."""
        assert self.rules.judge("seven stones", context=("eve", "one@example.com")).warnings == ()

    @given(st.text(min_size=8, max_size=64).filter(lambda text: encode_password(text) is not None))
    def test_any_characters_are_accepted(self, password):
        """No composition is demanded and no character forbidden; NFKC may shorten, never forbid."""
        assert set(self.rules.judge(password).faults) <= {"must be at least 8 characters long"}


class TestProduction:
    rules = rules_for("production")

    def test_fifteen_characters_are_needed(self):
        """NIST asks for 15 where a password stands alone."""
        assert self.rules.judge("seven stones i").faults == ("must be at least 15 characters long",)
        assert self.rules.judge("seven stones in").faults == ()

    def test_every_fault_is_told(self):
        """A short, common password with the own name gets every reason."""
        assert len(self.rules.judge("password123", context=("password123", "")).faults) == 3

    def test_common_password_is_refused(self):
        """A long one from the list is refused too."""
        assert self.rules.judge("qwertyuiopasdfg").faults == ("is one of the commonest passwords",)


class TestEncode:
    def test_two_spellings_are_one_password(self):
        """NFKC makes what two keyboards send the same."""
        assert encode_password("passwort-mu\u0308ll") == encode_password("passwort-müll")

    def test_nothing_is_cut_or_trimmed(self):
        """Every character counts: blanks at the ends, case, and the last of 1024 bytes."""
        assert encode_password(" Aa ") == b" Aa "
        assert encode_password("x" * 1023 + "y") == b"x" * 1023 + b"y"

    @pytest.mark.parametrize("password", ["x" * 1025, "語" * 342, "abcdefgh\ud800"])
    def test_what_cannot_be_a_password_is_none(self, password):
        """More than 1024 bytes, or half a character, is refused and never raises."""
        assert encode_password(password) is None
        assert rules_for("development").judge(password).faults == ("must be valid text of at most 1024 bytes",)
