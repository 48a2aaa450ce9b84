"""A refusal as it goes over the wire: written once, and sent again with a fresh id and a fresh wait."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from voxgate.gate.decision import Reading
from voxgate.gate.errors import PROBLEMS, Refusal
from voxgate.gate.flask import headers
from voxgate.gate.flask.headers import Header

BodyFilter = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Takes the path and the body of a refusal of the gate, and gives the body to send."""

# Stands in a written body where the request's id will; no id that a client gives can look like it.
_ID_MARK = "\x00id\x00"
_ID_BYTES = headers.write_body({"": _ID_MARK})[5:-3]


@dataclass(frozen=True, slots=True)
class WrittenRefusal:
    """The status, headers and body of a refusal, but for what differs from answer to answer."""

    status: str
    headers: tuple[Header, ...]
    body: bytes
    retry_after_s: int | None

    def sent(self, request_id: str, *, age_s: int) -> tuple[list[Header], bytes]:
        """Return headers and body for one request, ``age_s`` seconds after the decision."""
        own = [*self.headers, ("X-Request-ID", request_id)]
        body = self.body.replace(_ID_BYTES, request_id.encode())
        if self.retry_after_s is not None:
            retry_after_s = max(1, self.retry_after_s - age_s)
            own.append(("Retry-After", str(retry_after_s)))
            if retry_after_s != self.retry_after_s:
                body = body.replace(_retry(self.retry_after_s), _retry(retry_after_s), 1)
        own.append(("Content-Length", str(len(body))))
        return own, body


def write_refusal(
    refusal: Refusal, readings: Sequence[Reading], *, path: str, body_filter: BodyFilter | None
) -> WrittenRefusal:
    """Return a refusal of the gate as it goes over the wire."""
    body = headers.problem_body(refusal, request_id=_ID_MARK)
    if body_filter is not None:
        body = body_filter(path, body)
    status = HTTPStatus(PROBLEMS[refusal.code].status)
    own = [*headers.problem_headers(refusal), *headers.limit_headers(readings), *headers.SECURITY_HEADERS]
    return WrittenRefusal(
        status=f"{status.value} {status.phrase}",
        headers=tuple(header for header in own if header[0] != "Retry-After"),
        body=headers.write_body(body),
        retry_after_s=refusal.retry_after_s,
    )


def _retry(retry_after_s: int) -> bytes:
    return f'"retry_after":{retry_after_s}'.encode()
