"""Every error of the service in one JSON form: the rows of its own, and the handlers that use them."""

import errno
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from types import MappingProxyType

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from voxgate.accounts.database import DatabaseUnavailableError
from voxgate.gate.errors import PROBLEMS as GATE_PROBLEMS
from voxgate.gate.errors import Problem, Refusal, StoreUnavailableError
from voxgate.gate.flask.headers import media_type_of, problem_body, problem_headers, write_body
from voxgate.speech.artifacts import ArtifactStorageError
from voxgate.speech.jobs.base import JobsUnavailableError
from voxgate.web import openai_form
from voxgate.web.door import gate

RETRY_AFTER_S = 1  # the least that can be said; what is busy here is free again within a second

_UNAUTHORIZED = "Unauthorized"
_UNAVAILABLE = "Service Unavailable"

_ROWS = (
    Problem("BAD_REQUEST", 400, "Bad Request", "Bad request", "The request cannot be understood."),
    Problem("INVALID_JSON", 400, "Bad Request", "Invalid JSON", "The body is not a JSON object."),
    Problem(
        "MISSING_FIELDS",
        400,
        "Bad Request",
        "Missing required fields",
        "Send username, email and password, none of them empty.",
    ),
    Problem(
        "CREDENTIALS_MISSING",
        400,
        "Bad Request",
        "Username and password required",
        "Send username and password, none of them empty.",
    ),
    Problem(
        "INVALID_CREDENTIALS",
        401,
        _UNAUTHORIZED,
        "Invalid credentials",
        "The user name or the password is wrong.",
        "",
    ),
    Problem("ADMIN_REQUIRED", 403, "Forbidden", "Administrator required", "Log in with an account that may do this."),
    Problem("WRONG_PASSWORD", 403, "Forbidden", "Current password is wrong", "Nothing has changed; type it again."),
    Problem("NOT_FOUND", 404, "Not Found", "Not found", "There is nothing at this address."),
    Problem("ACCOUNT_UNKNOWN", 404, "Not Found", "Account not found", "There is no such account."),
    Problem("TIER_UNKNOWN", 404, "Not Found", "Tier not found", "There is no tier of this name that was defined."),
    Problem("JOB_NOT_FOUND", 404, "Not Found", "Job not found", "You have no job of this id."),
    Problem(
        "MODEL_NOT_FOUND", 404, "Not Found", "Model not found", "There is no such model; GET /v1/models lists them."
    ),
    Problem(
        "VOICE_NOT_FOUND",
        404,
        "Not Found",
        "Voice not found",
        "There is no such voice; GET /api/v1/tts/voices lists them.",
    ),
    Problem("KEY_NOT_FOUND", 404, "Not Found", "API key not found", "You have no API key of this id."),
    Problem("SESSION_NOT_FOUND", 404, "Not Found", "Session not found", "You have no session of this id."),
    Problem("METHOD_NOT_ALLOWED", 405, "Method Not Allowed", "Method not allowed", "See the Allow header."),
    Problem("BODY_TIMEOUT", 408, "Request Timeout", "Body timeout", "The body did not come in time; send it again."),
    Problem("USERNAME_TAKEN", 409, "Conflict", "Username already exists", "Choose another user name."),
    Problem("EMAIL_TAKEN", 409, "Conflict", "Email already exists", "Log in, or use another address."),
    Problem("TIER_IN_USE", 409, "Conflict", "Tier in use", "Move its accounts to another tier first."),
    Problem("TOO_MANY_KEYS", 409, "Conflict", "Too many API keys", "End a key that is not used, or let one expire."),
    Problem("KEY_EXPIRED", 409, "Conflict", "API key has expired", "It cannot be changed any more; make a new one."),
    Problem("KEY_ROTATED", 409, "Conflict", "API key was rotated", "Change its successor, or end this one."),
    Problem("AUDIO_NOT_READY", 409, "Conflict", "Audio not ready", "The job is not done; see its status."),
    Problem("AUDIO_EXPIRED", 410, "Gone", "Audio expired", "The audio has been removed; generate it again."),
    Problem(
        "BODY_TOO_LARGE",
        413,
        "Content Too Large",
        "Body too large",
        "The body is larger than this service takes.",
    ),
    Problem(
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        "Unsupported Media Type",
        "Unsupported media type",
        "Send JSON, uncompressed, with 'Content-Type: application/json'.",
    ),
    Problem(
        "RANGE_NOT_SATISFIABLE",
        416,
        "Range Not Satisfiable",
        "Range not satisfiable",
        "The audio is shorter than the range begins.",
    ),
    Problem(
        "IDEMPOTENCY_KEY_REUSED",
        422,
        "Unprocessable Content",
        "Idempotency key reused",
        "This Idempotency-Key was used within the last day for another request; use a new one.",
    ),
    Problem(
        "TEXT_OVER_BUDGET",
        422,
        "Unprocessable Content",
        "Text over budget",
        "The text is longer than the whole budget of characters.",
    ),
    Problem("TOO_MANY_JOBS", 429, "Too Many Requests", "Too many jobs", "Wait until some of your jobs have ended."),
    Problem("VALIDATION_FAILED", 422, "Unprocessable Content", "Validation failed", "A field is out of bounds."),
    Problem("SYNTHESIS_FAILED", 422, "Unprocessable Content", "Synthesis failed", "The text could not be spoken."),
    Problem(
        "INTERNAL_ERROR",
        500,
        "Internal Server Error",
        "Internal error",
        "Something broke on our side; tell the operator the request id.",
    ),
    Problem("HASHING_BUSY", 503, _UNAVAILABLE, "Service busy", "Too many logins at once; try again shortly."),
    Problem("ENGINE_UNAVAILABLE", 503, _UNAVAILABLE, "Service unavailable", "The engine does not start; try again."),
    Problem("STREAMS_FULL", 503, _UNAVAILABLE, "Service busy", "Too much is being spoken; try again shortly."),
    Problem("QUEUE_FULL", 503, _UNAVAILABLE, "Queue full", "Too many jobs are waiting; try again shortly."),
    Problem(
        "DATABASE_UNAVAILABLE",
        503,
        _UNAVAILABLE,
        "Service unavailable",
        "The database does not answer; try again shortly.",
    ),
    Problem(
        "STORAGE_UNAVAILABLE",
        503,
        _UNAVAILABLE,
        "Service unavailable",
        "The audio storage does not answer; try again shortly.",
    ),
    Problem("NOT_READY", 503, _UNAVAILABLE, "Not ready", "A dependency does not answer; see checks."),
    Problem(
        "STORAGE_FULL", 507, "Insufficient Storage", "Storage full", "There is no room for more; tell the operator."
    ),
)

