"""One form for every log line: one JSON object, without secrets, that no value can forge."""

import contextlib
import fcntl
import json
import logging
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from voxgate.gate import events

ROOT_LOGGER = "voxgate"
EVENT_LOGGER = "voxgate.events"
REDACTED = "[redacted]"
MAX_VALUE_CHARACTERS = 1000

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
_WARNING_EVENTS = frozenset(
    {
        events.RATE_LIMIT_EXCEEDED,
        events.AUTHN_LOGIN_LOCK,
        events.AUTHN_TOKEN_REUSE,
        events.AUTHZ_FAIL,
        events.TTS_JOB_FAILED,
        events.STORE_UNAVAILABLE,
    }
)


def redact(text: str) -> str:
    """Return the text without anything that has the form of a token, a key or a password."""
    return _SECRET_FORMS.sub(lambda found: f"{found['lead'] or ''}{REDACTED}", text)


def configure_logs(level: str = "info", *, security_log: Path | None = None, stream: TextIO | None = None) -> None:
    """Send the logs of voxgate, and of nothing else, to a stream and its events to a file too; the root stays as it is.

    Args:
        level: Least level that the stream shows: debug, info, warning or error. The file takes every event.
        security_log: File of the security events; None for no file.
        stream: Where lines go; standard error when None. A terminal gets a short form for people.
    """
    stream = sys.stderr if stream is None else stream
    shown = logging.StreamHandler(stream)
    shown.setFormatter(ShortLines() if stream.isatty() else JsonLines())
    shown.setLevel(level.upper())
    _replace_handlers(logging.getLogger(ROOT_LOGGER), [shown])
    logging.getLogger(ROOT_LOGGER).setLevel(min(logging.INFO, shown.level))
    logging.getLogger(ROOT_LOGGER).propagate = False
    kept = [] if security_log is None else [SecurityLog(security_log)]
    event_logger = logging.getLogger(EVENT_LOGGER)
    _replace_handlers(event_logger, kept)
    event_logger.filters = [_grade]


class JsonLines(logging.Formatter):
    """One JSON object a line, pure ASCII: a value can neither end a line nor start another."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        return json.dumps(_fields_of(record), default=str)


class ShortLines(logging.Formatter):
    """Time, level, event and fields for the eyes of a developer; values are encoded all the same."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        fields = _fields_of(record)
        head = f"{str(fields.pop('timestamp'))[11:19]} {fields.pop('level')} {fields.pop('event')}"
        return " ".join([head, *(f"{name}={json.dumps(value, default=str)}" for name, value in fields.items())])


class SecurityLog(logging.Handler):
    """Appends each event to a file that several processes share, and keeps the last few files.

    Every line is one write to a file opened for appending, so lines of different processes never mix.
    """

    def __init__(self, path: Path, *, max_bytes: int = 10_485_760, kept: int = 5) -> None:
        """Write to a path; nothing is opened before the first event.

        Args:
            path: The file; its folder is made when missing.
            max_bytes: Size at which a new file is begun.
            kept: Older files that are kept, as ``security.log.1`` (the newest) and so on.
        """
        super().__init__()
        self.setFormatter(JsonLines())
        self._path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._is_failing = False

    def emit(self, record: logging.LogRecord) -> None:
        """Append one line; a full disk is told once on standard error and never disturbs the caller."""
        try:
            self._append(f"{self.format(record)}\n".encode())
            self._is_failing = False
        except OSError as error:
            if not self._is_failing:
                print(f"voxgate: security events are being lost: {error}", file=sys.stderr)  # noqa: T201 -- the log is down
            self._is_failing = True

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, line)
            is_full = os.fstat(file).st_size >= self._max_bytes
        finally:
            os.close(file)
        if is_full:
            self._rotate()

    def _rotate(self) -> None:
        with _locked(self._path.parent):
            if not self._path.exists() or self._path.stat().st_size < self._max_bytes:
                return  # another process has just done it
            for number in range(self._kept - 1, 0, -1):
                older = self._path.with_name(f"{self._path.name}.{number}")
                if older.exists():
                    older.rename(self._path.with_name(f"{self._path.name}.{number + 1}"))
            self._path.rename(self._path.with_name(f"{self._path.name}.1"))


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


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
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
        fields["exception"] = redact(logging.Formatter().formatException(record.exc_info))
    return fields


def _describe(event: str, fields: Mapping[str, object]) -> str:
    """Return the sentence that the second document writes for its three events, or an empty text."""
    who = fields.get("user_id") or fields.get("username") or "unknown"
    sentences: dict[str, Callable[[], str]] = {
        events.LOGIN: lambda: f"{'Successful login' if fields.get('success') else 'Failed login attempt'}: {who}",
        events.API_KEY_USAGE: lambda: f"API key used: {who}",
        events.RATE_LIMIT_EXCEEDED: lambda: f"Rate limit exceeded: {who}",
    }
    return sentences.get(event, str)()


def _cleaned(name: str, value: object) -> object:
    if name.lower() in _SECRET_FIELDS:
        return REDACTED
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = redact(str(value))
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}..."


def _grade(record: logging.LogRecord) -> bool:
    """Give an event its level: what an operator should look at is a warning."""
    event, fields = getattr(record, "event", ""), getattr(record, "fields", {})
    if event in _WARNING_EVENTS or (event == events.LOGIN and not fields.get("success")):
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def _replace_handlers(logger: logging.Logger, handlers: Sequence[logging.Handler]) -> None:
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    for handler in handlers:
        logger.addHandler(handler)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
