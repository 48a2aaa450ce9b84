"""The second document's loggers, by its names, over the house's events."""

from voxgate.gate import events


class AuthLogger:
    """The second document's logger of logins and API keys, over the house's events."""

    def __init__(self, sink: events.EventSink = events.log_event) -> None:
        """Send events to a sink; to the house's log when none is given."""
        self._sink = sink

    def log_login(self, user_id: str | None, ip_address: str, user_agent: str, success: bool) -> None:  # noqa: FBT001, PLR0917 -- the document's signature
        """Record that somebody logged in, or tried to."""
        fields = {"user_id": user_id, "ip_address": ip_address, "user_agent": user_agent, "success": success}
        self._sink(events.LOGIN, fields)

    def log_api_key_usage(self, user_id: str, endpoint: str, ip_address: str) -> None:
        """Record that an API key was used."""
        self._sink(events.API_KEY_USAGE, {"user_id": user_id, "endpoint": endpoint, "ip_address": ip_address})


class RateLimitLogger:
    """The second document's logger of refusals over a limit, over the house's events."""

    def __init__(self, sink: events.EventSink = events.log_event) -> None:
        """Send events to a sink; to the house's log when none is given."""
        self._sink = sink

    def log_rate_limit_exceeded(self, user_id: str, endpoint: str, limit: str) -> None:
        """Record that somebody met a limit."""
        self._sink(events.RATE_LIMIT_EXCEEDED, {"user_id": user_id, "endpoint": endpoint, "limit": limit})
