"""The folder of signing keys: ``secret.key`` holds the first one, ``signing.json`` all that came after it."""

import fcntl
import json
import os
import re
import secrets
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voxgate.gate.clock import Clock
from voxgate.gate.errors import ConfigurationError
from voxgate.gate.signing.files import load_or_create_key, write_private
from voxgate.gate.signing.keys import MIN_KEY_BYTES, Algorithm, SigningKey, new_kid
from voxgate.gate.signing.material import new_material, read_material
from voxgate.gate.signing.ring import KeyRing, KeySet, first_key
from voxgate.gate.signing.text import decode, encode

SECRET_FILE = "secret.key"  # noqa: S105 -- the name of a file
KEYS_FILE = "signing.json"
_ENDED_MS = 0

_Content = dict[str, Any]


class KeyFolder:
    """The signing keys of a service, in its data folder; changes are whole, and made by one process at a time.

    Args:
        folder: The data folder.
        secret: A secret that configuration gives; it takes the place of ``secret.key``.
        clock: Source of time.
    """

    def __init__(self, folder: Path, *, clock: Clock, secret: bytes | None = None) -> None:
        self.path = folder / KEYS_FILE
        self._secret_path = folder / SECRET_FILE
        self._secret = secret
        self._clock = clock

    def open(self, algorithm: str | None = None) -> KeyRing:
        """Return the ring of the keys; makes the first key when there is none.

        Args:
            algorithm: What tokens must be signed with; a key is made when the one that signs has another algorithm,
                and the older one goes on verifying. None takes what is there.

        Raises:
            ConfigurationError: The files hold no keys that can be used, or the algorithm is unknown or contradicts
                the secret.
            OSError: The files can be neither read nor made.
        """
        wanted = None if algorithm is None else read_algorithm(algorithm)
        if self._secret is not None and wanted not in {None, Algorithm.HS256}:
            raise ConfigurationError("JWT_ALGORITHM", "JWT_SECRET_KEY is a key for HS256; set one of the two")
        if wanted in {None, Algorithm.HS256} and self._secret is None and not self.path.exists():
            load_or_create_key(self._secret_path)
        if not self.has_keys() or (wanted is not None and self.read().signing.algorithm != wanted):
            self._sign_with(wanted or Algorithm.HS256)
        return KeyRing(source=self)

    def has_keys(self) -> bool:
        """Tell whether there is a key; the first start makes one."""
        return self._secret is not None or self.path.exists() or self._secret_path.exists()

    def stamp(self) -> Hashable:
        """Return what differs as soon as the file has changed, or None when there is none."""
        try:
            found = os.stat(self.path)  # noqa: PTH116 -- half the time of Path.stat, and asked every second
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def read(self) -> KeySet:
        """Return the keys as the files say.

        Raises:
            ConfigurationError: They hold no keys that can be used.
            OSError: They cannot be read.
        """
        content = self._content()
        try:
            return self._read_set(content)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(str(self.path), "is damaged; put its copy back") from error

    def _read_set(self, content: _Content) -> KeySet:
        first = self._first(content)
        keys = [self._read_key(jwk) for jwk in content.get("keys", ())]
        signing = next((key for key in keys if key.kid == content.get("current")), None)
        refresh_key = decode(str(content.get("refresh", "")))
        if first is not None:
            keys.insert(0, first[0])
            signing = signing or first[0]
            refresh_key = refresh_key or first[1]
        if signing is None or len(refresh_key) < MIN_KEY_BYTES or not signing.lives_at(self._clock.now_ms()):
            raise ConfigurationError(str(self.path), "names no key to sign with; make one with: voxgate signing rotate")
        return KeySet(signing, tuple(keys), refresh_key)

    def new(self, algorithm: str) -> SigningKey:
        """Make a key that verifies and is published, and does not sign before it is rotated to."""
        with self._changing() as content:
            return self._add(content, read_algorithm(algorithm))

    def rotate(self, *, overlap_s: int, algorithm: str | None = None, is_leaked: bool = False) -> SigningKey:
        """Sign with another key from now on: the newest that has been made for it, else a new one.

        Args:
            overlap_s: How long the tokens of the old key are still accepted, in seconds; 0 ends them at once.
            algorithm: Of the new key; by default that of the old one.
            is_leaked: End the old key at once, whatever the overlap, and make the key of refresh tokens anew.
        """
        wanted = None if algorithm is None else read_algorithm(algorithm)
        with self._changing() as content:
            old = self._find_signing(content)
            kind = wanted or (old.algorithm if old else Algorithm.HS256)
            waiting = [jwk["kid"] for jwk in content["keys"] if _is_waiting(jwk, content) and jwk["alg"] == kind]
            if old is not None:
                _end(content, old.kid, _ENDED_MS if is_leaked else self._clock.now_ms() + overlap_s * 1000)
            if is_leaked:
                content["refresh"] = encode(secrets.token_bytes(MIN_KEY_BYTES))
            content["current"] = waiting[-1] if waiting else self._add(content, kind).kid
            return self._read_key(next(jwk for jwk in content["keys"] if jwk["kid"] == content["current"]))

    def retire(self, kid: str, *, is_leaked: bool = False) -> bool:
        """Remove a key for ever; False when there is no such key, or when it is the one that signs.

        Args:
            kid: Its name.
            is_leaked: Also make the key of refresh tokens anew, which may have been derived from it: everybody logs
                in again.
        """
        with self._changing() as content:
            signing, first = self._find_signing(content), self._first(content)
            is_first = first is not None and first[0].kid == kid
            known = is_first or any(jwk["kid"] == kid for jwk in content["keys"])
            if not known or (signing is not None and signing.kid == kid):
                return False
            _end(content, kid, _ENDED_MS)
            if is_leaked:
                content["refresh"] = encode(secrets.token_bytes(MIN_KEY_BYTES))
            return True

    def _sign_with(self, algorithm: Algorithm) -> None:
        """Make tokens be signed with an algorithm; several processes may ask at once, and one makes the key."""
        with self._changing() as content:
            signing = self._find_signing(content)
            if signing is not None and signing.algorithm == algorithm:
                return
            now_ms, first = self._clock.now_ms(), self._first(content)
            found = [jwk["kid"] for jwk in content["keys"] if jwk["alg"] == algorithm and "ends_at_ms" not in jwk]
            if first is not None and first[0].algorithm == algorithm and first[0].lives_at(now_ms):
                found.append(first[0].kid)
            content["current"] = found[-1] if found else self._add(content, algorithm).kid

    def _add(self, content: _Content, algorithm: Algorithm) -> SigningKey:
        jwk = {
            **new_material(algorithm).private(),
            "kid": new_kid(),
            "alg": str(algorithm),
            "made_at_ms": self._clock.now_ms(),
        }
        content["keys"].append(jwk)
        return self._read_key(jwk)

    def _first(self, content: _Content) -> tuple[SigningKey, bytes] | None:
        """Return the key that tokens without a kid are signed with, and the refresh key derived from it."""
        ends: Mapping[str, int] = content.get("first", {})
        if self._secret is not None:
            return first_key(self._secret, ends_at_ms=ends)
        if not self._secret_path.exists():
            return None
        made_at_ms = self._secret_path.stat().st_mtime_ns // 1_000_000
        return first_key(load_or_create_key(self._secret_path), made_at_ms=made_at_ms, ends_at_ms=ends)

    def _find_signing(self, content: _Content) -> SigningKey | None:
        named = next((jwk for jwk in content["keys"] if jwk["kid"] == content.get("current")), None)
        if named is not None:
            return self._read_key(named)
        first = self._first(content)
        return first[0] if first is not None and first[0].lives_at(self._clock.now_ms()) else None

    def _read_key(self, jwk: Mapping[str, Any]) -> SigningKey:
        kid, ends_at_ms = jwk.get("kid"), jwk.get("ends_at_ms")
        if not isinstance(kid, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", kid):
            raise ConfigurationError(str(self.path), "holds a key whose kid is not 1 to 64 letters, digits, _ . -")
        name = f"{self.path}, key {kid}"
        algorithm = read_algorithm(str(jwk.get("alg")), named=name)
        return SigningKey(
            kid,
            algorithm,
            material=read_material(algorithm, jwk, name=name),
            made_at_ms=int(jwk.get("made_at_ms", 0)),
            ends_at_ms=None if ends_at_ms is None else int(ends_at_ms),
        )

    def _content(self) -> _Content:
        if not self.path.exists():
            return {}
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigurationError(str(self.path), "is damaged; put its copy back") from error
        keys = content.get("keys", []) if isinstance(content, dict) else None
        if not isinstance(keys, list) or not all(isinstance(jwk, dict) for jwk in keys):
            raise ConfigurationError(str(self.path), "is no set of keys; put its copy back")
        return dict(content)

    @contextmanager
    def _changing(self) -> Iterator[_Content]:
        """Give the content of the file to be changed, alone; written when the block ends without an error."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self.path.with_name(f".{KEYS_FILE}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = {"keys": [], "first": {}, **self._content()}
            if "refresh" not in content:
                first = self._first(content)
                # What sessions depend on is written down, so that their key may go.
                content["refresh"] = encode(first[1] if first else secrets.token_bytes(MIN_KEY_BYTES))
            yield content
            now_ms = self._clock.now_ms()
            content["keys"] = [jwk for jwk in content["keys"] if jwk.get("ends_at_ms", now_ms + 1) > now_ms]
            write_private(self.path, json.dumps(content, indent=1) + "\n")
            self._forget_first(content, now_ms)
        finally:
            os.close(lock)

    def _forget_first(self, content: _Content, now_ms: int) -> None:
        """Remove the file of a first key that has ended, so that it cannot come back."""
        if self._secret is None:
            first = self._first(content)
            if first is not None and not first[0].lives_at(now_ms):
                self._secret_path.unlink(missing_ok=True)


def read_algorithm(name: str, *, named: str = "JWT_ALGORITHM") -> Algorithm:
    """Return the algorithm of a name, spelled exactly.

    Raises:
        ConfigurationError: It is none of the four; ``named`` is what is said to be wrong.
    """
    if name not in set(Algorithm):
        raise ConfigurationError(named, f"{name!r} is not one of {', '.join(Algorithm)}")
    return Algorithm(name)


def _is_waiting(jwk: Mapping[str, Any], content: _Content) -> bool:
    return jwk["kid"] != content.get("current") and "ends_at_ms" not in jwk


def _end(content: _Content, kid: str, at_ms: int) -> None:
    for jwk in content["keys"]:
        if jwk["kid"] == kid:
            jwk["ends_at_ms"] = at_ms
            return
    content["first"][kid] = at_ms
