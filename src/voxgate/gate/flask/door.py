"""The door: WSGI middleware that decides a request before Flask routes it, and completes every answer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from voxgate.gate.admission import Admission, GuardedRoute
from voxgate.gate.decision import Decision
from voxgate.gate.errors import PROBLEMS, Refusal
from voxgate.gate.flask import credentials, headers
from voxgate.gate.flask.cors import Cors
from voxgate.gate.flask.routes import RouteTable

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication

VISIT = "voxgate.visit"
REQUEST_ID = "voxgate.request_id"

BodyFilter = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Takes the path and the body of a refusal of the gate, and gives the body to send."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What the door has decided about a request; views find it in the WSGI environment."""

    route: GuardedRoute
    decision: Decision


class Door:
    """Stands around a WSGI application.

    Args:
        inner: The application.
        admission: Decides.
        table: Finds the rule of a request.
        cors: Writes CORS headers; None where no page of another origin may read answers.
        body_filter: Changes the body of the gate's refusals, for routes that promise a form of their own.
    """

    def __init__(
        self,
        inner: "WSGIApplication",
        *,
        admission: Admission,
        table: RouteTable,
        cors: Cors | None = None,
        body_filter: BodyFilter | None = None,
    ) -> None:
        self._inner = inner
        self._admission = admission
        self._table = table
        self._cors = cors
        self._body_filter = body_filter

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a refusal at once, or let the application answer and complete its headers."""
        environ[REQUEST_ID] = headers.request_id(environ)
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            return self._answer_options(environ, start_response)
        path = environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
        route = self._table.rule_for(method, path)
        if route is None or route.rule.is_exempt:
            return self._inner(environ, self._completed(environ, start_response, None))
        decision = self.decide(environ, route)
        if decision.refusal is not None:
            return self.refuse(environ, start_response, decision)
        environ[VISIT] = Visit(route, decision)
        return self._inner(environ, self._completed(environ, start_response, decision))

    def decide(self, environ: dict[str, Any], route: GuardedRoute) -> Decision:
        """Decide the request under a route's rule."""
        shown = credentials.read(environ) if route.rule.credentials else None
        if isinstance(shown, Refusal):
            return Decision(refusal=shown)
        address, endpoint = environ.get("REMOTE_ADDR", ""), environ.get("PATH_INFO", "")
        return self._admission.decide(route, shown, address=address, endpoint=endpoint)

    def refuse(self, environ: dict[str, Any], start_response: "StartResponse", decision: Decision) -> Iterable[bytes]:
        """Answer a refusal as a problem document."""
        refusal = decision.refusal
        assert refusal is not None  # noqa: S101 -- the caller's promise, for the type checker
        body = headers.problem_body(refusal, request_id=environ[REQUEST_ID])
        if self._body_filter is not None:
            body = self._body_filter(environ.get("PATH_INFO", ""), body)
        content = headers.write_body(body)
        own = [*headers.problem_headers(refusal), ("Content-Length", str(len(content)))]
        status = HTTPStatus(PROBLEMS[refusal.code].status)
        self._completed(environ, start_response, decision)(f"{status.value} {status.phrase}", own)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (content,)

    def _answer_options(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a preflight; for other OPTIONS Flask names the methods, and a view of its own is decided inside."""
        preflight = self._cors.preflight(environ) if self._cors else None
        if preflight is None:
            return self._inner(environ, self._completed(environ, start_response, None))
        start_response("204 No Content", [*preflight, ("X-Request-ID", environ[REQUEST_ID])])
        return ()

    def _completed(
        self, environ: dict[str, Any], start_response: "StartResponse", decision: Decision | None
    ) -> "StartResponse":
        """Return a start_response that adds what every answer carries."""

        def start(
            status: str, own: list[headers.Header], exc_info: "OptExcInfo | None" = None
        ) -> Callable[[bytes], object]:
            added = [("X-Request-ID", environ[REQUEST_ID])]
            if self._cors:
                added += self._cors.headers(environ)
            if decision is not None:
                added += [*headers.limit_headers(decision.readings), ("Cache-Control", "no-store")]
            if environ.get("wsgi.url_scheme") == "https":
                added.append(headers.HSTS)
            complete = headers.with_defaults(own, [*added, *headers.SECURITY_HEADERS])
            return start_response(status, complete, exc_info) if exc_info else start_response(status, complete)

        return start
