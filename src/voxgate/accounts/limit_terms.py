"""Limits that people give to tiers, accounts and keys: read, judged, merged, and written in one canonical text."""

from collections.abc import Mapping

from voxgate.gate.errors import ConfigurationError, FieldFault
from voxgate.gate.overrides import EVERY, format_overrides, parse_overrides

MAX_LIMIT_CHARACTERS = 200


def find_limit_faults(
    limits: Mapping[str, str | None], policies: frozenset[str], *, pointer: str = "/limits"
) -> tuple[FieldFault, ...]:
    """Return every limit that cannot be accepted; None stands for a limit that is taken back.

    Args:
        limits: For each policy its limit string.
        policies: The policies that there are, beside ``*``.
        pointer: Where the limits stand in the request.
    """
    found = []
    for policy, text in limits.items():
        detail = _find_fault(policy, text, policies)
        if detail is not None:
            found.append(FieldFault(f"{pointer}/{policy}"[:120], detail))
    return tuple(found)


def merge_limits(text: str, changes: Mapping[str, str | None]) -> str:
    """Return the canonical text with some limits changed, and those taken back whose change is None."""
    merged = read_limits(text)
    for policy, limit in changes.items():
        if limit is None:
            merged.pop(policy, None)
        else:
            merged[policy] = limit
    return write_limits(merged)


def read_limits(text: str) -> dict[str, str]:
    """Return for each policy its limit string, from a canonical text."""
    return dict(parse_overrides(text))


def write_limits(limits: Mapping[str, str]) -> str:
    """Return the canonical text of limits without faults: one text for one meaning, so that texts can be compared."""
    return format_overrides(limits)


def _find_fault(policy: str, text: str | None, policies: frozenset[str]) -> str | None:
    if policy != EVERY and policy not in policies:
        return f"is no policy; there are {', '.join(sorted({EVERY, *policies}))}"
    if text is None:
        return None
    if len(text) > MAX_LIMIT_CHARACTERS:
        return f"must be at most {MAX_LIMIT_CHARACTERS} characters long"
    if not text.strip():
        return "must be a limit such as '10 per minute'"
    try:
        format_overrides({policy: text})
    except ConfigurationError as error:
        return error.reason
    return None
