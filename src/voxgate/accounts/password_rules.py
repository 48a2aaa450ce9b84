"""Which passwords are accepted, by profile: NIST SP 800-63B-4, section 3.1.1, and ASVS 5.0, section 6.2."""

from dataclasses import dataclass, replace
from pathlib import Path

from voxgate.accounts.blocklist import IsBlocked, open_blocklist
from voxgate.accounts.guessable import THRESHOLD_BITS, estimate_bits
from voxgate.accounts.names import fold, normalize
from voxgate.gate.errors import ConfigurationError

MAX_PASSWORD_BYTES = 1024
SERVICE_WORD = "voxgate"

_MIN_CONTEXT_CHARACTERS = 4  # shorter names turn up in good passwords by chance

# The commonest of every published list of broken passwords, folded. Large lists come as a file.
_COMMON = frozenset(
    """
    000000 00000000 0123456789 1111111 11111111 111111111111111 112233 11223344 12121212 123123 123123123
    123321 1234 12345 123456 1234567 12345678 123456789 1234567890 12345678910 123456789012345
    1234567890123456 123456a 12345qwert 123456789a 123abc 123qwe 1q2w3e 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y7u8i
    1qaz2wsx 1qaz2wsx3edc4rfv 654321 66666666 7777777 87654321 88888888 987654321 9876543210 99999999 a123456
    a1234567 a12345678 aa123456 aa12345678 aaaaaaaa aaaaaaaaaaaaaaa abc123 abc12345 abcd1234 abcdefgh
    abcdefghijklmno administrator admin123 admin1234 asdf1234 asdfasdf asdfghjk asdfghjkl baseball changeme
    charlie computer correcthorsebatterystaple dragon football iloveyou iloveyou123 jennifer letmein letmein123
    liverpool master michael michelle monkey passw0rd password password! password1 password12 password123
    password1234 password12345 password123456 passwordpassword princess q1w2e3r4 q1w2e3r4t5y6 qazwsxedc
    qazwsxedcrfvtgb qwer1234 qwert123 qwerty qwerty12 qwerty123 qwerty1234 qwerty12345 qwertyui qwertyuiop
    qwertyuiopasdfg qwertyuiopasdfghjkl secret secret123 shadow starwars sunshine superman superman123
    test1234 testtest thequickbrownfox trustno1 welcome welcome1 welcome123 whatever zaq12wsx zxcvbnm zxcvbnm123
    """.split()  # noqa: SIM905 -- a hundred quotes would hide the words
)


@dataclass(frozen=True, slots=True)
class PasswordJudgement:
    """What the rules say of one password; the texts never hold it.

    Attributes:
        faults: Why it is refused; none when it is accepted.
        warnings: Why a better one would be wise.
    """

    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """The rules of one profile. Any character is accepted, and none is demanded.

    Attributes:
        min_characters: Least length in code points.
        refuses_common: Whether a common or guessable password is refused, or only warned about.
        is_blocked: The operator's own list, beside the one that is built in.
    """

    min_characters: int
    refuses_common: bool
    is_blocked: IsBlocked | None = None

    def judge(self, password: str, *, context: tuple[str, ...] = ()) -> PasswordJudgement:
        """Judge a password.

        Args:
            password: As it was typed.
            context: Words that an attacker would try first: the username and the e-mail address.
        """
        if encode_password(password) is None:
            return PasswordJudgement(faults=(f"must be valid text of at most {MAX_PASSWORD_BYTES} bytes",))
        faults: tuple[str, ...] = ()
        if len(normalize(password)) < self.min_characters:
            faults = (f"must be at least {self.min_characters} characters long",)
        guessable = self._find_guessable(password, context)
        if self.refuses_common:
            return PasswordJudgement(faults=faults + guessable)
        return PasswordJudgement(faults=faults, warnings=guessable)

    def _find_guessable(self, password: str, context: tuple[str, ...]) -> tuple[str, ...]:
        folded = fold(password)
        texts = {SERVICE_WORD, *(fold(part) for text in context for part in (text, text.partition("@")[0]))}
        words = frozenset(word for word in texts if len(word) >= _MIN_CONTEXT_CHARACTERS)
        found: tuple[str, ...] = ()
        holds_name = any(word in folded for word in words)
        if folded in _COMMON:
            found = ("is one of the commonest passwords",)
        elif self.is_blocked is not None and self.is_blocked(password):
            found = ("is on the list of passwords that are refused here",)
        elif not holds_name and estimate_bits(folded, context=words) < THRESHOLD_BITS:
            found = ("is easy to guess: common words, names, dates, keyboard rows or repetitions",)
        if holds_name:
            found += ("must not hold the username, the e-mail address or the name of the service",)
        return found


_PROFILES = {
    "development": PasswordRules(min_characters=8, refuses_common=False),
    "production": PasswordRules(min_characters=15, refuses_common=True),
}


def rules_for(profile: str, *, blocklist: Path | None = None) -> PasswordRules:
    """Return the rules of a profile.

    Args:
        profile: ``development`` or ``production``.
        blocklist: A file of passwords that are refused beside those that are built in; see ``blocklist``.

    Raises:
        ConfigurationError: There is no such profile, or the file cannot be used.
    """
    if profile not in _PROFILES:
        raise ConfigurationError("VOXGATE_PROFILE", f"must be one of {', '.join(_PROFILES)}")
    rules = _PROFILES[profile]
    return rules if blocklist is None else replace(rules, is_blocked=open_blocklist(blocklist))


def encode_password(password: str) -> bytes | None:
    """Return the bytes that are hashed, or None for a text that can be nobody's password.

    The whole text is used, nothing is trimmed, cut or changed in case. NFKC first, as NIST asks, because
    two keyboards may spell the same password in different code points.
    """
    try:
        if len(password) > MAX_PASSWORD_BYTES or len(password.encode()) > MAX_PASSWORD_BYTES:
            return None
    except UnicodeEncodeError:  # JSON can carry half a surrogate pair
        return None
    return normalize(password).encode()
