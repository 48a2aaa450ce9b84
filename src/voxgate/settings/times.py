"""Moments as people write them."""

from datetime import UTC, datetime


def read_time(text: str, *, now_ms: int) -> int:
    """Return milliseconds since the epoch from an RFC 3339 text such as ``2027-01-15T08:00:00Z``.

    Args:
        text: A date and a time; without an offset it is UTC.
        now_ms: What the moment must not lie behind: nothing can be promised of what has not begun yet.

    Raises:
        ValueError: The text is no moment, or one in the future.
    """
    hint = "write a time such as 2027-01-15T08:00:00Z, not in the future"
    try:
        moment = datetime.fromisoformat(text.strip())
        at_ms = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise ValueError(hint) from error
    if not 0 <= at_ms <= now_ms:
        raise ValueError(hint)
    return at_ms
