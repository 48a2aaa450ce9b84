"""Password hashes of other systems: werkzeug's pbkdf2 and scrypt, and bcrypt; verified here, never made."""

import hashlib
import hmac
import re
from collections.abc import Callable

# Parameters come from a file or a row; these bounds keep one of them from taking the machine.
_MAX_ITERATIONS = 10_000_000
_MAX_SCRYPT_BYTES = 1 << 28
_MAX_SCRYPT_LANES = 16
_MAX_BCRYPT_COST = 16
_BCRYPT_BYTES = 72  # bcrypt reads no more; systems that cut silently have hashed just these

_PBKDF2 = re.compile(r"pbkdf2:(sha1|sha256|sha512):(\d{1,8})\$([^$]{1,64})\$([0-9a-f]{40,128})")
_SCRYPT = re.compile(r"scrypt:(\d{1,8}):(\d{1,3}):(\d{1,3})\$([^$]{1,64})\$([0-9a-f]{128})")
_BCRYPT = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}")


def is_foreign_hash(text: str) -> bool:
    """Tell whether a text is a hash that ``verify_foreign`` understands, with parameters within its bounds."""
    return _verifier_of(text) is not None


def verify_foreign(password_hash: str, password: bytes) -> bool:
    """Tell whether a password is the one of a foreign hash; False for a text that is none.

    Args:
        password_hash: The stored hash.
        password: As it was typed, UTF-8: these systems did not normalize.
    """
    verify = _verifier_of(password_hash)
    return verify is not None and verify(password_hash, password)


def _verifier_of(text: str) -> Callable[[str, bytes], bool] | None:
    if (found := _PBKDF2.fullmatch(text)) and 1 <= int(found[2]) <= _MAX_ITERATIONS:
        return _is_pbkdf2
    if (found := _SCRYPT.fullmatch(text)) and _is_bounded(*map(int, found.group(1, 2, 3))):
        return _is_scrypt
    if (found := _BCRYPT.fullmatch(text)) and 4 <= int(found[1]) <= _MAX_BCRYPT_COST:  # noqa: PLR2004 -- bcrypt's own
        return _is_bcrypt
    return None


def _is_bounded(n: int, r: int, p: int) -> bool:
    is_power = n > 1 and not n & (n - 1)
    return is_power and r > 0 and 0 < p <= _MAX_SCRYPT_LANES and 128 * n * r <= _MAX_SCRYPT_BYTES


def _is_pbkdf2(text: str, password: bytes) -> bool:
    head, salt, digest = text.split("$")
    _, name, iterations = head.split(":")
    made = hashlib.pbkdf2_hmac(name, password, salt.encode(), int(iterations))
    return hmac.compare_digest(made.hex(), digest)


def _is_scrypt(text: str, password: bytes) -> bool:
    head, salt, digest = text.split("$")
    n, r, p = map(int, head.split(":")[1:])
    made = hashlib.scrypt(password, salt=salt.encode(), n=n, r=r, p=p, maxmem=132 * n * r * p + (1 << 20))
    return hmac.compare_digest(made.hex(), digest)


def _is_bcrypt(text: str, password: bytes) -> bool:
    import bcrypt  # noqa: PLC0415 -- only houses that came from elsewhere need it

    if b"\0" in password:  # bcrypt would read no further
        return False
    return bcrypt.checkpw(password[:_BCRYPT_BYTES], text.encode())
