"""Base62 text and the checksum that refuses a mistyped credential before anything is looked up."""

import secrets
import string
import zlib

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
CHECKSUM_LENGTH = 6  # 62**6 > 2**32: room for a CRC-32


def encode(number: int, *, length: int) -> str:
    """Return a non-negative number in base62, padded with zeros to ``length`` characters."""
    digits = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits)).rjust(length, ALPHABET[0])


def decode(text: str) -> int:
    """Return the number that base62 text stands for.

    Raises:
        ValueError: A character is none of the alphabet's.
    """
    number = 0
    for character in text:
        number = number * 62 + ALPHABET.index(character)
    return number


def random_text(length: int) -> str:
    """Return ``length`` random characters, 5.95 bits each, from the system's secure generator."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def append_checksum(text: str) -> str:
    """Return the text followed by its CRC-32 in six base62 characters."""
    return text + encode(zlib.crc32(text.encode()), length=CHECKSUM_LENGTH)


def has_right_checksum(text: str) -> bool:
    """Tell whether the last six characters are the checksum of all before them."""
    return append_checksum(text[:-CHECKSUM_LENGTH]) == text
