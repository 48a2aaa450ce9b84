"""The texts of tokens: base64url without padding, and JSON that has one reading only."""

import base64
import json
from typing import Any


def encode(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes of a base64url text of the right alphabet, or none when its length is no text's."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def write_object(value: dict[str, Any]) -> str:
    """Return a JSON object as the base64url text of its shortest form."""
    return encode(json.dumps(value, separators=(",", ":")).encode())


def read_object(text: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a text, or None: names stand once (RFC 7515, section 4), numbers are numbers."""
    try:
        value = _DECODER.decode(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate name")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


# Made once: what json.loads makes anew for every text with a hook.
_DECODER = json.JSONDecoder(object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
