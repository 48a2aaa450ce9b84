"""``AuthLogger`` and ``RateLimitLogger``: security events by their documented names, on a logger of one's own."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from voxgate.gate import events
from voxgate.gate.clock import Clock, SystemClock

EVENT_LOGGER = "voxgate.events"
WINDOW_MS = 60_000


class AuthLogger:
    """Tells logins and uses of API keys. Values are fields of the record; in its text they cannot forge a line.

    Args:
        logger: Takes the records; by default ``voxgate.events``, whose lines stand in ``security.log``.
        clock: Source of time.
    """

    def __init__(self, logger: logging.Logger | None = None, *, clock: Clock | None = None) -> None:
        self._logger = logger or logging.getLogger(EVENT_LOGGER)
        self._clock = clock or SystemClock()

    def log_login(self, user_id: str, ip_address: str, user_agent: str, success: bool) -> None:  # noqa: FBT001, PLR0917 -- the documented form
        """Tell a login, or an attempt: then ``user_id`` is what was typed, and stands in ``username`` too."""
        who = {"user_id": user_id} if success else {"user_id": user_id, "username": user_id}
        fields = {**who, "ip_address": ip_address, "user_agent": user_agent, "success": success}
        text = f"Successful login: {_shown(user_id)}" if success else f"Failed login attempt: {_shown(user_id)}"
        _write(
            self._logger,
            logging.INFO if success else logging.WARNING,
            text,
            record=_record(events.LOGIN, fields, self._clock),
        )

    def log_api_key_usage(self, user_id: str, endpoint: str, ip_address: str) -> None:
        """Tell that an API key was used."""
        fields = {"user_id": user_id, "endpoint": endpoint, "ip_address": ip_address}
        _write(
            self._logger,
            logging.INFO,
            f"API key used: {_shown(user_id)}",
            record=_record(events.API_KEY_USAGE, fields, self._clock),
        )


class RateLimitLogger:
    """Tells that a limit was met: at once the first time, then as one count a minute (``repeats``).

    Args:
        logger: Takes the records, as for ``AuthLogger``.
        clock: Source of time.
    """

    def __init__(self, logger: logging.Logger | None = None, *, clock: Clock | None = None) -> None:
        self._logger = logger or logging.getLogger(EVENT_LOGGER)
        self._clock = clock or SystemClock()
        self._quiet = events.Quiet(self._emit)

    def log_rate_limit_exceeded(self, user_id: str, endpoint: str, limit: int | str) -> None:
        """Tell that a caller met a limit."""
        fields = {"user_id": user_id, "endpoint": endpoint, "limit": limit}
        key = (user_id, endpoint)
        self._quiet.tell(events.RATE_LIMIT_EXCEEDED, fields, key=key, now_ms=self._clock.now_ms(), for_ms=WINDOW_MS)

    def _emit(self, event: str, fields: Mapping[str, object]) -> None:
        text = f"Rate limit exceeded: {_shown(str(fields['user_id']))}"
        _write(self._logger, logging.WARNING, text, record=_record(event, fields, self._clock))


def _record(event: str, fields: Mapping[str, object], clock: Clock) -> dict[str, object]:
    """Return the attributes of a log record: each field by its name, and all of them for our own lines."""
    timestamp = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).isoformat()
    return {"event": event, **fields, "timestamp": timestamp, "fields": dict(fields)}


def _write(logger: logging.Logger, level: int, text: str, *, record: Mapping[str, object]) -> None:
    logger.log(level, "%s", text, extra=dict(record))


def _shown(name: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in name)[:200]
