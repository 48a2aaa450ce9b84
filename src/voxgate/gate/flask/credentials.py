"""What a request shows in its headers: one credential at most; addresses and bodies are never looked at."""

from typing import Any

from voxgate.gate.api_keys import PREFIX
from voxgate.gate.errors import Refusal
from voxgate.gate.principal import CredentialKind
from voxgate.gate.tokens import REFRESH_PREFIX
from voxgate.gate.verifying import Credential

_KEY_PREFIXES = (PREFIX, PREFIX.removeprefix("sk-"))


def read(environ: dict[str, Any]) -> Credential | Refusal | None:
    """Return the credential of a request, None when nothing was shown, or why it cannot be read.

    Tokens in the query string or the body are not credentials (RFC 6750, section 5.3: they end up in logs).
    """
    authorization = environ.get("HTTP_AUTHORIZATION")
    key = environ.get("HTTP_X_API_KEY")
    if authorization is None:
        return None if key is None else Credential(CredentialKind.API_KEY, key.strip())
    if key is not None:
        return Refusal("INVALID_REQUEST", message="Show a bearer token or an API key, not both.")
    scheme, _, text = authorization.strip().partition(" ")
    if scheme.lower() != "bearer":
        # Other schemes belong to others; for this guard nothing was shown.
        return None
    text = text.strip()
    if not text or " " in text or "," in text:
        return Refusal("INVALID_TOKEN")
    if text.startswith(_KEY_PREFIXES):
        return Credential(CredentialKind.API_KEY, text)
    is_refresh = text.startswith(REFRESH_PREFIX)
    return Credential(CredentialKind.REFRESH if is_refresh else CredentialKind.ACCESS, text)
