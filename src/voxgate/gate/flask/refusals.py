"""A refusal as it goes over the wire: written once, and sent again with a fresh id and a fresh wait."""

import functools
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from voxgate.gate.decision import Reading
from voxgate.gate.errors import PROBLEMS, Refusal
from voxgate.gate.flask import headers
from voxgate.gate.flask.headers import Header

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

REQUEST_ID = "voxgate.request_id"
"""Where the WSGI environment holds the id of the request."""

BodyFilter = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Takes the path and the body of a refusal of the gate, and gives the body to send."""

# Stands in a written body where the request's id will; no id that a client gives can look like it.
_ID_MARK = "\x00id\x00"
_ID_BYTES = headers.write_body({"": _ID_MARK})[5:-3]
# For one wait: the headers, what of the body stands around the id, and how long the body is with an id of ours, so
# that this number is not written anew each time.
Form = tuple[tuple[Header, ...], list[bytes], int, Header]
_NEVER_MS = 1 << 62
# Refusals that say nothing of a moment, such as that of a token that is not one, are few and come often.
_MAX_KEPT = 256


class WrittenRefusal:
    """The status, headers and body of a refusal, written but for what differs from answer to answer.

    Args:
        status: Status line.
        own: Headers but for the id, the wait and the length.
        body: Body with marks where the id of the request stands.
        refusal: What is refused; its wait is the one in the body.
    """

    __slots__ = ("_body", "_forms", "_own", "_refusal", "status")

    def __init__(self, status: str, own: Iterable[Header], *, body: bytes, refusal: Refusal) -> None:
        self.status = status
        """Status line."""
        self._own = tuple(own)
        self._body = body
        self._refusal = refusal
        self._forms: dict[int | None, Form] = {}

    def send(
        self,
        environ: dict[str, Any],
        start_response: "StartResponse",
        *,
        also: Iterable[Header],
        age_ms: int = 0,
    ) -> list[bytes]:
        """Answer one request.

        Args:
            environ: The request; it has its id.
            start_response: Takes status and headers.
            also: Headers that this request gets beside those of the refusal.
            age_ms: How long ago the decision was made, in milliseconds.
        """
        (own, around, usual_bytes, length), _ = self.form(age_ms)
        request_id = environ[REQUEST_ID]
        body = request_id.encode().join(around)
        if len(body) != usual_bytes:
            length = _length(len(body))
        start_response(self.status, [*own, *also, ("X-Request-ID", request_id), length])
        # A list is whole: servers send it at once, where they walk through every other iterable (granian: 10 us).
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def form(self, age_ms: int) -> tuple[Form, int]:
        """Return what is sent at an age in milliseconds, and the age from which the wait that it tells is too long."""
        wait_ms, retry_after_s, due_ms = self._refusal.wait_ms, self._refusal.retry_after_s, _NEVER_MS
        if wait_ms:
            retry_after_s = max(1, -((age_ms - wait_ms) // 1000))
            due_ms = wait_ms - 1000 * (retry_after_s - 1)
        form = self._forms.get(retry_after_s)
        if form is None:
            form = self._forms[retry_after_s] = self._write(retry_after_s)
        return form, due_ms

    def _write(self, retry_after_s: int | None) -> Form:
        own, body = self._own, self._body
        if retry_after_s is not None:
            own = (*own, ("Retry-After", str(retry_after_s)))
            body = body.replace(_retry(self._refusal.retry_after_s), _retry(retry_after_s), 1)
        around = body.split(_ID_BYTES)
        usual_bytes = len(b"".join(around)) + (len(around) - 1) * headers.REQUEST_ID_CHARACTERS
        return own, around, usual_bytes, _length(usual_bytes)


class Writer:
    """Writes refusals; those that say nothing of a moment only once for each path.

    Args:
        body_filter: Changes the bodies; None leaves them as they are.
    """

    def __init__(self, body_filter: BodyFilter | None) -> None:
        self._body_filter = body_filter
        self._kept = functools.lru_cache(_MAX_KEPT)(self._write_timeless)

    def write(self, refusal: Refusal, readings: Sequence[Reading], *, path: str) -> WrittenRefusal:
        """Return a refusal of the gate as it goes over the wire."""
        if readings or refusal.retry_after_s is not None:
            return write_refusal(refusal, readings, path=path, body_filter=self._body_filter)
        return self._kept(refusal, path if self._body_filter else "")

    def _write_timeless(self, refusal: Refusal, path: str) -> WrittenRefusal:
        return write_refusal(refusal, (), path=path, body_filter=self._body_filter)


def write_refusal(
    refusal: Refusal, readings: Sequence[Reading], *, path: str, body_filter: BodyFilter | None
) -> WrittenRefusal:
    """Return a refusal of the gate as it goes over the wire."""
    body = headers.problem_body(refusal, request_id=_ID_MARK)
    if body_filter is not None:
        body = body_filter(path, body)
    status = HTTPStatus(PROBLEMS[refusal.code].status)
    told = headers.problem_headers(refusal, media_type=headers.media_type_of(body))
    own = [*told, *headers.limit_headers(readings), *headers.SECURITY_HEADERS]
    return WrittenRefusal(
        f"{status.value} {status.phrase}",
        [header for header in own if header[0] != "Retry-After"],
        body=headers.write_body(body),
        refusal=refusal,
    )


def _length(size_bytes: int) -> Header:
    return "Content-Length", str(size_bytes)


def _retry(retry_after_s: int | None) -> bytes:
    return f'"retry_after":{retry_after_s}'.encode()
