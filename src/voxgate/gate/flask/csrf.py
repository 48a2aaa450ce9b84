"""CSRF: a credential that browsers send by themselves counts only when the page that sent it is one of ours.

The order is that of OWASP's cheat sheet: what the browser says of the sender (Fetch Metadata), then ``Origin``, then,
where the client says neither, a signed token that only a reader of our answers can have.
"""

import base64
import hmac
import secrets
from collections.abc import Callable, Container
from typing import Any

from voxgate.gate.errors import Refusal

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""

HEADER = "X-CSRF-Token"
_ENVIRON_NAME = "HTTP_X_CSRF_TOKEN"
_NONCE_BYTES = 16
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_FAILED = Refusal("CSRF_FAILED")


class Csrf:
    """Tells requests that a page of ours has sent from forged ones; no input, no output, nothing stored.

    Args:
        key: Gives what signs tokens, 256 bits; asked each time, because a key that has leaked is replaced.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def token(self, session_id: str) -> str:
        """Return a new token that is good for one session, as long as the session lives."""
        nonce = secrets.token_urlsafe(_NONCE_BYTES)  # differs each time, so that compression tells nothing of it
        return f"{nonce}.{self._mac(session_id, nonce)}"

    def check(self, environ: dict[str, Any], session_id: str | None, *, trusted: Container[str]) -> Refusal | None:
        """Return why a request that changes something is taken for forged, or None.

        Args:
            environ: The request.
            session_id: The session that its cookie shows; None where a session is only to be opened, and a client
                that is no browser has nothing to prove.
            trusted: Other origins whose pages may act for their reader.
        """
        if environ["REQUEST_METHOD"] in SAFE_METHODS:
            return None
        site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
        if site == "same-origin" or (origin is not None and origin in trusted):
            return None
        if site is not None:
            return _FAILED
        if origin is not None:
            return None if origin == _own_origin(environ) else _FAILED
        if session_id is None:
            return None
        return None if self._is_token(environ.get(_ENVIRON_NAME, ""), session_id) else _FAILED

    def _is_token(self, text: str, session_id: str) -> bool:
        nonce, _, mac = text.partition(".")
        return hmac.compare_digest(mac.encode(), self._mac(session_id, nonce).encode())

    def _mac(self, session_id: str, nonce: str) -> str:
        mac = hmac.digest(self._key(), f"{session_id}.{nonce}".encode(), "sha256")
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def _own_origin(environ: dict[str, Any]) -> str:
    """Return the origin of this service as a browser would send it, without the default port."""
    scheme = environ["wsgi.url_scheme"]
    return f"{scheme}://{environ.get('HTTP_HOST', '').lower().removesuffix(_DEFAULT_PORTS.get(scheme, ''))}"
