"""The names of security events: a closed vocabulary, where events go, and how a flood of them stays two lines."""

import logging
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

EventSink = Callable[[str, Mapping[str, object]], None]
"""Takes the event's name and its fields; must not raise and must not block for long."""

# The second document's three, as it names them.
LOGIN = "login"
API_KEY_USAGE = "api_key_usage"
RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"

# OWASP's logging vocabulary.
AUTHN_LOGIN_LOCK = "authn_login_lock"
AUTHN_LOGIN_NEW_DEVICE = "authn_login_new_device"
AUTHN_PASSWORD_REHASH = "authn_password_rehash"  # noqa: S105 -- the name of an event
AUTHN_CREDENTIAL_REFUSED = "authn_credential_refused"
AUTHN_TOKEN_CREATED = "authn_token_created"  # noqa: S105 -- the name of an event
AUTHN_TOKEN_REVOKED = "authn_token_revoked"  # noqa: S105 -- the name of an event
AUTHN_TOKEN_REUSE = "authn_token_reuse"  # noqa: S105 -- the name of an event
AUTHN_PASSWORD_CHANGE = "authn_password_change"  # noqa: S105 -- the name of an event
AUTHZ_FAIL = "authz_fail"
USER_CREATED = "user_created"
USER_UPDATED = "user_updated"
USER_DELETED = "user_deleted"
TIER_UPDATED = "tier_updated"

# The service's own.
SIGNING_KEY_CHANGED = "signing_key_changed"
STORE_UNAVAILABLE = "gate_store_unavailable"
STORE_RECOVERED = "gate_store_recovered"
TTS_JOB_SUBMITTED = "tts_job_submitted"
TTS_JOB_FINISHED = "tts_job_finished"
TTS_JOB_FAILED = "tts_job_failed"
TTS_STREAM_BROKEN = "tts_stream_broken"

_OUTAGES = frozenset({STORE_UNAVAILABLE, STORE_RECOVERED})

# More subjects than this in one window and the oldest are told of again: bounded memory before completeness.
_REMEMBERED = 10_000
# Each event that is told also looks at so many old ones, so that their counts come without a thread that waits.
_LOOKED_AT = 4

_logger = logging.getLogger("voxgate.events")

NAMES = frozenset(value for name, value in globals().copy().items() if name.isupper() and isinstance(value, str))
"""Every name that an event can have."""


def log_event(event: str, fields: Mapping[str, object]) -> None:
    """Send an event to the standard logger ``voxgate.events``; the sink when none is given.

    An application that has set up no logging sees warnings alone, so what it must not miss is one.
    """
    level = logging.WARNING if event in _OUTAGES else logging.INFO
    _logger.log(level, event, extra={"event": event, "fields": dict(fields)})


@dataclass(slots=True)
class _Spell:
    """One event that was told, and how often it has happened again since."""

    event: str
    fields: Mapping[str, object]
    until_ms: int
    repeats: int = 0


class Quiet:
    """Tells the first event of a kind at once and the rest as one count, so that an attacker cannot fill the log.

    The count is told as the same event with ``repeats``: when the event happens again after its time, when other
    events are told, or by ``flush``. Two threads that race may lose one of a count; no event is told twice for it.

    Args:
        emit: Takes the events.
    """

    def __init__(self, emit: EventSink = log_event) -> None:
        self._emit = emit
        self._spells: dict[Hashable, _Spell] = {}
        self._lock = threading.Lock()

    def has_counted(self, key: Hashable, *, now_ms: int) -> bool:
        """Tell whether an event of this key was told and is still within its time; then it is counted."""
        spell = self._spells.get(key)
        if spell is None or spell.until_ms <= now_ms:
            return False
        spell.repeats += 1
        return True

    def tell(self, event: str, fields: Mapping[str, object], *, key: Hashable, now_ms: int, for_ms: int) -> None:
        """Tell an event at once, or count it when one of its key was told within its time.

        Args:
            event: Its name.
            fields: Its fields; those of the first are told again with the count.
            key: What makes two events alike, such as the name, the subject and the route.
            now_ms: The time.
            for_ms: How long its like is only counted.
        """
        with self._lock:
            if self.has_counted(key, now_ms=now_ms):
                return
            over = self._take_over(key, now_ms)
            self._spells[key] = _Spell(event, dict(fields), now_ms + for_ms)
        self._tell_counts(over)
        self._emit(event, fields)

    def flush(self, now_ms: int | None = None) -> None:
        """Tell the counts whose time is over; all of them when no time is given, as at the end of a process."""
        with self._lock:
            ended = [key for key, spell in self._spells.items() if now_ms is None or spell.until_ms <= now_ms]
            over = [self._spells.pop(key) for key in ended]
        self._tell_counts(over)

    def _take_over(self, key: Hashable, now_ms: int) -> list[_Spell]:
        oldest = [each for each, _ in zip(self._spells, range(_LOOKED_AT), strict=False)]
        ended = {each for each in oldest if self._spells[each].until_ms <= now_ms} | (self._spells.keys() & {key})
        if len(self._spells) >= _REMEMBERED:
            ended.add(oldest[0])
        return [self._spells.pop(each) for each in ended]

    def _tell_counts(self, spells: list[_Spell]) -> None:
        for spell in spells:
            if spell.repeats:
                self._emit(spell.event, {**spell.fields, "repeats": spell.repeats})
