"""What the scripts answer, read into the values of the gate; a reader raises ValueError or its like for all else."""

from collections.abc import Sequence
from typing import Any

from voxgate.gate.decision import Changed, Charge, Decision, Query, Reading, Unknown
from voxgate.gate.errors import PROBLEMS, Refusal
from voxgate.gate.limits import Limit
from voxgate.gate.principal import CredentialKind, Principal
from voxgate.gate.stores.base import refuse_over_limits

_CREDENTIAL_REFUSED = 2  # length of an answer that says only why the credential or the account is refused
FIRST_READING = 4

MISREAD = (AttributeError, LookupError, TypeError, ValueError)
"""What is raised when an answer is not what was asked for."""

ENDED = {"session": Refusal("TOKEN_REVOKED"), "key": Refusal("API_KEY_INVALID")}


def read_decision(answer: Any, query: Query, subject: str) -> Decision | Unknown | Changed:  # noqa: ANN401 -- whatever came
    """Return what an answer says about a query.

    Args:
        answer: What came from Redis.
        query: The query that it answers.
        subject: The account that was asked about; empty without a credential.
    """
    code = answer[0].decode()
    if len(answer) == _CREDENTIAL_REFUSED:
        if code == "UNKNOWN":
            kind = answer[1].decode()
            return Unknown(kind, subject if kind == "account" else query.credential_id)
        return _read_refused(code, query, subject)
    if code == "CHANGED":
        return Changed(subject, _text(answer[1]), _text(answer[2]), asks_address=answer[3] == b"1")
    tier, scopes = answer[1].decode(), answer[2].decode()
    readings, waits = read_readings(answer, query.charges.get(tier, query.charges.get("", ())))
    principal = None
    if query.kind is not None:
        held = frozenset(scopes.split()) if query.kind is CredentialKind.API_KEY else query.granted
        principal = Principal(
            subject, query.kind, query.credential_id, tier=tier, scopes=held, generation=query.generation
        )
    if bool(code) is not bool(waits):
        raise ValueError(code)
    return Decision(principal, refuse_over_limits(waits) if waits else None, readings)


def read_readings(answer: Any, charges: Sequence[Charge]) -> tuple[tuple[Reading, ...], list[tuple[int, Limit]]]:  # noqa: ANN401
    """Return how each limit stands, and how long those must be waited for that refuse."""
    figures = map(int, answer[FIRST_READING:])
    readings, waits = [], []
    for charge, used, next_free_ms, wait_ms in zip(charges, figures, figures, figures, strict=True):
        readings.append(Reading(charge.limit, used, next_free_ms))
        if wait_ms > 0:
            waits.append((wait_ms, charge.limit))
    return tuple(readings), waits


def read_figures(answer: Any) -> list[tuple[int, int, int]]:  # noqa: ANN401 -- whatever came
    """Return for each limit the units used, the ms until something is free, and the ms until the request fits.

    Of a lease that was held already the last is minus the ms that were left of it.
    """
    if answer[0] not in (b"", b"RATE_LIMITED"):
        raise ValueError(answer[0])
    figures = map(int, answer[FIRST_READING:])
    return list(zip(figures, figures, figures, strict=True))


def read_pointer(answer: object) -> tuple[bool, str]:
    """Return whether a session or key has ended, and whose it is; nobody's when that was never known."""
    if not isinstance(answer, bytes) or answer[:1] not in (b"+", b"-"):
        raise TypeError(answer)
    return answer[:1] == b"-", answer[1:].decode("utf-8", "surrogatepass")


def _text(value: bytes) -> str:
    return value.decode()


def _read_refused(code: str, query: Query, subject: str) -> Decision:
    if code not in PROBLEMS:
        raise ValueError(code)
    if code == "TOKEN_REUSED":
        principal = Principal(subject, CredentialKind.REFRESH, query.credential_id, tier="")
        return Decision(principal, Refusal(code))
    scopes = tuple(sorted(query.scopes)) if code == "INSUFFICIENT_SCOPE" else ()
    return Decision(refusal=Refusal(code, scopes=scopes))
