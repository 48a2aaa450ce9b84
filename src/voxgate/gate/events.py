"""The names of security events: a closed vocabulary, and where events go."""

import logging
from collections.abc import Callable, Mapping

EventSink = Callable[[str, Mapping[str, object]], None]
"""Takes the event's name and its fields; must not raise and must not block for long."""

# The second document's three, as it names them.
LOGIN = "login"
API_KEY_USAGE = "api_key_usage"
RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"

# OWASP's logging vocabulary.
AUTHN_LOGIN_LOCK = "authn_login_lock"
AUTHN_TOKEN_CREATED = "authn_token_created"  # noqa: S105 -- the name of an event
AUTHN_TOKEN_REVOKED = "authn_token_revoked"  # noqa: S105 -- the name of an event
AUTHN_TOKEN_REUSE = "authn_token_reuse"  # noqa: S105 -- the name of an event
AUTHN_PASSWORD_CHANGE = "authn_password_change"  # noqa: S105 -- the name of an event
AUTHZ_FAIL = "authz_fail"
USER_CREATED = "user_created"
USER_UPDATED = "user_updated"

# The service's own.
STORE_UNAVAILABLE = "gate_store_unavailable"
STORE_RECOVERED = "gate_store_recovered"
TTS_JOB_SUBMITTED = "tts_job_submitted"
TTS_JOB_FINISHED = "tts_job_finished"
TTS_JOB_FAILED = "tts_job_failed"

# More subjects than this in one window and the oldest are told of again: bounded memory before completeness.
_REMEMBERED = 10_000

_logger = logging.getLogger("voxgate.events")


def log_event(event: str, fields: Mapping[str, object]) -> None:
    """Send an event to the standard logger ``voxgate.events``; the sink when none is given."""
    _logger.info(event, extra={"event": event, "fields": dict(fields)})


class Quiet:
    """Says which events are the first of their kind for a while, so that an attacker cannot fill the log.

    A lost race between two threads tells an event twice, which harms nobody; so there is no lock.
    """

    def __init__(self) -> None:
        self._silent_until_ms: dict[tuple[str, ...], int] = {}

    def is_first(self, *key: str, now_ms: int, for_ms: int) -> bool:
        """Tell whether the key was not seen within its time, and silence it for ``for_ms`` from now."""
        if self._silent_until_ms.get(key, 0) > now_ms:
            return False
        if len(self._silent_until_ms) >= _REMEMBERED:
            self._silent_until_ms.clear()
        self._silent_until_ms[key] = now_ms + for_ms
        return True