# The code that a client reads is the row's. A disabled account has one code and two answers: 401
# to a right password at login, 403 to a credential afterwards.
_LOGIN_DISABLED = Problem(
    "ACCOUNT_DISABLED",
    401,
    _UNAUTHORIZED,
    "Account is disabled",
    "The account has been disabled by the operator.",
    "",
)

PROBLEMS: Mapping[str, Problem] = MappingProxyType(
    {**GATE_PROBLEMS, **{row.code: row for row in _ROWS}, "LOGIN_DISABLED": _LOGIN_DISABLED}
)

ROOT_PATHS = frozenset({"/login", "/protected", "/refresh", "/logout"})
_ROOT_TEXTS = {"TOKEN_MISSING": "Missing Authorization Header", "RATE_LIMITED": "Too Many Requests"}

# Statuses whose row does not have the name of their phrase.
_CODES_BY_STATUS = {
    413: "BODY_TOO_LARGE",
    416: "RANGE_NOT_SATISFIABLE",
    422: "VALIDATION_FAILED",
    500: "INTERNAL_ERROR",
}

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# An outage that refuses every request must not fill the disk as well.
TELL_EVERY_S = 10.0
_told_at_s: dict[str, float] = {}

_log = logging.getLogger("voxgate.web")


def problem_for(code: str) -> Problem:
    """Return the row of a refusal; a status of HTTP without a row of its own gets one from its phrase.

    Raises:
        KeyError: No refusal and no status has this name.
    """
    return PROBLEMS[code] if code in PROBLEMS else _problem_of_status(HTTPStatus[code])


