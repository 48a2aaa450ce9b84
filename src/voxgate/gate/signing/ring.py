"""The ring of keys of one process: one signs, all verify, and a change of the key file is seen within a second."""

import logging
import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from voxgate.gate.errors import VoxgateError
from voxgate.gate.signing.keys import TOKEN_TYPE, Algorithm, HmacMaterial, SigningKey
from voxgate.gate.signing.text import decode, read_object

# How long a process may go on with keys that another has changed.
LOOK_MS = 1000
_NEVER_MS = 1 << 62
_NAMES = frozenset({"alg", "typ", "kid"})
_REFRESH_PURPOSE = b"voxgate refresh token 1"

_logger = logging.getLogger("voxgate.gate")


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys as they stand.

    Attributes:
        signing: The key that signs.
        keys: Every key that verifies, the signing key among them.
        refresh_key: Makes the MAC of refresh tokens. It is not a signing key, so that those come and go without
            ending a session.
    """

    signing: SigningKey
    keys: tuple[SigningKey, ...]
    refresh_key: bytes = field(repr=False)


class KeySource(Protocol):
    """Where the keys of a ring come from."""

    def stamp(self) -> Hashable:
        """Return what differs as soon as the keys have changed, or None while nobody can tell."""
        ...

    def read(self) -> KeySet:
        """Return the keys as they stand.

        Raises:
            ConfigurationError: They cannot be used.
            OSError: They cannot be read.
        """
        ...


class KeyRing:
    """The keys of one process, kept up to date.

    Nothing that a token says opens anything: its header is looked up among those of the keys, as text, and the one
    thing that an unknown ``kid`` can cause is a look at the date of the key file.

    Args:
        keys: The keys to begin with; by default those of the source.
        source: Where they come from; None for keys that never change.
    """

    def __init__(self, keys: KeySet | None = None, *, source: KeySource | None = None) -> None:
        self._source = source
        self._stamp = source.stamp() if source else None
        self._lock = threading.Lock()
        self._looked_ms = self._look_again_ms = 0
        self.version = 0
        self._next_end_ms = _NEVER_MS
        if keys is None:
            if source is None:
                raise ValueError("a ring needs keys or a source of them")
            keys = source.read()
        self._take(keys)

    def __repr__(self) -> str:
        """Name the keys, never what they are made of."""
        return f"KeyRing({list(self._keys.keys)!r})"

    @property
    def refresh_key(self) -> bytes:
        """The key that makes the MAC of refresh tokens."""
        return self._keys.refresh_key

    @property
    def keys(self) -> KeySet:
        """The keys as this process has read them last."""
        return self._keys

    def signing_key(self, now_ms: int) -> SigningKey:
        """Return the key that signs now; what another process has changed a moment ago counts."""
        self.look(now_ms)
        return self._keys.signing

    def find(self, header: str, *, now_ms: int) -> SigningKey | None:
        """Return the live key whose tokens have this header, base64url as it came, or None.

        A key that another process has just made is found at once, one that it has removed within a second.
        """
        if not self._looked_ms <= now_ms < self._look_again_ms:
            self.look(now_ms)
        key = self._by_header.get(header) or self._find_by_reading(header, now_ms)
        return key if key is not None and key.lives_at(now_ms) else None

    def look(self, now_ms: int) -> None:
        """Read the keys again if their file has changed; else this costs a look at the file's date."""
        self._looked_ms, self._look_again_ms = now_ms, now_ms + LOOK_MS
        if self._source is None:
            return
        stamp = self._source.stamp()
        # A file that is gone for the moment removes no key: a disk that is away must not log everybody out.
        if stamp is not None and stamp != self._stamp:
            with self._lock:
                self._read(self._source, stamp)
        if now_ms >= self._next_end_ms:
            with self._lock:
                self._next_end_ms = self._find_next_end(now_ms)
                self.version += 1

    def public_jwks(self, now_ms: int) -> list[dict[str, Any]]:
        """Return the public part of every live key that has one; secrets are never among them."""
        self.look(now_ms)
        found = (key.public_jwk() for key in self._keys.keys if key.lives_at(now_ms))
        return [jwk for jwk in found if jwk is not None]

    def _read(self, source: KeySource, stamp: Hashable) -> None:
        try:
            self._take(source.read())
        except (VoxgateError, OSError):
            _logger.exception("the signing keys have changed and cannot be used; the old ones go on")
        self._stamp = stamp

    def _take(self, keys: KeySet) -> None:
        self._keys = keys
        self._by_header: Mapping[str, SigningKey] = {key.header: key for key in keys.keys}
        self._by_kid: Mapping[str, SigningKey] = {key.token_kid: key for key in keys.keys}
        self._next_end_ms = self._find_next_end(0)
        self.version += 1

    def _find_next_end(self, now_ms: int) -> int:
        ends = (key.ends_at_ms for key in self._keys.keys if key.ends_at_ms is not None)
        return min((end for end in ends if end > now_ms), default=_NEVER_MS)

    def _find_by_reading(self, header: str, now_ms: int) -> SigningKey | None:
        """Return the key of a header that is not written as we write it."""
        named = read_object(decode(header))
        if named is None or named.keys() - _NAMES or not _is_our_type(named.get("typ")):
            # Nothing in a header may choose a key or change the reading: no jwk, jku, x5u, x5c, crit, b64, zip.
            return None
        kid = named.get("kid", "")
        if not isinstance(kid, str) or ("kid" in named and not kid):
            return None
        key = self._by_kid.get(kid)
        if key is None:
            self.look(now_ms)
            key = self._by_kid.get(kid)
        return key if key is not None and named.get("alg") == key.algorithm else None


def ring_of_secret(secret: bytes) -> KeyRing:
    """Return a ring of one HS256 secret.

    Raises:
        ConfigurationError: The secret is too short, known or not random.
    """
    key, refresh_key = first_key(secret)
    return KeyRing(KeySet(key, (key,), refresh_key))


def first_key(
    secret: bytes, *, made_at_ms: int = 0, ends_at_ms: Mapping[str, int] | None = None
) -> tuple[SigningKey, bytes]:
    """Return the first key of a service, whose tokens name no kid, and the key of refresh tokens derived from it.

    Args:
        secret: The HS256 secret.
        made_at_ms: When it was made.
        ends_at_ms: For each key by its kid when it ends; others do not.

    Raises:
        ConfigurationError: The secret is too short, known or not random.
    """
    material = HmacMaterial(secret)
    kid = material.fingerprint()
    end = (ends_at_ms or {}).get(kid)
    key = SigningKey(kid, Algorithm.HS256, material=material, made_at_ms=made_at_ms, ends_at_ms=end, is_named=False)
    return key, material.derive(_REFRESH_PURPOSE)


def _is_our_type(typ: object) -> bool:
    return isinstance(typ, str) and typ.lower().removeprefix("application/") == TOKEN_TYPE
