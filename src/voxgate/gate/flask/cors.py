"""CORS: an exact allow list. It lets named pages read answers; it keeps nobody else from sending requests."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from voxgate.gate.errors import ConfigurationError
from voxgate.gate.flask.csrf import HEADER as CSRF_HEADER
from voxgate.gate.flask.headers import Header
from voxgate.gate.tiers import Rule

EXPOSED = (
    "RateLimit, RateLimit-Policy, Retry-After, X-Request-ID, X-Gate-Degraded, "
    "WWW-Authenticate, Location, ETag, Content-Disposition, X-Device-Token"
)
_ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Range, X-API-Key, X-Device-Token, X-Request-ID"
)
_MAX_AGE_S = 600
VARY: Header = ("Vary", "Origin")
_ORIGIN = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_DEFAULT_PORTS = frozenset({("http", ":80"), ("https", ":443")})


def read_origins(origins: str | Iterable[str], *, name: str) -> frozenset[str]:
    """Return origins that browsers would send in these very spellings.

    Args:
        origins: One, or several.
        name: The setting, for the error.

    Raises:
        ConfigurationError: One has a path, a wildcard, a capital or its scheme's own port, or is ``null``.
    """
    found = frozenset([origins] if isinstance(origins, str) else origins)
    for origin in found:
        parts = _ORIGIN.fullmatch(origin)
        if parts is None or (parts[1], parts[3]) in _DEFAULT_PORTS:
            raise ConfigurationError(
                name, f"{origin!r} is no origin as a browser sends it, such as https://app.example"
            )
    return found


class Cors:
    """Writes the CORS headers of an answer.

    Args:
        origins: Origins that may read answers, such as ``https://app.example``; compared exactly.
        takes_cookies: Says whether the pages of these origins may send the cookies of their reader to a route.
    """

    def __init__(self, origins: frozenset[str], *, takes_cookies: Callable[[Rule], bool]) -> None:
        self.origins = origins
        self._takes_cookies = takes_cookies

    def origins_of(self, rule: Rule | None) -> frozenset[str]:
        """Return the origins that may read what a route answers; None is a route without a rule."""
        return self.origins if rule is None or rule.cors is None else rule.cors

    def headers(self, environ: dict[str, Any], rule: Rule | None) -> list[Header]:
        """Return the headers for an answer of any status; ``Vary`` also where the origin is not allowed."""
        origin, origins = environ.get("HTTP_ORIGIN"), self.origins_of(rule)
        if origin not in origins:
            return [VARY] if origins else []
        own = [VARY, ("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", EXPOSED)]
        if rule is not None and self._takes_cookies(rule):
            own.append(("Access-Control-Allow-Credentials", "true"))
        return own

    def preflight(self, environ: dict[str, Any], rule: Rule | None, methods: Sequence[str]) -> list[Header] | None:
        """Return the headers of the answer to a preflight of an allowed origin, or None for anything else.

        Args:
            environ: The preflight.
            rule: The rule of the route that is to be asked.
            methods: The methods of that route; none where there is no such route.
        """
        if not methods or environ.get("HTTP_ORIGIN") not in self.origins_of(rule):
            return None
        has_cookies = rule is not None and self._takes_cookies(rule)
        return [
            *self.headers(environ, rule),
            ("Access-Control-Allow-Methods", ", ".join(methods)),
            ("Access-Control-Allow-Headers", f"{_ALLOWED_HEADERS}, {CSRF_HEADER}" if has_cookies else _ALLOWED_HEADERS),
            ("Access-Control-Max-Age", str(_MAX_AGE_S)),
        ]
