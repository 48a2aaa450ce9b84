"""What makes a signing key too weak to start with."""

import re

MIN_KEY_BYTES = 32
MAKE_KEY_COMMAND = 'python3 -c "import secrets; print(secrets.token_urlsafe(32))"'

_MIN_DISTINCT = 8
_KNOWN = frozenset(
    {"supersecretkey", "devsecretkeychangeinproduction", "changeme", "yoursecretkeyhere", "jwtsecretkey"}
)
# Words that tutorials build their keys from. What remains without them must still be long enough.
_WORDS = re.compile(
    r"super|secret|key|dev(elopment)?|change|this|in|production|prod|your|my|jwt|token|signing|password|pass|word|"
    r"default|example|test(ing)?|insecure|flask|app|api|please|replace|with|random|string|here|qwerty|admin|me|a|the|[^a-z0-9]",
)


def find_weakness(key: str, *, strict: bool) -> str | None:
    """Return why a signing key must not be used, or None; the key itself is never part of the text.

    Args:
        key: The key as configured.
        strict: Also refuse keys that are long but made of tutorial words or of a repeated piece.

    Returns:
        A reason that completes "the key ...", or None.
    """
    size = len(key.encode("utf-8", "surrogatepass"))
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    if plain in _KNOWN:
        return "is published in tutorials and known to everybody"
    if size < MIN_KEY_BYTES:
        return f"has {size} bytes; at least {MIN_KEY_BYTES} random bytes are needed"
    if len(set(key)) < _MIN_DISTINCT:
        return f"has fewer than {_MIN_DISTINCT} different characters"
    if strict and (_is_repeated(key) or _is_made_of_words(key)):
        return "is made of common words or of a repeated piece"
    return None


def _is_repeated(key: str) -> bool:
    return any(key[period:] == key[:-period] for period in range(1, len(key) // 2 + 1))


def _is_made_of_words(key: str) -> bool:
    # A random key loses a few characters here, a made-up one nearly all of them.
    return len(_WORDS.sub("", key.lower())) < len(key) // 2
