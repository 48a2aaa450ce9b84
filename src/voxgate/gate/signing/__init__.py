"""Signing keys: which key signs, which verify, and the files that hold them."""

from voxgate.gate.signing.files import load_or_create_key
from voxgate.gate.signing.folder import KeyFolder
from voxgate.gate.signing.keys import ALGORITHMS, MIN_KEY_BYTES, Algorithm, SigningKey
from voxgate.gate.signing.ring import LOOK_MS, KeyRing, KeySet, ring_of_secret

__all__ = [
    "ALGORITHMS",
    "LOOK_MS",
    "MIN_KEY_BYTES",
    "Algorithm",
    "KeyFolder",
    "KeyRing",
    "KeySet",
    "SigningKey",
    "load_or_create_key",
    "ring_of_secret",
]
