"""Pairs of a private and a public key; the one module that imports joserfc, so that a secret alone costs none of it."""

from collections.abc import Mapping
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from voxgate.gate.errors import ConfigurationError
from voxgate.gate.signing.keys import Algorithm
from voxgate.gate.signing.text import decode, encode

RSA_BITS = 3072
MIN_RSA_BITS = 2048
_ABOUT = frozenset({"kid", "alg", "use", "key_ops", "made_at_ms", "ends_at_ms"})
# The order of the group of P-256. With s also n - s is a signature; only the lower one is ours, so that a token has
# one spelling.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P256_BYTES = 32


class PairMaterial:
    """A pair of a private and a public key, through joserfc.

    Args:
        algorithm: Its algorithm.
        key: The pair.
    """

    def __init__(self, algorithm: Algorithm, key: ECKey | OKPKey | RSAKey) -> None:
        self._key = key
        # RFC 9864 names the curve; the name in tokens stays the one that every library knows.
        name = "Ed25519" if algorithm is Algorithm.EDDSA else str(algorithm)
        self._model = JWSRegistry(algorithms=[name]).get_alg(name)
        self._model.check_key(key)
        self._is_ecdsa = algorithm is Algorithm.ES256

    def sign(self, text: str) -> str:
        """Return the signature of a text."""
        signature = self._model.sign(text.encode("ascii"), self._key)
        return encode(_lower(signature) if self._is_ecdsa else signature)

    def is_signature(self, text: str, signature: str) -> bool:
        """Tell whether a signature is one of a text, in its only spelling."""
        data = decode(signature)
        if encode(data) != signature or (self._is_ecdsa and _lower(data) != data):
            return False
        return self._model.verify(text.encode("ascii"), data, self._key)

    def public(self) -> dict[str, Any]:
        """Return the public part as a JWK."""
        return dict(self._key.as_dict(private=False))

    def private(self) -> dict[str, Any]:
        """Return everything as a JWK."""
        return dict(self._key.as_dict(private=True))


def new_pair(algorithm: Algorithm) -> PairMaterial:
    """Return a new pair of an algorithm, made at random; RSA takes a second or so."""
    if algorithm is Algorithm.EDDSA:
        return PairMaterial(algorithm, OKPKey.generate_key("Ed25519"))
    if algorithm is Algorithm.ES256:
        return PairMaterial(algorithm, ECKey.generate_key("P-256"))
    return PairMaterial(algorithm, RSAKey.generate_key(RSA_BITS))


def read_pair(algorithm: Algorithm, jwk: Mapping[str, Any], *, name: str) -> PairMaterial:
    """Return the pair that a private JWK describes; takes and raises what `read_material` does."""
    kinds: dict[Algorithm, type[ECKey | OKPKey | RSAKey]] = {
        Algorithm.EDDSA: OKPKey,
        Algorithm.ES256: ECKey,
        Algorithm.RS256: RSAKey,
    }
    try:
        # Its use is fixed by us; what the file says beside the key is not the library's to judge.
        key = kinds[algorithm].import_key({name: value for name, value in jwk.items() if name not in _ABOUT})
        material = PairMaterial(algorithm, key)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(name, f"is no key for {algorithm}") from error
    if not key.is_private:
        raise ConfigurationError(name, "holds the public part only")
    if isinstance(key, RSAKey) and key.raw_value.key_size < MIN_RSA_BITS:
        raise ConfigurationError(name, f"RS256 needs at least {MIN_RSA_BITS} bits (RFC 7518, section 3.3)")
    return material


def _lower(signature: bytes) -> bytes:
    """Return the ECDSA signature with the lower of its two values of s."""
    s = int.from_bytes(signature[_P256_BYTES:], "big")
    if s <= _P256_ORDER // 2 or s >= _P256_ORDER:
        return signature
    return signature[:_P256_BYTES] + (_P256_ORDER - s).to_bytes(_P256_BYTES, "big")
