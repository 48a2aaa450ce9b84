"""Devices that an account has logged in from: a signed token lets each be counted by itself (OWASP, device cookies)."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from voxgate.gate import base62
from voxgate.gate.clock import Clock

DEVICE_LIFETIME_S = 15_552_000  # 180 days after the last login from it
MAX_DEVICE_TOKEN_CHARACTERS = 200

_TOKEN = re.compile(r"vgd_([0-9a-f]{1,64})_([0-9A-Za-z]{22})_([0-9]{1,12})_([0-9A-Za-z]{22})[0-9A-Za-z]{6}")


@dataclass(frozen=True, slots=True)
class Device:
    """A device that has shown the right password once.

    Attributes:
        subject: The account that it has logged in to.
        device_id: Random name of the device; it says nothing of the machine.
    """

    subject: str
    device_id: str


class Devices:
    """Makes and reads the tokens of known devices; nothing of them is stored.

    A token opens nothing: whoever shows it still needs the password. It only moves the guesses of its holder to
    counters of their own, so that a stranger's guesses do not shut the owner out.

    Args:
        key: Gives the secret key of the service for this purpose, at least 32 bytes; asked each time, because a key
            that has leaked is replaced while the service runs.
        clock: Source of time.
    """

    def __init__(self, key: Callable[[], bytes], *, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def issue(self, subject: str, known: Device | None = None) -> str:
        """Return a token for a device; one that is known keeps its name, and so its counters.

        Args:
            subject: The account, 1 to 64 hexadecimal digits.
            known: What the device has shown, when it was this account's.
        """
        device_id = known.device_id if known else base62.encode(secrets.randbits(128), length=22)
        claims = f"{subject}_{device_id}_{self._clock.now_ms() // 1000 + DEVICE_LIFETIME_S}"
        return base62.append_checksum(f"vgd_{claims}_{self._mac(claims)}")

    def read(self, token: str) -> Device | None:
        """Return the device that a token names, or None for anything that is not a live token of ours."""
        match = _TOKEN.fullmatch(token) if len(token) <= MAX_DEVICE_TOKEN_CHARACTERS else None
        if match is None or not base62.has_right_checksum(token):
            return None
        subject, device_id, ends_s, mac = match.groups()
        if not hmac.compare_digest(self._mac(f"{subject}_{device_id}_{ends_s}"), mac):
            return None
        return Device(subject, device_id) if int(ends_s) * 1000 > self._clock.now_ms() else None

    def _mac(self, claims: str) -> str:
        mac = hmac.digest(self._key(), claims.encode(), hashlib.sha256)
        return base62.encode(int.from_bytes(mac[:16], "big"), length=22)
