"""API keys: ``sk-vg_<id>_<secret><crc>``, made once, stored as a digest, refused by checksum when mistyped."""

import hashlib
import re
from dataclasses import dataclass, field

from voxgate.gate import base62

PREFIX = "sk-vg_"
_ID_LENGTH = 12
_SECRET_LENGTH = 43  # 43 base62 characters carry 256 bits
# A double click on a key stops at the hyphen, so the form without the leading "sk-" is a key too.
_FORM = re.compile(r"(?:sk-)?(vg_([0-9A-Za-z]{12})_([0-9A-Za-z]{43})[0-9A-Za-z]{6})")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the one moment when its text is known.

    Attributes:
        text: The whole key; shown to its owner once and kept nowhere.
        key_id: The public part; safe to log and to list.
        digest: SHA-256 of the secret part; what is stored.
        hint: The last four characters of the secret, to tell keys apart in a list.
    """

    text: str = field(repr=False)
    key_id: str
    digest: bytes = field(repr=False)
    hint: str


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """A key that is well formed; whether it exists only the store knows."""

    key_id: str
    digest: bytes = field(repr=False)


def new_key() -> NewKey:
    """Make a key with a 256-bit secret from the system's secure generator."""
    key_id = base62.random_text(_ID_LENGTH)
    secret = base62.random_text(_SECRET_LENGTH)
    text = base62.append_checksum(f"{PREFIX}{key_id}_{secret}")
    return NewKey(text=text, key_id=key_id, digest=_digest(secret), hint=secret[-4:])


def parse_key(text: str) -> ParsedKey | None:
    """Read a key without any look-up; None when it is malformed or mistyped."""
    match = _FORM.fullmatch(text)
    if match is None or not base62.has_right_checksum("sk-" + match[1]):
        return None
    return ParsedKey(key_id=match[2], digest=_digest(match[3]))


def _digest(secret: str) -> bytes:
    # A plain digest is right for 256 random bits (ASVS 5.0, 6.5.2); a slow hash would cost every request.
    return hashlib.sha256(secret.encode()).digest()
