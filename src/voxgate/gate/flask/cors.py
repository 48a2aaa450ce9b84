"""CORS: an exact allow list. It lets named pages read answers; it keeps nobody else from sending requests."""

from typing import Any

from voxgate.gate.flask.headers import Header

EXPOSED = "RateLimit, RateLimit-Policy, Retry-After, X-Request-ID, Location"
_ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, X-API-Key, X-Request-ID"
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_MAX_AGE_S = 600


class Cors:
    """Writes the CORS headers of an answer.

    Args:
        origins: Origins that may read answers, such as ``https://app.example``; compared exactly, at least one.
    """

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = origins

    def headers(self, environ: dict[str, Any]) -> list[Header]:
        """Return the headers for an answer of any status; ``Vary`` also where the origin is not allowed."""
        origin = environ.get("HTTP_ORIGIN")
        if origin not in self._origins:
            return [("Vary", "Origin")]
        return [
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", EXPOSED),
        ]

    def preflight(self, environ: dict[str, Any]) -> list[Header] | None:
        """Return the headers of the answer to a preflight of an allowed origin, or None for anything else."""
        is_preflight = environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        if not is_preflight or environ.get("HTTP_ORIGIN") not in self._origins:
            return None
        return [
            *self.headers(environ),
            ("Access-Control-Allow-Methods", _METHODS),
            ("Access-Control-Allow-Headers", _ALLOWED_HEADERS),
            ("Access-Control-Max-Age", str(_MAX_AGE_S)),
        ]
