"""One form for every log line: one JSON object, bounded, without secrets, that no value can forge."""

import json
import logging
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from voxgate.gate import events

REDACTED = "[redacted]"
MAX_VALUE_CHARACTERS = 1000
MAX_EXCEPTION_CHARACTERS = 10_000

# What is longer is cut before secrets are looked for; no token of ours is as long as the rest.
_MAX_READ_CHARACTERS = 16_000
_MAX_INTEGER = 1 << 63
_SENTENCES = {events.API_KEY_USAGE: "API key used", events.RATE_LIMIT_EXCEEDED: "Rate limit exceeded"}
# What a record is told that was written down already; only its own handlers see it, one after the other.
_LINE = "_voxgate_line"

# Whole fields that are never written, whatever they hold. `text` is what somebody wants spoken.
_SECRET_FIELDS = frozenset(
    {"access_token", "api_key", "authorization", "cookie", "password", "refresh_token", "secret", "text", "token"}
)
# Secrets by their form, wherever they stand.
_SECRET_FORMS = re.compile(
    r"eyJ[\w-]*\.[\w-]*\.[\w-]*"  # a JWT
    r"|\b(?:sk|vgr|vgd)[-_][\w-]{8,}"  # an API key, a refresh or a device token
    r"|(?<=://)[^\s/@]*:[^\s/@]*(?=@)"  # the user and password of an address
    r"|(?P<lead>\b(?:bearer|basic)\s+|(?:passw(?:or)?d|secret|token|api[_-]?key)[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&]+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Return the text without anything that has the form of a token, a key or a password."""
    if text.isalnum():  # an id or a word: each of those forms has another sign in it
        return text
    return _SECRET_FORMS.sub(lambda found: f"{found['lead'] or ''}{REDACTED}", text)


class JsonLines(logging.Formatter):
    """One JSON object a line, pure ASCII: a value can neither end a line nor start another."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line; written down once, however many handlers it goes to."""
        line: str | None = getattr(record, _LINE, None)
        if line is None:
            line = json.dumps(fields_of(record), default=str)
            setattr(record, _LINE, line)
        return line


class ShortLines(logging.Formatter):
    """Time, level, event and fields for the eyes of a developer; values are encoded all the same."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        fields = fields_of(record)
        head = f"{str(fields.pop('timestamp'))[11:19]} {fields.pop('level')} {fields.pop('event')}"
        return " ".join([head, *(f"{name}={json.dumps(value, default=str)}" for name, value in fields.items())])


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what a line says of a record: when, how grave, what, and its fields, cleaned."""
    fields: dict[str, object] = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": getattr(record, "event", record.name),
    }
    given: Mapping[str, object] = getattr(record, "fields", {})
    message = _describe(str(fields["event"]), given) if hasattr(record, "event") else record.getMessage()
    if message:
        fields["message"] = _cleaned("message", message)
    fields |= {name: _cleaned(name, value) for name, value in given.items() if name not in fields}
    if record.exc_info:
        told = redact(logging.Formatter().formatException(record.exc_info)[-_MAX_READ_CHARACTERS:])
        fields["exception"] = told[-MAX_EXCEPTION_CHARACTERS:]  # the last lines of a traceback say what it was
    return fields


def _describe(event: str, fields: Mapping[str, object]) -> str:
    """Return the sentence that the second document writes for its three events, or an empty text."""
    if event != events.LOGIN and event not in _SENTENCES:
        return ""
    who = _cleaned("user_id", fields.get("user_id") or fields.get("username") or "unknown")
    if event == events.LOGIN:
        return f"{'Successful login' if fields.get('success') else 'Failed login attempt'}: {who}"
    more = f", {fields['repeats']} more times" if "repeats" in fields else ""
    return f"{_SENTENCES[event]}: {who}{more}"


def clean_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of an event as they may be kept: without secrets, each bounded."""
    return {name: _cleaned(name, value) for name, value in fields.items()}


def _cleaned(name: str, value: object) -> object:
    if name.lower() in _SECRET_FIELDS:
        return REDACTED
    if value is None or isinstance(value, bool) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, int):
        return value if abs(value) < _MAX_INTEGER else "[huge number]"
    text = redact(str(value)[:_MAX_READ_CHARACTERS])
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}..."
