"""What every answer carries, and how a refusal is written: RFC 9457 bodies and the headers of the limits."""

import itertools
import json
import operator
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from voxgate.gate.decision import Reading
from voxgate.gate.errors import PROBLEMS, Problem, Refusal
from voxgate.gate.limits import Limit, LimitKind

PROBLEM_TYPE = "application/problem+json"
# The draft asks for the policies that are nearest to exhaustion, not for all; two of them.
_ANNOUNCED = 2
REQUEST_ID_CHARACTERS = 32
"""Length of the ids that are made here."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")

# How limits are announced, by the id of the limit.
_announced: dict[int, tuple[Limit, str, str]] = {}
_MAX_KEPT = 4096
_AT_ONCE = ';qu="concurrent-requests"'

Header = tuple[str, str]

SECURITY_HEADERS: tuple[Header, ...] = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
)
_NAMED = tuple((header[0].lower(), header) for header in SECURITY_HEADERS)
# A page needs its scripts and styles; which ones only the view knows that makes it.
_NAMED_FOR_PAGES = (
    *_NAMED[:-1],
    ("content-security-policy", (SECURITY_HEADERS[-1][0], SECURITY_HEADERS[-1][1].replace("default", "object"))),
)
_NO_STORE: Header = ("Cache-Control", "no-store")
_GUARDED = (*SECURITY_HEADERS, _NO_STORE)
# Says that the store was out of reach and the policy let one process decide alone.
DEGRADED: Header = ("X-Gate-Degraded", "1")
HSTS: Header = ("Strict-Transport-Security", "max-age=63072000; includeSubDomains")


def request_id(environ: dict[str, Any]) -> str:
    """Return the id that the client gave, when it is safe to log, or a new one."""
    given = environ.get("HTTP_X_REQUEST_ID")
    return str(given) if given is not None and _REQUEST_ID.fullmatch(given) else next(ids.new)


# A number is written once for a thousand ids: to write one costs more than all else of an id.
_ENDS = tuple(f"{number:03}" for number in range(1000))


class _Ids:
    """Request ids that no other process makes."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Choose another prefix, because a forked process has the numbers of its parent."""
        numbers = map(str, itertools.count(10**12))  # thirteen digits from the first on
        begins = map(operator.add, itertools.repeat(secrets.token_hex(8)), numbers)
        thousands = map(map, itertools.repeat(operator.add), map(itertools.repeat, begins), itertools.repeat(_ENDS))
        self.new: Iterator[str] = itertools.chain.from_iterable(thousands)
        """Every id once; made without a line of Python, and so whole in every thread: each request takes one."""


ids = _Ids()
"""The ids of this process."""
os.register_at_fork(after_in_child=ids.renew)


def problem_body(refusal: Refusal, *, problem: Problem | None = None, request_id: str) -> dict[str, Any]:
    """Return the members of a problem document (RFC 9457) for a refusal.

    Args:
        refusal: The refusal; a message of its own replaces the row's.
        problem: The row of the table; None takes the gate's own row for the code.
        request_id: Becomes ``instance``.
    """
    row = problem or PROBLEMS[refusal.code]
    message = refusal.message or row.message
    body: dict[str, Any] = {
        "type": f"urn:voxgate:problem:{row.code.lower().replace('_', '-')}",
        "title": row.title,
        "status": row.status,
        "detail": message,
        "instance": f"urn:request:{request_id}",
        "error": row.error,
        "message": message,
        "code": row.code,
    }
    if refusal.retry_after_s is not None:
        body["retry_after"] = refusal.retry_after_s
    if refusal.violated:
        body["violated-policies"] = list(refusal.violated)
    if refusal.faults:
        body["errors"] = [{"pointer": fault.pointer, "detail": fault.detail} for fault in refusal.faults]
    return body


def media_type_of(body: dict[str, Any]) -> str:
    """Return the type of an error's body: a problem document, or the JSON that a route promises instead."""
    return PROBLEM_TYPE if "type" in body else "application/json"


