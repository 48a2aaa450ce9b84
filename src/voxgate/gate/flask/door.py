"""The door: WSGI middleware that decides a request before Flask routes it, and completes every answer."""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.wsgi import ClosingIterator

from voxgate.gate.admission import Admission
from voxgate.gate.clock import Clock
from voxgate.gate.decision import Decision, Query
from voxgate.gate.errors import Refusal
from voxgate.gate.flask import credentials, headers
from voxgate.gate.flask.browsers import Browsers
from voxgate.gate.flask.cookies import SHOWN
from voxgate.gate.flask.cors import VARY
from voxgate.gate.flask.refusals import REQUEST_ID, BodyFilter, Writer, WrittenRefusal
from voxgate.gate.flask.repeats import Repeats
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
        clock: Source of time.
        table: Finds the rule of a request.
        browsers: Reads cookies, and writes CORS headers.
        body_filter: Changes the body of the gate's refusals, for routes that promise a form of their own.
    """

    def __init__(
        self,
        inner: "WSGIApplication",
        *,
        admission: Admission,
        clock: Clock,
        table: RouteTable,
        browsers: Browsers,
        body_filter: BodyFilter | None = None,
    ) -> None:
        self._inner = inner
        self._admission = admission
        version = admission.store.version
        self._memo: Memo[WrittenRefusal] = Memo(clock=clock, version=version)
        self.repeats = Repeats(clock=clock, version=version)
        """Answers that are ready to be sent again."""
        self._kept = self.repeats.kept
        admission.verifier.on_new_keys(self._memo.forget)
        admission.verifier.on_new_keys(self._kept.clear)
        self._table = table
        self._browsers = browsers
        self._cors = browsers.cors
        self._usual = (VARY,) if browsers.cors.origins else ()
        self._writer = Writer(body_filter)

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a refusal at once, or let the application answer and complete its headers."""
        # Python's keyed hash is enough of a name for what can only refuse; what can admit is named by SHA-256.
        shown = hash((environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_X_API_KEY")))
        repeat = self._kept.get(shown)
        if repeat is not None:
            again = self.repeats.send(repeat, environ, start_response)
            if again is not None:
                return again
        environ[REQUEST_ID] = headers.request_id(environ) if "HTTP_X_REQUEST_ID" in environ else next(headers.ids.new)
        route = self._table.guarded(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
        if route is None:
            return self._pass(environ, start_response)
        return self._guard(environ, start_response, route, shown=shown, is_known=repeat is not None)

    def _pass(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Let through what no rule guards, and answer preflights."""
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return self._answer_options(environ, start_response)
        return self._inner(environ, self._completed(environ, start_response, None))

    def _guard(
        self,
        environ: dict[str, Any],
        start_response: "StartResponse",
        route: GuardedRoute,
        *,
        shown: int,
        is_known: bool,
    ) -> Iterable[bytes]:
        """Decide a request under the rule of its route.

        Args:
            environ: The request.
            start_response: Takes status and headers.
            route: Where it goes.
            shown: The hash of the credential in its headers.
            is_known: Whether it was refused here and an answer to that is kept.
        """
        if "HTTP_COOKIE" in environ:
            self._browsers.cookies.present(environ, route.rule)
        if is_known or SHOWN in environ or not route.rule.credentials:
            again = self._refuse_again(environ, start_response, route, shown=shown)
            if again is not None:
                return again
        decision = self.decide(environ, route, remembers=True)
        if decision.refusal is not None:
            written, also = self._write(environ, decision), self._beside(environ)
            entry = self._memo.remember(_key_of(environ, route, shown), decision.refusal, written)
            if entry is not None and route.rule.credentials:
                self.repeats.keep(shown, environ, entry, also=also, age_ms=0)
            return written.send(environ, start_response, also=also)
        environ[VISIT] = Visit(route, decision)
        answer = self._inner(environ, self._completed(environ, start_response, decision))
        return self._releasing(environ, answer) if _LEASE in environ else answer

    def _refuse_again(
        self, environ: dict[str, Any], start_response: "StartResponse", route: GuardedRoute, *, shown: int
    ) -> Iterable[bytes] | None:
        """Send what the memo remembers, and have the answer ready for the next request like this one."""
        known = self._memo.recall(_key_of(environ, route, shown))
        if known is None:
            return None
        (entry, age_ms), also = known, self._beside(environ)
        if route.rule.credentials:
            self.repeats.keep(shown, environ, entry, also=also, age_ms=age_ms)
        return entry.value.send(environ, start_response, also=also, age_ms=age_ms)

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

    def refuse(self, environ: dict[str, Any], start_response: "StartResponse", decision: Decision) -> Iterable[bytes]:
        """Answer a refusal as a problem document."""
        return self._write(environ, decision).send(environ, start_response, also=self._beside(environ))

    def _write(self, environ: dict[str, Any], decision: Decision) -> WrittenRefusal:
        assert decision.refusal is not None  # noqa: S101 -- the callers' promise, for the type checker
        return self._writer.write(decision.refusal, decision.readings, path=environ.get("PATH_INFO", ""))

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


def _key_of(environ: dict[str, Any], route: GuardedRoute, shown: int) -> int:
    """Return what a refusal is remembered by: what was shown on this route, or the address where nothing is asked."""
    if route.rule.credentials:
        return hash((id(route), shown, environ.get(SHOWN)))
    return hash((id(route), environ.get("REMOTE_ADDR")))
