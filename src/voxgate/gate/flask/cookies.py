"""Cookies that carry a session's tokens: written so that no script and no other site can read or send them."""

from dataclasses import dataclass
from typing import Any, Protocol

from flask import Response

from voxgate.gate.errors import ConfigurationError, Refusal
from voxgate.gate.principal import CredentialKind
from voxgate.gate.tiers import Rule
from voxgate.gate.verifying import Credential

SHOWN = "voxgate.cookie"
"""Where the WSGI environment holds what a cookie has shown: a Credential, or the Refusal of a malformed one."""

ACCESS_NAME = "__Host-voxgate"
_REFRESH_NAME = "voxgate-refresh"
_SAME_SITE = ("Strict", "Lax")
_TOKENS = (CredentialKind.ACCESS, CredentialKind.REFRESH)


class Tokens(Protocol):
    """The tokens of a session, as ``gate.issuer`` gives them."""

    @property
    def access_token(self) -> str:
        """Opens routes."""

    @property
    def refresh_token(self) -> str:
        """Gets new tokens."""

    @property
    def expires_in_s(self) -> int:
        """Life of the access token in seconds."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """How the tokens of a session stand in cookies (RFC 6265bis, section 5.6).

    Browsers take cookies of these names over TLS alone, and from this very host; most do so on loopback without TLS.

    Attributes:
        is_on: Whether routes take cookies that do not say it themselves.
        same_site: ``Strict``, or ``Lax`` where links of other sites must find the reader logged in.
        refresh_path: The one path that the refresh token is sent to.
        session_expires_s: How long a browser keeps the refresh token, in seconds.

    Raises:
        ConfigurationError: The attribute is neither of the two, or the path is none.
    """

    is_on: bool = False
    same_site: str = _SAME_SITE[0]
    refresh_path: str = "/"
    session_expires_s: int = 2_592_000

    def __post_init__(self) -> None:
        """Refuse what browsers would take for something else."""
        if self.same_site not in _SAME_SITE:
            raise ConfigurationError("JWT_COOKIE_SAMESITE", f"must be Strict or Lax, not {self.same_site!r}")
        if not self.refresh_path.startswith("/") or ";" in self.refresh_path:
            raise ConfigurationError("JWT_REFRESH_COOKIE_PATH", f"must be a path, not {self.refresh_path!r}")

    @property
    def refresh_name(self) -> str:
        """Name of the refresh token's cookie; browsers take ``__Host-`` for the whole host alone."""
        return ("__Host-" if self.refresh_path == "/" else "__Secure-") + _REFRESH_NAME

    def are_taken(self, rule: Rule) -> bool:
        """Say whether a route has to do with cookies: takes them, or is open and may set them."""
        has_use = not rule.credentials or not rule.credentials.isdisjoint(_TOKENS)
        return has_use and not rule.is_exempt and (self.is_on if rule.cookies is None else rule.cookies)

    def present(self, environ: dict[str, Any], rule: Rule) -> None:
        """Put what the request's cookies show under ``SHOWN``, where the route takes it."""
        environ.pop(SHOWN, None)
        if not self.are_taken(rule):
            return
        pairs = [pair.strip() for pair in environ.get("HTTP_COOKIE", "").split(";")]
        for kind, name in zip(_TOKENS, (ACCESS_NAME, self.refresh_name), strict=True):
            found = [pair[len(name) + 1 :] for pair in pairs if pair.startswith(name + "=")]
            if kind in rule.credentials and any(found):
                environ[SHOWN] = Credential(kind, found[0]) if len(found) == 1 else _twice(name)
                return

    def write(self, response: Response, tokens: Tokens) -> None:
        """Add the cookies of a session's tokens to an answer."""
        self._write(response, tokens.access_token, tokens.expires_in_s, is_refresh=False)
        self._write(response, tokens.refresh_token, self.session_expires_s, is_refresh=True)

    def clear(self, response: Response) -> None:
        """Add to an answer what removes the cookies."""
        for is_refresh in (False, True):
            self._write(response, "", 0, is_refresh=is_refresh)

    def _write(self, response: Response, text: str, max_age_s: int, *, is_refresh: bool) -> None:
        response.set_cookie(
            self.refresh_name if is_refresh else ACCESS_NAME,
            text,
            max_age=max_age_s,
            path=self.refresh_path if is_refresh else "/",
            secure=True,
            httponly=True,
            samesite=self.same_site,
        )


def _twice(name: str) -> Refusal:
    # Another host of the same site can add a cookie of this name, never replace the right one unseen.
    return Refusal("INVALID_REQUEST", message=f"The cookie {name} came twice; log out and in again.")
