"""Where log lines go: standard error, and the file of security events; every line has the one form of ``lines``."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from voxgate.gate import events
from voxgate.gate.classic.loggers import AuthLogger, RateLimitLogger
from voxgate.logs.files import SecurityLog
from voxgate.logs.lines import REDACTED, JsonLines, ShortLines, clean_fields, redact

__all__ = [
    "REDACTED",
    "AuthLogger",
    "JsonLines",
    "RateLimitLogger",
    "SecurityLog",
    "ShortLines",
    "clean_fields",
    "configure_logs",
    "redact",
]

ROOT_LOGGER = "voxgate"
EVENT_LOGGER = "voxgate.events"

_WARNING_EVENTS = frozenset(
    {
        events.RATE_LIMIT_EXCEEDED,
        events.AUTHN_LOGIN_LOCK,
        events.AUTHN_CREDENTIAL_REFUSED,
        events.AUTHN_TOKEN_REUSE,
        events.AUTHZ_FAIL,
        events.TTS_JOB_FAILED,
        events.STORE_UNAVAILABLE,
    }
)


def configure_logs(
    level: str = "info", *, security_log: SecurityLog | Path | None = None, stream: TextIO | None = None
) -> None:
    """Send the logs of voxgate, and of nothing else, to a stream and its events to a file too; the root stays as it is.

    Args:
        level: Least level that the stream shows: debug, info, warning or error. The file takes every event.
        security_log: The file of the security events, or its path; None for no file.
        stream: Where lines go; standard error when None. A terminal gets a short form for people.
    """
    stream = sys.stderr if stream is None else stream
    shown = logging.StreamHandler(stream)
    shown.setFormatter(ShortLines() if stream.isatty() else JsonLines())
    shown.setLevel(level.upper())
    _replace_handlers(logging.getLogger(ROOT_LOGGER), [shown])
    logging.getLogger(ROOT_LOGGER).setLevel(min(logging.INFO, shown.level))
    logging.getLogger(ROOT_LOGGER).propagate = False
    kept = [SecurityLog(security_log) if isinstance(security_log, Path) else security_log] if security_log else []
    event_logger = logging.getLogger(EVENT_LOGGER)
    _replace_handlers(event_logger, kept)
    event_logger.filters = [_grade]


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
