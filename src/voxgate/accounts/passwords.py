"""Password hashing: argon2id, a bounded number at once, the same work for every login; foreign hashes verify too."""

import base64
import secrets
import threading
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import HashingError, InvalidHashError, VerificationError, VerifyMismatchError

from voxgate.accounts.foreign_hashes import is_foreign_hash, verify_foreign
from voxgate.accounts.password_rules import encode_password
from voxgate.gate.errors import Refusal

HASHING_BUSY = Refusal("HASHING_BUSY", retry_after_s=1)

_Answer = TypeVar("_Answer")


class Hasher:
    """Hashes and verifies passwords with argon2id, at most ``workers`` at once; the rest wait or are refused.

    A hash runs on the thread that asks for it: argon2 releases the interpreter lock, so threads of
    our own would add a hand-over and nothing else. What must be bounded is how many run, because each takes
    a core and ``memory_kib``, and how many wait, because each holds a thread of the server.

    Args:
        workers: Hashes that run at once.
        queue: Hashes that wait for a worker; one more is refused at once.
        memory_kib: Memory of one hash in KiB; the default is OWASP's first choice (m=47104, t=1, p=1).
        passes: Passes over the memory.
    """

    def __init__(self, *, workers: int = 2, queue: int = 32, memory_kib: int = 47_104, passes: int = 1) -> None:
        self._argon2 = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._running = threading.BoundedSemaphore(workers)
        self._admitted = threading.BoundedSemaphore(workers + queue)
        self._dummy = _make_dummy(self._argon2)

    def hash(self, password: str) -> str | Refusal:
        """Return the hash of a password that the rules have accepted, in PHC form.

        Returns:
            The hash, or the refusal HASHING_BUSY when too many wait.

        Raises:
            ValueError: The password is none that the rules accept.
        """
        encoded = encode_password(password)
        if encoded is None:
            raise ValueError("the rules accept no such password")
        return self._admit(lambda: self._argon2.hash(encoded))

    def verify(self, password_hash: str | None, *, password: str) -> bool | Refusal:
        """Tell whether a password is the one that was hashed, with the same work whatever the answer.

        Args:
            password_hash: The stored hash; None for an account that does not exist, which costs the same.
            password: As it was typed.

        Returns:
            Whether it matches, or the refusal HASHING_BUSY when too many wait.
        """
        encoded = encode_password(password)
        typed = b"" if encoded is None else password.encode()
        matches = self._admit(lambda: self._matches(password_hash or self._dummy, encoded or b"", typed))
        if isinstance(matches, Refusal):
            return matches
        return matches and password_hash is not None and encoded is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash was made elsewhere or with other parameters than new ones, and should be made anew."""
        try:
            return self._argon2.check_needs_rehash(password_hash)
        except InvalidHashError:
            return True

    def _admit(self, work: Callable[[], _Answer]) -> _Answer | Refusal:
        if not self._admitted.acquire(blocking=False):
            return HASHING_BUSY
        try:
            with self._running:
                return work()
        except (HashingError, VerificationError):  # argon2 found no memory for one more
            return HASHING_BUSY
        finally:
            self._admitted.release()

    def _matches(self, password_hash: str, encoded: bytes, typed: bytes) -> bool:
        if is_foreign_hash(password_hash):
            return verify_foreign(password_hash, typed)
        try:
            return self._argon2.verify(password_hash, encoded)
        except VerifyMismatchError:
            return False
        except InvalidHashError:  # no hash that anybody understands; nothing has been computed yet
            return self._matches(self._dummy, encoded, typed)


def _make_dummy(argon2: PasswordHasher) -> str:
    """Return a well-formed hash with the same parameters that no password has: verifying it costs what others cost."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (argon2.salt_len, argon2.hash_len)
    )
    parameters = f"m={argon2.memory_cost},t={argon2.time_cost},p={argon2.parallelism}"
    return f"$argon2id$v=19${parameters}${salt}${digest}"