def refuse(
    refusal: Refusal, *, headers: Mapping[str, str] | None = None, members: Mapping[str, object] | None = None
) -> Response:
    """Return the answer that tells a refusal: ``application/problem+json`` (RFC 9457).

    Args:
        refusal: The expected no.
        headers: Headers that go with it, such as ``Allow``.
        members: Members of the body beside those of every problem, such as the ``checks`` of ``/readyz``.
    """
    problem = problem_for(refusal.code)
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE and refusal.retry_after_s is None:
        refusal = replace(refusal, retry_after_s=RETRY_AFTER_S)
    if refusal.faults and refusal.message is None:
        said = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in refusal.faults)
        refusal = replace(refusal, message=said)
    told = problem_body(refusal, problem=problem, request_id=gate.request_id)
    body = body_for_path(request.path, {**told, **(members or {})})
    status = openai_form.status_of(problem.status) if openai_form.has_form(request.path) else problem.status
    answer = Response(write_body(body), status)
    answer.headers.extend(dict(headers or {}))
    for name, value in problem_headers(refusal, problem=problem, media_type=media_type_of(body)):
        answer.headers[name] = value
    return answer


def body_for_path(path: str, body: dict[str, object]) -> dict[str, object]:
    """Return an error's body as the route's document names it.

    The first document's four routes carry ``msg``, and say ``Too Many Requests`` in ``message`` when a limit refuses.
    The paths under ``/v1/`` have OpenAI's form.
    """
    if openai_form.has_form(path):
        return openai_form.error_body(body)
    if path not in ROOT_PATHS:
        return body
    code = str(body["code"])
    told = _ROOT_TEXTS.get(code) or str(body["message" if "TOKEN" in code else "error"])
    return {**body, "msg": told, **({"message": told} if code == "RATE_LIMITED" else {})}


def add_error_handlers(app: Flask) -> None:
    """Make every error of ``app`` a problem; nothing leaves it as HTML."""
    app.register_error_handler(HTTPException, _on_http_exception)
    app.register_error_handler(DatabaseUnavailableError, partial(_on_outage, "DATABASE_UNAVAILABLE"))
    app.register_error_handler(JobsUnavailableError, partial(_on_outage, "DATABASE_UNAVAILABLE"))
    app.register_error_handler(StoreUnavailableError, partial(_on_outage, "STORE_UNAVAILABLE"))
    app.register_error_handler(ArtifactStorageError, _on_artifact_storage)
    app.register_error_handler(Exception, _on_bug)


def _problem_of_status(status: HTTPStatus) -> Problem:
    text = status.description or status.phrase
    return Problem(status.name, status, status.phrase, status.phrase.capitalize(), text.rstrip(".") + ".")


def _on_http_exception(error: HTTPException) -> Response:
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    is_lost = status is HTTPStatus.NOT_FOUND and "docs" in current_app.blueprints
    message = "There is nothing at this address; /docs lists what there is." if is_lost else None
    return refuse(Refusal(_CODES_BY_STATUS.get(status, status.name), message), headers=_own_headers(error))


def _own_headers(error: HTTPException) -> dict[str, str]:
    return {name: value for name, value in error.get_headers() if name.lower() != "content-type"}


def _on_outage(code: str, error: Exception) -> Response:
    now_s = time.monotonic()
    if now_s - _told_at_s.get(code, -TELL_EVERY_S) >= TELL_EVERY_S:
        _told_at_s[code] = now_s
        _log.warning("%s: %s", code.lower(), error)
    return refuse(Refusal(code))


def _on_artifact_storage(error: ArtifactStorageError) -> Response:
    return _on_outage("STORAGE_FULL" if error.errno in _FULL else "STORAGE_UNAVAILABLE", error)


def _on_bug(error: Exception) -> Response:
    _log.error("request %s failed", gate.request_id, exc_info=error)
    return refuse(Refusal("INTERNAL_ERROR"))
