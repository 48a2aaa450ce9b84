"""Which passwords are accepted, by profile."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.accounts.password_rules import encode_password, rules_for
from voxgate.gate.errors import ConfigurationError

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

    @pytest.mark.parametrize(
        "password",
        [
            "passwordpassword1",
            "P@ssw0rdP@ssw0rd!",
            "drowssapdrowssapx",
            "summerwinter2026!",
            "MonkeyDragonFootball",
            "iloveyouforever2024",
            "1qaz2wsx3edc4rfv5tgb",
            "asdfghjklqwertyuiop",
            "abcabcabcabcabcabc",
            "19870412198704121987",
            "zzzzzzzzzzzzzzzzzz",
            "z" * 900,
            "Liverpool1892!!!!!!",
        ],
    )
    def test_guessable_password_is_refused(self, password):
        """Words, walks on the keyboard, dates, repetitions, turned round or in leetspeak: long is not hard."""
        assert [text[:16] for text in self.rules.judge(password).faults] == ["is easy to guess"]

    @pytest.mark.parametrize(
        "password",
        [
            "seven stones in",
            "four plain words here",
            "correct horse battery staple",
            "x7#kq9!vbn2mz&p",
            "ein Löwe trinkt Tee",
            "在夜里读一本很厚的旧书并且喝茶吧",
            "k" + "ab c" * 250,
        ],
    )
    def test_hard_password_is_accepted(self, password):
        """Of any characters and script; a long one is not looked at for ever."""
        assert self.rules.judge(password, context=CONTEXT).faults == ()

    def test_own_names_make_no_password(self):
        """Also turned round or in leetspeak, beside what is added."""
        for password in ("m1ch@3l@-2026-!!!", "aleahcim19870412"):
            assert self.rules.judge(password, context=CONTEXT).faults != ()
            assert self.rules.judge("seven-" + password + "-round-stones", context=CONTEXT).faults == ()


class TestOperatorsList:
    @pytest.fixture
    def rules_of(self, tmp_path):
        """The rules of production with a list of these bytes."""

        def make(content):
            (tmp_path / "list.txt").write_bytes(content)
            return rules_for("production", blocklist=tmp_path / "list.txt")

        return make

    ON_IT, NOT_ON_IT = "Seven Round Stones", "seven round bricks"
    REFUSED = ("is on the list of passwords that are refused here",)

    def digests_of(self, name, passwords, end="\n"):
        lines = sorted(hashlib.new(name, each.encode()).hexdigest().upper() for each in passwords)
        return "".join(f"{line}{end}" for line in lines).encode()

    @pytest.mark.parametrize(
        "content", [b"other\nseven round stones\n", b"SEVEN ROUND STONES", b"\r\nseven round stones\r\n\xff\n"]
    )
    def test_plain_lines_are_compared_without_case(self, rules_of, content):
        """Whatever ends a line, and whatever else is in the file."""
        rules = rules_of(content)
        assert rules.judge(self.ON_IT).faults == self.REFUSED
        assert rules.judge(self.NOT_ON_IT).faults == ()

    @pytest.mark.parametrize("name", ["sha1", "sha256"])
    @pytest.mark.parametrize("end", ["\n", ":3730471\r\n"])
    def test_sorted_digests_are_searched_on_disk(self, rules_of, name, end):
        """Every one of them is found, in the form of the public lists; nothing else is."""
        passwords = [f"password number {number}" for number in range(500)]
        rules = rules_of(self.digests_of(name, passwords, end))
        assert all(rules.judge(each).faults == self.REFUSED for each in passwords)
        assert not any(self.REFUSED[0] in rules.judge(f"word of number {number}").faults for number in range(500))

    def test_digests_that_are_not_sorted_stop_the_start(self, rules_of):
        """A search in them would find nothing and tell nobody."""
        content = b"\n".join(reversed(self.digests_of("sha1", map(str, range(50))).split()))
        with pytest.raises(ConfigurationError, match="not sorted"):
            rules_of(content)

    def test_a_plain_list_that_is_too_long_stops_the_start(self, rules_of, monkeypatch):
        """Memory is bounded; the message says what to do."""
        monkeypatch.setattr("voxgate.accounts.blocklist.MAX_PLAIN_LINES", 3)
        with pytest.raises(ConfigurationError, match="hash them and sort"):
            rules_of(b"a\nb\nc\nd\n")

    def test_a_file_that_is_not_there_stops_the_start(self, tmp_path):
        """With its name."""
        with pytest.raises(ConfigurationError, match="missing"):
            rules_for("production", blocklist=tmp_path / "missing.txt")

    def test_development_warns(self, tmp_path):
        """As of every guessable password."""
        (tmp_path / "list.txt").write_text(self.ON_IT)
        judgement = rules_for("development", blocklist=tmp_path / "list.txt").judge(self.ON_IT)
        assert (judgement.faults, judgement.warnings) == ((), self.REFUSED)


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
