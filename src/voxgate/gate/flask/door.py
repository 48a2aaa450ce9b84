"""The door: WSGI middleware that decides a request before Flask routes it, and completes every answer."""

import hashlib
import secrets
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.wsgi import ClosingIterator

from voxgate.gate.admission import Admission
from voxgate.gate.decision import Decision, Query
from voxgate.gate.errors import Refusal
from voxgate.gate.flask import credentials, headers
from voxgate.gate.flask.browsers import Browsers
from voxgate.gate.flask.cookies import SHOWN
from voxgate.gate.flask.cors import VARY
from voxgate.gate.flask.refusals import REQUEST_ID, BodyFilter, Writer, WrittenRefusal
from voxgate.gate.flask.routes import RouteTable
from voxgate.gate.memo import Memo
from voxgate.gate.verifying import GuardedRoute

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication

VISIT = "voxgate.visit"
_LEASE = "voxgate.lease"


class Visit(NamedTuple):
    """What the door has decided about a request; views find it in the WSGI environment."""

    route: GuardedRoute
    decision: Decision


class Door:
    """Stands around a WSGI application.

    Args:
        inner: The application.
        admission: Decides.
        memo: Remembers refusals.
        table: Finds the rule of a request.
        browsers: Reads cookies, and writes CORS headers.
        body_filter: Changes the body of the gate's refusals, for routes that promise a form of their own.
    """

    def __init__(
        self,
        inner: "WSGIApplication",
        *,
        admission: Admission,
        memo: Memo[WrittenRefusal],
        table: RouteTable,
        browsers: Browsers,
        body_filter: BodyFilter | None = None,
    ) -> None:
        self._inner = inner
        self._admission = admission
        self._memo = memo
        self._table = table
        self._browsers = browsers
        self._cors = browsers.cors
        self._usual = (VARY,) if browsers.cors.origins else ()
        self._writer = Writer(body_filter)

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a refusal at once, or let the application answer and complete its headers."""
        # Where nothing is given, without a call; a remembered refusal takes no more steps than it must.
        environ[REQUEST_ID] = headers.request_id(environ) if "HTTP_X_REQUEST_ID" in environ else next(headers.ids.new)
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            return self._answer_options(environ, start_response)
        route = self._table.rule_for(method, environ.get("PATH_INFO", ""))
        if route is None or route.rule.is_exempt:
            return self._inner(environ, self._completed(environ, start_response, None))
        if "HTTP_COOKIE" in environ:
            self._browsers.cookies.present(environ, route.rule)
        # A refusal is remembered for what was shown on this route, or for the address where nothing is asked for.
        # Python's keyed hash is enough of a name for what can only refuse; what can admit is named by SHA-256.
        if route.rule.credentials:
            get = environ.get
            key = hash((id(route), get("HTTP_AUTHORIZATION"), get("HTTP_X_API_KEY"), get(SHOWN)))
        else:
            key = hash((id(route), environ.get("REMOTE_ADDR")))
        known = self._memo.recall(key)
        if known is not None:
            is_usual = "HTTP_ORIGIN" not in environ and environ.get("wsgi.url_scheme") != "https"
            also = self._usual if is_usual and not self._table.has_cors else self._beside(environ)
            return known[0].send(environ, start_response, also=also, age_ms=known[1])
        decision = self.decide(environ, route, remembers=True)
        if decision.refusal is not None:
            return self.refuse(environ, start_response, decision, key=key)
        environ[VISIT] = Visit(route, decision)
        answer = self._inner(environ, self._completed(environ, start_response, decision))
        return self._releasing(environ, answer) if _LEASE in environ else answer

    def decide(self, environ: dict[str, Any], route: GuardedRoute, *, remembers: bool = False) -> Decision:
        """Decide the request under a route's rule; what is proven of the route is remembered when it is to last."""
        query: Query | Refusal | None = None
        if SHOWN in environ:
            query = self._browsers.read(environ, route, self._admission.verifier)
        elif route.rule.credentials:
            verifier, key = self._admission.verifier, None
            if remembers:
                # By digest: a dump of this memory is no list of credentials.
                text = f"{environ.get('HTTP_AUTHORIZATION')}\n{environ.get('HTTP_X_API_KEY')}"
                key = (id(route), hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
                query = verifier.recall(key)
            if query is None:
                shown = credentials.read(environ)
                query = shown if isinstance(shown, Refusal) else verifier.verify(route, shown, key=key)
        address, endpoint = environ.get("REMOTE_ADDR", ""), environ.get("PATH_INFO", "")
        request_id = environ.get(REQUEST_ID, "")
        if not route.holds:
            return self._admission.decide(route, query, address=address, endpoint=endpoint, request_id=request_id)
        # Not the request's id, which the client may choose: two requests of one name would hold one lease.
        lease_id = environ[_LEASE] = secrets.token_hex(16)
        return self._admission.decide(
            route, query, address=address, endpoint=endpoint, request_id=request_id, lease_id=lease_id
        )

    def refuse(
        self,
        environ: dict[str, Any],
        start_response: "StartResponse",
        decision: Decision,
        *,
        key: Hashable | None = None,
    ) -> Iterable[bytes]:
        """Answer a refusal as a problem document; under the key it is remembered."""
        refusal = decision.refusal
        assert refusal is not None  # noqa: S101 -- the caller's promise, for the type checker
        path = environ.get("PATH_INFO", "")
        written = self._writer.write(refusal, decision.readings, path=path)
        if key is not None:
            self._memo.remember(key, refusal, written)
        return written.send(environ, start_response, also=self._beside(environ))

    def _releasing(self, environ: dict[str, Any], answer: Iterable[bytes]) -> Iterable[bytes]:
        """Return the answer, and give back at its end what limits ``at once`` hold for it."""
        visit: Visit = environ[VISIT]

        def release() -> None:
            address = environ.get("REMOTE_ADDR", "")
            self._admission.release(visit.route, visit.decision, address=address, lease_id=environ[_LEASE])

        return ClosingIterator(answer, release)

    def _answer_options(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a preflight; for other OPTIONS Flask names the methods, and a view of its own is decided inside."""
        wanted, path = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD"), environ.get("PATH_INFO", "")
        preflight = None
        if wanted is not None:
            route, methods = self._table.rule_for(wanted, path), self._table.methods_for(wanted, path)
            preflight = self._cors.preflight(environ, None if route is None else route.rule, methods)
        if preflight is None:
            return self._inner(environ, self._completed(environ, start_response, None))
        is_tls = environ.get("wsgi.url_scheme") == "https"
        own = [*preflight, *headers.SECURITY_HEADERS, *((headers.HSTS,) if is_tls else ())]
        start_response("204 No Content", [*own, ("X-Request-ID", environ[REQUEST_ID])])
        return ()

    def _beside(self, environ: dict[str, Any]) -> list[headers.Header]:
        """Return what a request's answer carries for its origin and its scheme."""
        has_own = self._table.has_cors or "HTTP_ORIGIN" in environ
        beside = self._cors_headers(environ) if has_own else list(self._usual)
        if environ.get("wsgi.url_scheme") == "https":
            beside.append(headers.HSTS)
        return beside

    def _cors_headers(self, environ: dict[str, Any]) -> list[headers.Header]:
        route = self._table.rule_for(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
        return self._cors.headers(environ, None if route is None else route.rule)

    def _completed(
        self, environ: dict[str, Any], start_response: "StartResponse", decision: Decision | None
    ) -> "StartResponse":
        """Return a start_response that adds what every answer carries."""

        # Made for every request: an annotation that is no text would be worked out each time.
        def start(
            status: "str", own: "list[headers.Header]", exc_info: "OptExcInfo | None" = None
        ) -> "Callable[[bytes], object]":
            added = [("X-Request-ID", environ[REQUEST_ID]), *self._beside(environ)]
            if decision is not None:
                added += headers.limit_headers(decision.readings)
                if decision.is_degraded:
                    added.append(headers.DEGRADED)
            complete = headers.completed(own, added, is_guarded=decision is not None)
            return start_response(status, complete, exc_info) if exc_info else start_response(status, complete)

        return start