def problem_headers(
    refusal: Refusal, *, problem: Problem | None = None, media_type: str = PROBLEM_TYPE
) -> list[Header]:
    """Return the headers that belong to a refusal: the type, the challenge and when to come back."""
    row = problem or PROBLEMS[refusal.code]
    headers = [("Content-Type", media_type), ("Cache-Control", "no-store")]
    if row.challenge is not None:
        headers.append(("WWW-Authenticate", _challenge(row, refusal)))
    if refusal.retry_after_s is not None:
        headers.append(("Retry-After", str(refusal.retry_after_s)))
    return headers


def write_body(body: dict[str, Any]) -> bytes:
    """Return a JSON body, UTF-8."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def limit_headers(readings: Sequence[Reading]) -> list[Header]:
    """Return ``RateLimit-Policy`` and ``RateLimit`` for the policies nearest to exhaustion; integers rounded up.

    Their form is that of draft-ietf-httpapi-ratelimit-headers-11; nothing else here knows it.
    """
    if not readings:
        return []
    if len(readings) > _ANNOUNCED:
        readings = _nearest_to_exhaustion(readings)
    policies, states = [], []
    for limit, used, next_free_ms in readings:
        kept = _announced.get(id(limit))
        if kept is None or kept[0] is not limit:
            kept = _announce(limit)
        remaining = limit.quota - used if used < limit.quota else 0  # without a call on every answer
        policies.append(kept[1])
        states.append(f"{kept[2]}{remaining};t={-(-next_free_ms // 1000)}")
    if len(policies) == 1:
        return [("RateLimit-Policy", policies[0]), ("RateLimit", states[0])]
    return [("RateLimit-Policy", ", ".join(policies)), ("RateLimit", ", ".join(states))]


def _nearest_to_exhaustion(readings: Sequence[Reading]) -> list[Reading]:
    """Return the two readings with the greatest spent share, that first; of equal ones those that come first."""
    first = second = readings[0]
    first_share = second_share = -1.0
    for reading in readings:
        share = reading.used / reading.limit.quota
        if share > first_share:
            second, second_share = first, first_share
            first, first_share = reading, share
        elif share > second_share:
            second, second_share = reading, share
    return [first, second]


def _announce(limit: Limit) -> tuple[Limit, str, str]:
    """Return a limit with its policy and how its state begins, as they are written, and keep them."""
    measure = _AT_ONCE if limit.kind is LimitKind.AT_ONCE else f";w={limit.window_s}"
    policy = f'"{limit.name}";q={limit.quota}{measure}'
    if len(_announced) >= _MAX_KEPT:
        _announced.clear()
    # The limit is held as well, so that its id cannot become another's.
    kept = _announced[id(limit)] = (limit, policy, f'"{limit.name}";r=')
    return kept


def completed(own: Sequence[Header], added: Iterable[Header], *, is_guarded: bool) -> list[Header]:
    """Return an answer's own headers, those added, and what every answer has unless it says otherwise itself."""
    match own:
        case [("Content-Type", "application/json"), ("Content-Length", _)]:
            # What nearly every answer has: nothing that could say otherwise.
            return [*own, *added, *(_GUARDED if is_guarded else SECURITY_HEADERS)]
    complete = list(own)
    names, defaults = set(), _NAMED
    for name, value in complete:
        names.add(name.lower())
        if value.startswith("text/html"):
            defaults = _NAMED_FOR_PAGES
    complete += [header for header in added if header[0].lower() not in names or header[0] == "Vary"]
    complete += [header for lower, header in defaults if lower not in names]
    if is_guarded and "cache-control" not in names:
        complete.append(_NO_STORE)
    return complete


def _challenge(row: Problem, refusal: Refusal) -> str:
    parts = []
    if row.challenge:
        parts.append(f'error="{row.challenge}"')
    if refusal.scopes:
        parts.append(f'scope="{" ".join(refusal.scopes)}"')
    return "Bearer" + (" " + ", ".join(parts) if parts else "")
