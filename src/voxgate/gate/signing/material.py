"""Keys made and read by algorithm; the library of pairs is imported where there is a pair, and only there."""

from collections.abc import Mapping
from typing import Any

from voxgate.gate import base62
from voxgate.gate.signing.keys import Algorithm, HmacMaterial, Material
from voxgate.gate.signing.text import decode


def new_material(algorithm: Algorithm) -> Material:
    """Return a new key of an algorithm, made at random; RSA takes a second or so."""
    if algorithm is Algorithm.HS256:
        return HmacMaterial(base62.random_text(64).encode())
    from voxgate.gate.signing.pairs import new_pair  # noqa: PLC0415 -- its library takes longer than all of the gate

    return new_pair(algorithm)


def read_material(algorithm: Algorithm, jwk: Mapping[str, Any], *, name: str) -> Material:
    """Return the key that a private JWK describes.

    Args:
        algorithm: The algorithm that it is used with, whatever else its type could do.
        jwk: The key.
        name: What is named when it cannot be used.

    Raises:
        ConfigurationError: It is no private key of that algorithm, or a weak one.
    """
    if algorithm is Algorithm.HS256:
        return HmacMaterial(decode(str(jwk.get("k", ""))), name=name)
    from voxgate.gate.signing.pairs import read_pair  # noqa: PLC0415 -- as above

    return read_pair(algorithm, jwk, name=name)
