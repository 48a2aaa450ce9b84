"""Success out: a documented shape as a JSON answer."""

from collections.abc import Mapping
from datetime import UTC, datetime

from flask import Flask, Response
from flask.json.provider import DefaultJSONProvider
from pydantic import BaseModel


class Utf8JsonProvider(DefaultJSONProvider):
    """JSON as people wrote it: UTF-8, names in the order of the schema."""

    ensure_ascii = False
    sort_keys = False


class JsonResponse(Response):
    """What Flask answers by itself, such as OPTIONS: not HTML."""

    default_mimetype = "application/json"


def use_json(app: Flask) -> None:
    """Let ``app`` write JSON as UTF-8, and call nothing HTML that is not."""
    app.json = Utf8JsonProvider(app)
    app.response_class = JsonResponse


def answer(body: BaseModel, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return ``body`` as an answer; nothing but its fields leaves."""
    return Response(body.model_dump_json(), status, headers=dict(headers or {}), mimetype="application/json")


def secret_answer(body: BaseModel, status: int = 200) -> Response:
    """Return ``body``, which holds a token or a key, as an answer that nobody may store (RFC 6749, section 5.1)."""
    return answer(body, status, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def empty_answer() -> Response:
    """Return 204: it is done, and there is nothing to tell."""
    empty = Response(status=204)
    del empty.headers["Content-Type"]
    return empty


def text_of_time(at_ms: int) -> str:
    """Return milliseconds since the epoch as RFC 3339 text, UTC, whole seconds."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
