"""Tokens: access tokens are JWTs of type ``at+jwt``, refresh tokens are opaque and derived; both verify without I/O."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Any

from voxgate.gate import base62
from voxgate.gate.errors import ConfigurationError, Refusal
from voxgate.gate.signing import KeyRing, ring_of_secret
from voxgate.gate.signing.text import decode, read_object, write_object

MAX_LEEWAY_S = 10
MAX_TOKEN_CHARACTERS = 4096
REFRESH_PREFIX = "vgr_"
CLIENT_ID = "voxgate"
MAX_GENERATION = 10**9  # nine digits, in both tokens of a session

# What is not spelled like a token costs nothing more. The spare bits of a signature count too: one token, one text.
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43,700})")
_REFRESH = re.compile(r"vgr_([0-9A-Za-z]{1,64})_([0-9]{1,9})_([0-9A-Za-z]{1,700})_([0-9A-Za-z]{22})[0-9A-Za-z]{6}")
_INVALID = Refusal("INVALID_TOKEN")
# The last second of the year 9999: what lies behind it is no time (RFC 7519, section 2).
_MAX_TIME_S = 253_402_300_799


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a verified access token says.

    Attributes:
        subject: ``sub``, the account.
        session_id: ``sid``, the session that the token belongs to.
        scopes: ``scope``; empty means everything that the account may do.
        expires_at_ms: ``exp`` in milliseconds since the epoch.
        token_id: ``jti``; safe to log.
        generation: ``gen``, which of its session's tokens it is, counted from 0.
    """

    subject: str
    session_id: str
    scopes: frozenset[str]
    expires_at_ms: int
    token_id: str
    generation: int = 0


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What a verified refresh token says.

    Attributes:
        session_id: The session that it belongs to.
        counter: Which of the session's refresh tokens it is.
        scopes: What the session may do; empty means everything that the account may do.
    """

    session_id: str
    counter: int
    scopes: frozenset[str] = frozenset()


class Signer:
    """Issues and verifies the tokens of one service; each of its keys has one algorithm (RFC 8725, section 3.1).

    Args:
        key: An HS256 secret of at least 32 bytes, or a ring of keys.
        issuer: ``iss`` of every token.
        audience: ``aud`` of every token.
        access_expires_s: Life of an access token in seconds.
        leeway_s: Clock difference that ``exp`` and ``nbf`` forgive, 0 to 10 seconds.

    Raises:
        ConfigurationError: The secret is shorter than 256 bits or known, or the leeway is out of bounds.
    """

    def __init__(
        self,
        key: bytes | KeyRing,
        *,
        issuer: str = "voxgate",
        audience: str = "voxgate",
        access_expires_s: int = 900,
        leeway_s: int = 0,
    ) -> None:
        if not 0 <= leeway_s <= MAX_LEEWAY_S:
            raise ConfigurationError("JWT_DECODE_LEEWAY", f"must be 0 to {MAX_LEEWAY_S} seconds")
        self.issuer = issuer
        self.audience = audience
        self.access_expires_s = access_expires_s
        self._leeway_s = leeway_s
        self.keys = key if isinstance(key, KeyRing) else ring_of_secret(key)

    def __repr__(self) -> str:
        """Name the issuer, never the key."""
        return f"Signer(issuer={self.issuer!r}, audience={self.audience!r})"

    def derive_key(self, purpose: str) -> bytes:
        """Return a key of 256 bits for another purpose; it opens nothing else, and leads back to no signing key."""
        return hmac.digest(self.keys.refresh_key, b"voxgate purpose " + purpose.encode(), "sha256")

    def issue_access(
        self,
        subject: str,
        session_id: str,
        *,
        scopes: frozenset[str] = frozenset(),
        generation: int = 0,
        now_ms: int,
    ) -> str:
        """Return a signed access token (RFC 9068) that lives ``access_expires_s`` seconds."""
        now_s = now_ms // 1000
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "sid": session_id,
            "client_id": CLIENT_ID,
            "iat": now_s,
            "exp": now_s + self.access_expires_s,
            # Whoever is given the id of a token knows the session that it belongs to.
            "jti": f"{session_id}.{secrets.token_hex(8)}",
        }
        if scopes:
            claims["scope"] = " ".join(sorted(scopes))
        if generation:
            claims["gen"] = generation
        key = self.keys.signing_key(now_ms)
        signing_input = f"{key.header}.{write_object(claims)}"
        return f"{signing_input}.{key.sign(signing_input)}"

    def verify_access(self, token: str, *, now_ms: int) -> AccessClaims | Refusal:
        """Return what the token says, or why it is refused; no claim is read before the signature holds."""
        match = _COMPACT.fullmatch(token) if len(token) <= MAX_TOKEN_CHARACTERS else None
        if match is None:
            return _INVALID
        header, payload, signature = match.groups()
        key = self.keys.find(header, now_ms=now_ms)
        if key is None or not key.is_signature(token[: match.end(2)], signature):
            return _INVALID
        claims = read_object(decode(payload))
        if claims is None or not self._are_ours(claims):
            return _INVALID
        return self._check_time(claims, now_s=now_ms / 1000)

    def issue_refresh(self, session_id: str, *, counter: int = 0, scopes: frozenset[str] = frozenset()) -> str:
        """Return the refresh token of a session: derived from it, so nothing of it is stored.

        The scopes are in it, under its MAC: a session that was opened for little never gets tokens for more.
        """
        words = base62.encode(int.from_bytes(" ".join(sorted(scopes)).encode(), "big"), length=1)
        claims = f"{session_id}_{counter}_{words}"
        return base62.append_checksum(f"{REFRESH_PREFIX}{claims}_{self._mac(claims)}")

    def verify_refresh(self, token: str) -> RefreshClaims | Refusal:
        """Return the session that a refresh token belongs to, or why it is refused."""
        match = _REFRESH.fullmatch(token)
        if match is None or not base62.has_right_checksum(token):
            return _INVALID
        session_id, counter, words, mac = match.groups()
        if not hmac.compare_digest(self._mac(f"{session_id}_{counter}_{words}"), mac):
            return _INVALID
        number = base62.decode(words)
        text = number.to_bytes((number.bit_length() + 7) // 8, "big").decode()
        return RefreshClaims(session_id=session_id, counter=int(counter), scopes=frozenset(text.split()))

    def _mac(self, claims: str) -> str:
        mac = hmac.digest(self.keys.refresh_key, claims.encode(), hashlib.sha256)
        return base62.encode(int.from_bytes(mac[:16], "big"), length=22)

    def _are_ours(self, claims: dict[str, Any]) -> bool:
        find = claims.get
        generation = find("gen", 0)
        return (
            find("iss") == self.issuer
            and find("aud") == self.audience  # one audience, as text: a token for several services is not ours
            and _is_text(find("sub"))
            and _is_text(find("sid"))
            and _is_text(find("jti"))
            and _is_time(find("iat"))
            and _is_time(find("exp"))
            and _is_time(find("nbf", 0))
            and isinstance(find("scope", ""), str)
            and type(generation) is int
            and 0 <= generation < MAX_GENERATION
        )

    def _check_time(self, claims: dict[str, Any], *, now_s: float) -> AccessClaims | Refusal:
        if now_s >= claims["exp"] + self._leeway_s:
            return Refusal("TOKEN_EXPIRED")
        if now_s < max(claims.get("nbf", 0), claims["iat"]) - MAX_LEEWAY_S:
            return _INVALID
        return AccessClaims(
            subject=claims["sub"],
            session_id=claims["sid"],
            scopes=frozenset(claims.get("scope", "").split()),
            expires_at_ms=claims["exp"] * 1000,
            token_id=claims["jti"],
            generation=claims.get("gen", 0),
        )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _is_time(value: object) -> bool:
    """Tell whether a value is a whole number of seconds; a bool or a float is none, though Python counts them so."""
    return type(value) is int and 0 <= value <= _MAX_TIME_S
