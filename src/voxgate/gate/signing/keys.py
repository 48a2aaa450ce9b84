"""A signing key: one key, one algorithm, one header (RFC 8725, section 3.1); no token can choose another."""

import hmac
from enum import StrEnum
from typing import Any, Protocol

from voxgate.gate import base62
from voxgate.gate.errors import ConfigurationError
from voxgate.gate.signing.text import encode, write_object

MIN_KEY_BYTES = 32
TOKEN_TYPE = "at+jwt"  # noqa: S105 -- RFC 9068, section 2.1
_KID_LENGTH = 12
_FINGERPRINT_LENGTH = 10
# Keys that are printed in documentation, and keys that were typed instead of made.
_KNOWN_KEYS = frozenset({b"dev-secret-key-change-in-production", b"super-secret-key"})
_MIN_DISTINCT_BYTES = 10


class Algorithm(StrEnum):
    """The signature algorithms that a key can have."""

    HS256 = "HS256"
    EDDSA = "EdDSA"
    ES256 = "ES256"
    RS256 = "RS256"


ALGORITHMS = tuple(str(each) for each in Algorithm)


class Material(Protocol):
    """What makes and checks signatures. A signature is base64url text, and each has one spelling."""

    def sign(self, text: str) -> str:
        """Return the signature of a text."""
        ...

    def is_signature(self, text: str, signature: str) -> bool:
        """Tell whether a signature is the one of a text."""
        ...

    def public(self) -> dict[str, Any] | None:
        """Return the public part as a JWK, or None when everything is secret."""
        ...

    def private(self) -> dict[str, Any]:
        """Return everything as a JWK."""
        ...


class SigningKey:
    """One key with everything that is fixed about it.

    Args:
        kid: Its name; it comes from configuration only.
        algorithm: Its one algorithm.
        material: Makes and checks signatures.
        made_at_ms: When it was made, milliseconds since the epoch; 0 when nobody knows.
        ends_at_ms: When it stops verifying, or None.
        is_named: Whether its tokens carry the kid; those of a service's first key carry none.
    """

    def __init__(
        self,
        kid: str,
        algorithm: Algorithm,
        *,
        material: Material,
        made_at_ms: int = 0,
        ends_at_ms: int | None = None,
        is_named: bool = True,
    ) -> None:
        self.kid = kid
        self.algorithm = algorithm
        self.material = material
        self.made_at_ms = made_at_ms
        self.ends_at_ms = ends_at_ms
        self.token_kid = kid if is_named else ""
        self.sign = material.sign
        self.is_signature = material.is_signature
        header = {"alg": str(algorithm), "typ": TOKEN_TYPE}
        # The very text of the header of its tokens.
        self.header = write_object(header | {"kid": kid} if is_named else header)

    def __repr__(self) -> str:
        """Name the key, never what it is made of."""
        return f"SigningKey({self.kid!r}, {self.algorithm})"

    def lives_at(self, now_ms: int) -> bool:
        """Tell whether the key verifies at a time."""
        return self.ends_at_ms is None or now_ms < self.ends_at_ms

    def public_jwk(self) -> dict[str, Any] | None:
        """Return what others verify with (RFC 7517), or None for a key that is all secret."""
        public = self.material.public()
        return None if public is None else public | {"kid": self.kid, "alg": str(self.algorithm), "use": "sig"}


class HmacMaterial:
    """An HS256 secret. Made by hand on ``hmac.digest``: one call of C, where every fresh token is verified.

    Args:
        secret: At least 32 bytes made at random.
        name: What is named when the secret cannot be used.

    Raises:
        ConfigurationError: The secret is shorter than 256 bits (RFC 7518, section 3.2), known or not random.
    """

    def __init__(self, secret: bytes, *, name: str = "JWT_SECRET_KEY") -> None:
        if len(secret) < MIN_KEY_BYTES:
            raise ConfigurationError(name, f"HS256 needs at least {MIN_KEY_BYTES} random bytes (RFC 7518)")
        if secret in _KNOWN_KEYS or len(set(secret)) < _MIN_DISTINCT_BYTES:
            raise ConfigurationError(name, "is publicly known or was not made at random; make a new one")
        self._secret = secret

    def sign(self, text: str) -> str:
        """Return the signature of a text."""
        return encode(hmac.digest(self._secret, text.encode("ascii"), "sha256"))

    def is_signature(self, text: str, signature: str) -> bool:
        """Tell whether a signature is the one of a text, in a time that tells nothing about it.

        The texts are compared, not the bytes: the spare bits of the last character are compared with them.
        """
        return hmac.compare_digest(self.sign(text), signature)

    def public(self) -> None:
        """Return nothing: all of it is secret."""

    def private(self) -> dict[str, Any]:
        """Return the secret as a JWK."""
        return {"kty": "oct", "k": encode(self._secret)}

    def fingerprint(self) -> str:
        """Return a short name that tells nothing about the secret."""
        return base62.encode(int.from_bytes(self.derive(b"voxgate key id 1"), "big"), length=1)[:_FINGERPRINT_LENGTH]

    def derive(self, purpose: bytes) -> bytes:
        """Return a key of its own for a purpose, so that no MAC of one purpose is one of another."""
        return hmac.digest(self._secret, purpose, "sha256")


def new_kid() -> str:
    """Return a name for a key: random, so that it tells nothing and nobody can foresee it."""
    return base62.random_text(_KID_LENGTH)
