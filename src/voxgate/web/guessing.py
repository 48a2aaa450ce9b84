"""Guesses at a password: what each spends before it is checked, what a right one is given back, and known devices."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from flask import Response, after_this_request, request

from voxgate.accounts.devices import DEVICE_LIFETIME_S, Device
from voxgate.accounts.login import find_user
from voxgate.accounts.names import find_email_fault, find_username_fault, name_digest, normalize
from voxgate.gate import events
from voxgate.gate.decision import Charge
from voxgate.gate.errors import Refusal, StoreUnavailableError, VoxgateError
from voxgate.web.current import services
from voxgate.web.door import gate

DEVICE_HEADER = "X-Device-Token"
DEVICE_COOKIE = "__Host-voxgate-device"

_WRONG = frozenset({"INVALID_CREDENTIALS", "WRONG_PASSWORD"})
# Every attempt counts in these, right or wrong; in all others the wrong ones alone.
_ATTEMPTS = frozenset({"login", "login-address"})

Proven = TypeVar("Proven")


@dataclass(frozen=True, slots=True)
class Guess:
    """One attempt to prove a password, paid for.

    Attributes:
        returnable: What it gets back unless the password is wrong.
        device: The known device that it comes from.
    """

    returnable: tuple[Charge, ...]
    device: Device | None = None


def spend_login(identifier: str) -> Guess | Refusal:
    """Spend what one login costs, before any work is done for it.

    From a device that nobody knows: the counters of the pair of address and account, of the address, of the account
    over all addresses, and of all logins. From a device that this account has logged in from: counters of that device
    and of the account's known devices, which no stranger can spend.

    Everything is spent in one call of the store, all or nothing, and what a right password does not owe is given back
    afterwards. Were failures counted only after the hash, parallel guesses would all find the counters empty.
    """
    device = _find_device(identifier)
    if device is None:
        return _spend(_at_stranger(name_digest(identifier)), device=None, told={"username": shown_name(identifier)})
    own = f"device:{device.device_id}"
    partitions = {"login": own, "login-address": f"known:{device.subject}", "login-device": own}
    return _spend(partitions, device=device, told={"user_id": device.subject})


def spend_own_password(subject: str) -> Guess | Refusal:
    """Spend what it costs to prove the password of one's own session: somebody with a stolen token might guess it."""
    address = gate.address_partition
    partitions = {"login": f"{address}|{subject}", "login-address": address, "login-account": f"own:{subject}"}
    return _spend(partitions, device=None, told={"user_id": subject})


def prove(guess: Guess, check: Callable[[], Proven | Refusal]) -> Proven | Refusal:
    """Check the password, and give back what only a wrong one costs; an attempt that was not judged is none.

    Raises:
        VoxgateError: What ``check`` raises.
    """
    try:
        found = check()
    except VoxgateError:
        _give_back(guess)
        raise
    if not (isinstance(found, Refusal) and found.code in _WRONG):
        _give_back(guess)
    return found


def remember_device(guess: Guess, subject: str) -> None:
    """Let the answer carry a token that makes this device known; a browser keeps it as a cookie by itself."""
    token = services().devices.issue(subject, guess.device)
    # What is no browser has nowhere to keep a cookie that it did not ask for.
    is_browser = "Sec-Fetch-Site" in request.headers

    @after_this_request
    def add(answer: Response) -> Response:
        answer.headers[DEVICE_HEADER] = token
        if is_browser:
            answer.set_cookie(
                DEVICE_COOKIE, token, max_age=DEVICE_LIFETIME_S, secure=True, httponly=True, samesite="Strict"
            )
        return answer


def shown_name(identifier: str) -> str:
    """Return an identifier as events may show it: only what has the form of a name or an address."""
    name = normalize(identifier)
    fault = find_email_fault(name) if "@" in name else find_username_fault(name)
    return name if fault is None else "[not a name]"


def _at_stranger(digest: str) -> dict[str, str]:
    address = gate.address_partition
    return {
        "login": f"{address}|{digest}",
        "login-address": address,
        "login-account": f"login:{digest}",
        "login-total": "login:all",
    }


def _find_device(identifier: str) -> Device | None:
    """Return the device that was shown, when it is one of the account that is named."""
    shown = request.headers.get(DEVICE_HEADER) or request.cookies.get(DEVICE_COOKIE, "")
    device = services().devices.read(shown) if shown else None
    if device is None:
        return None
    user = find_user(services().database, identifier)
    return device if user is not None and user.subject == device.subject else None


def _spend(partitions: Mapping[str, str], *, device: Device | None, told: Mapping[str, object]) -> Guess | Refusal:
    charges = {
        name: [Charge(limit, partition) for limit in gate.admission.tiers.policy(name)]
        for name, partition in partitions.items()
    }
    refusal = gate.admission.spend([each for of_policy in charges.values() for each in of_policy]).refusal
    if refusal is not None:
        _tell_refused(refusal, partitions, told)
        return refusal
    returnable = [each for name, of_policy in charges.items() if name not in _ATTEMPTS for each in of_policy]
    return Guess(tuple(returnable), device)


def _give_back(guess: Guess) -> None:
    # What cannot be given back now is free again when its window is over.
    with contextlib.suppress(StoreUnavailableError):
        gate.admission.store.release(guess.returnable, lease_id="")


def _tell_refused(refusal: Refusal, partitions: Mapping[str, str], told: Mapping[str, object]) -> None:
    if refusal.code != "RATE_LIMITED":
        return
    policy = next((name for name in refusal.violated if name not in _ATTEMPTS), refusal.violated[0])
    event = events.RATE_LIMIT_EXCEEDED if policy in _ATTEMPTS else events.AUTHN_LOGIN_LOCK
    wait_s = refusal.retry_after_s or 1
    fields = {
        **told,
        "endpoint": request.path,
        "ip_address": gate.address,
        "request_id": gate.request_id,
        "code": refusal.code,
        "limit": ", ".join(refusal.violated),
        "retry_after_s": wait_s,
    }
    gate.admission.reports.quiet.tell(
        event, fields, key=(event, partitions[policy]), now_ms=services().clock.now_ms(), for_ms=1000 * wait_s
    )
