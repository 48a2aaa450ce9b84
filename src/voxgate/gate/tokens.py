"""Tokens: access tokens are JWTs of type ``at+jwt``, refresh tokens are opaque and derived; both verify without I/O."""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from voxgate.gate import base62
from voxgate.gate.errors import ConfigurationError, Refusal

ALGORITHM = "HS256"
MIN_KEY_BYTES = 32
MAX_LEEWAY_S = 10
MAX_TOKEN_CHARACTERS = 4096
REFRESH_PREFIX = "vgr_"
CLIENT_ID = "voxgate"
MAX_GENERATION = 10**9  # nine digits, in both tokens of a session

# 32 bytes of signature are 43 characters; the last one carries four bits, so only these sixteen are canonical.
# Any other spelling of the same bytes is refused: one token, one text.
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_REFRESH = re.compile(r"vgr_([0-9A-Za-z]{1,64})_([0-9]{1,9})_([0-9A-Za-z]{1,700})_([0-9A-Za-z]{22})[0-9A-Za-z]{6}")
_INVALID = Refusal("INVALID_TOKEN")
_HEADER = MappingProxyType({"alg": ALGORITHM, "typ": "at+jwt"})
# Nearly every token that comes is one of ours, and its header is this text.
_HEADER_TEXT = json.dumps(dict(_HEADER), separators=(",", ":"))
_HEADER_SEGMENT = base64.urlsafe_b64encode(_HEADER_TEXT.encode()).decode().rstrip("=")
# Keys that are printed in documentation, and keys that were typed instead of made.
_KNOWN_KEYS = frozenset({b"dev-secret-key-change-in-production", b"super-secret-key"})
_MIN_DISTINCT_BYTES = 10


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
    """Issues and verifies the tokens of one service with one key and one algorithm (RFC 8725, section 3.1).

    Args:
        key: The HS256 key, at least 32 bytes.
        issuer: ``iss`` of every token.
        audience: ``aud`` of every token.
        access_expires_s: Life of an access token in seconds.
        leeway_s: Clock difference that ``exp`` and ``nbf`` forgive, 0 to 10 seconds.

    Raises:
        ConfigurationError: The key is shorter than 256 bits or known, or the leeway is out of bounds.
    """

    def __init__(
        self,
        key: bytes,
        *,
        issuer: str = "voxgate",
        audience: str = "voxgate",
        access_expires_s: int = 900,
        leeway_s: int = 0,
    ) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ConfigurationError("JWT_SECRET_KEY", f"HS256 needs at least {MIN_KEY_BYTES} random bytes (RFC 7518)")
        if key in _KNOWN_KEYS or len(set(key)) < _MIN_DISTINCT_BYTES:
            raise ConfigurationError("JWT_SECRET_KEY", "is publicly known or was not made at random; make a new one")
        if not 0 <= leeway_s <= MAX_LEEWAY_S:
            raise ConfigurationError("JWT_DECODE_LEEWAY", f"must be 0 to {MAX_LEEWAY_S} seconds")
        self.issuer = issuer
        self.audience = audience
        self.access_expires_s = access_expires_s
        self._leeway_s = leeway_s
        self._key = OctKey.import_key(key)
        # A key of its own for each purpose: a refresh token's MAC can never be a JWT's signature.
        self._refresh_key = hmac.digest(key, b"voxgate refresh token 1", "sha256")

    def __repr__(self) -> str:
        """Name the issuer, never the key."""
        return f"Signer(issuer={self.issuer!r}, audience={self.audience!r})"

    def derive_key(self, purpose: str) -> bytes:
        """Return a key of 256 bits for another purpose; it opens nothing else, and leads back to no signing key."""
        return hmac.digest(self._refresh_key, b"voxgate purpose " + purpose.encode(), "sha256")

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
            "jti": secrets.token_hex(16),
        }
        if scopes:
            claims["scope"] = " ".join(sorted(scopes))
        if generation:
            claims["gen"] = generation
        payload = json.dumps(claims, separators=(",", ":")).encode()
        return jws.serialize_compact(dict(_HEADER), payload, self._key, algorithms=[ALGORITHM])

    def verify_access(self, token: str, *, now_ms: int) -> AccessClaims | Refusal:
        """Return what the token says, or why it is refused; no claim is read before the signature holds."""
        match = _COMPACT.fullmatch(token) if len(token) <= MAX_TOKEN_CHARACTERS else None
        if match is None or (match[1] != _HEADER_SEGMENT and not _is_our_header(match[1])):
            return _INVALID
        try:
            payload = jws.deserialize_compact(token, self._key, algorithms=[ALGORITHM]).payload
        except (JoseError, ValueError):
            return _INVALID
        claims = _read_object(payload)
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
        mac = hmac.digest(self._refresh_key, claims.encode(), hashlib.sha256)
        return base62.encode(int.from_bytes(mac[:16], "big"), length=22)

    def _are_ours(self, claims: dict[str, Any]) -> bool:
        texts = all(isinstance(claims.get(name), str) and claims[name] for name in ("sub", "sid", "jti"))
        times = all(type(claims.get(name)) is int for name in ("iat", "exp"))
        optional = type(claims.get("nbf", 0)) is int and isinstance(claims.get("scope", ""), str)
        generation = claims.get("gen", 0)
        optional = optional and type(generation) is int and 0 <= generation < MAX_GENERATION
        return texts and times and optional and claims.get("iss") == self.issuer and claims.get("aud") == self.audience

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


def load_or_create_key(path: Path) -> bytes:
    """Return the key in a file, made with 256 random bits and mode 0600 when there is none.

    Several processes may start at once: exactly one makes the file, all read the same key.

    Raises:
        ConfigurationError: The file holds less than 256 bits.
        OSError: The file can be neither read nor made.
    """
    if not path.exists():
        _create_key(path)
    text = path.read_text(encoding="ascii", errors="replace").strip()
    key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if re.fullmatch(r"[A-Za-z0-9_-]{43,}", text) else b""
    if len(key) < MIN_KEY_BYTES:
        raise ConfigurationError(str(path), "holds no key of 256 bits; remove the file to have a new one made")
    return key


def _create_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(MIN_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link fails when another process was first, and never shows a half-written key.
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink(missing_ok=True)


def _is_our_header(segment: str) -> bool:
    header = _read_object(_decode(segment))
    if header is None or header.keys() - {"alg", "typ"}:
        # Nothing in a header may choose a key or change the reading: no kid, jwk, jku, x5u, crit, b64, zip.
        return False
    typ = header.get("typ")
    return (
        header.get("alg") == ALGORITHM and isinstance(typ, str) and typ.lower().removeprefix("application/") == "at+jwt"
    )


def _decode(segment: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        return b""


def _read_object(text: bytes) -> dict[str, Any] | None:
    """Return a JSON object without duplicate names, or None."""
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
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
