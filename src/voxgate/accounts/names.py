"""Names that people choose: which usernames, e-mail addresses and labels are accepted, and how they are compared."""

import hashlib
import re
import unicodedata

USERNAME_MIN_CHARACTERS = 3
USERNAME_MAX_CHARACTERS = 64
EMAIL_MAX_CHARACTERS = 254  # RFC 5321 leaves no room for a longer one

# What is drawn as nothing though it counts as a letter or a mark (Unicode, Default_Ignorable_Code_Point); of other
# categories no character of that kind is accepted anyway.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Alphabets whose letters are drawn alike; a name of two of them is a name that looks like another's.
_LOOKALIKES = frozenset({"LATIN", "CYRILLIC", "GREEK", "COPTIC", "ARMENIAN", "CHEROKEE", "LISU"})

_NO_EMAIL = "must be an e-mail address such as name@example.org"
_EMAIL = re.compile(r"[^@\s]{1,64}@[^\W_](?:[\w.-]*[^\W_])?")


def normalize(text: str) -> str:
    """Return the one spelling (NFKC) of a text that can be typed in several ways."""
    return unicodedata.normalize("NFKC", text)


def fold(text: str) -> str:
    """Return the form by which names are compared: without case, width or composition (Unicode NFKC_Casefold)."""
    return normalize(normalize(text).casefold())


def name_digest(identifier: str) -> str:
    """Return what names an account in a counter; hashed, because people type passwords where a name belongs."""
    return hashlib.sha256(fold(identifier.strip()).encode()).hexdigest()[:32]


def find_username_fault(username: str) -> str | None:
    """Return what is wrong with a normalized username, or None.

    Letters and digits of any script and ``. _ -`` are accepted. ``@`` is not: an identifier with one is
    an e-mail address, so a name can never shadow another account's address. Nor is what looks like another name: an
    invisible character, or letters of two alphabets that are drawn alike (UTS #39, section 5.2). A name that is
    written in one other alphabet throughout may still look like one.
    """
    if not USERNAME_MIN_CHARACTERS <= len(username) <= USERNAME_MAX_CHARACTERS:
        return f"must be {USERNAME_MIN_CHARACTERS} to {USERNAME_MAX_CHARACTERS} characters long"
    if not username[0].isalnum() or not all(_is_name_character(character) for character in username):
        return "may hold letters, digits and '.', '_', '-', and starts with a letter or digit"
    if len(_LOOKALIKES & {unicodedata.name(character, "").partition(" ")[0] for character in username}) > 1:
        return "must not mix letters of alphabets that look alike, such as Latin and Cyrillic"
    return None


def find_email_fault(email: str) -> str | None:
    """Return what is wrong with a normalized e-mail address, or None; only a message sent there can prove it."""
    if len(email) > EMAIL_MAX_CHARACTERS or len(fold(email)) > EMAIL_MAX_CHARACTERS:
        return f"must be at most {EMAIL_MAX_CHARACTERS} characters long"
    if not _EMAIL.fullmatch(email) or ".." in email or _INVISIBLE.search(email):
        return _NO_EMAIL
    if not all(_is_printable(character) for character in email):
        return _NO_EMAIL
    return None


def clean_label(text: str, *, limit: int) -> str:
    """Return at most ``limit`` printable characters of a text that is only ever shown, such as a User-Agent."""
    text = text[: limit * 4]
    if not (text.isascii() and text.isprintable()):
        text = "".join(character for character in text if _is_printable(character))
    return text[:limit]


def _is_name_character(character: str) -> bool:
    # Marks (M) are letters' parts in many scripts; NFKC leaves those that have no composed form.
    is_letter = unicodedata.category(character)[0] in "LM" and not _INVISIBLE.match(character)
    return character in "._-" or is_letter or character.isdecimal()


def _is_printable(character: str) -> bool:
    # Controls, format characters, surrogates and unassigned code points hide or break; databases refuse some.
    return unicodedata.category(character)[0] != "C"
