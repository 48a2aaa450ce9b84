"""The gate for other services: nginx, Traefik and Envoy ask whether a request may pass, and for whom."""

import functools
import json
from dataclasses import replace
from typing import cast
from urllib.parse import quote

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.routing import PathConverter

from voxgate.gate.clock import Clock
from voxgate.gate.decision import Decision
from voxgate.gate.errors import Refusal
from voxgate.gate.flask.headers import Header, limit_headers, problem_body, problem_headers
from voxgate.gate.flask.routes import attach_rule
from voxgate.gate.memo import Memo
from voxgate.gate.tiers import BOTH, Rule
from voxgate.gate.verifying import GuardedRoute
from voxgate.web.door import gate
from voxgate.web.edge import EdgeRules, Target, read_target
from voxgate.web.problems import problem_for, refuse

EXTENSION = "voxgate.edge"
NGINX = "nginx"
_MS = 1000

blueprint = Blueprint("decide", __name__, url_prefix="/api/v1/gate")


# The door lets the question in; the credential that it shows is decided within, under the other service's rule.
_decides_inside = functools.partial(attach_rule, rule=Rule(credentials=BOTH, cookies=False, is_exempt=True))


class Edge:
    """The rules of other services' paths, and the refusals that cannot have changed yet.

    Args:
        rules: What the paths demand.
        clock: Source of time.
    """

    def __init__(self, rules: EdgeRules, *, clock: Clock) -> None:
        self.rules = rules
        self._clock = clock
        self._memo: Memo[Decision] | None = None

    def decide(self, target: Target) -> Decision:
        """Decide what the caller of this request wants elsewhere; a remembered refusal costs no store call."""
        memo = self._memo = self._memo or self._open_memo()
        route = self.rules.route_of(target)
        key = _key_of(route)
        known = memo.recall(key)
        if known is not None:
            entry, age_ms = known
            return entry.value._replace(refusal=_aged(entry.value.refusal, age_ms))
        decision = gate.decide(route, path=target.path)
        if decision.refusal is not None:
            memo.remember(key, decision.refusal, decision)
        return decision

    def _open_memo(self) -> Memo[Decision]:
        admission = gate.admission
        memo: Memo[Decision] = Memo(clock=self._clock, version=admission.store.version)
        admission.verifier.on_new_keys(memo.forget)
        return memo


class Rest(PathConverter):
    """The rest of a path, which may be empty and begin with a slash."""

    regex = ".*?"
    part_isolating = False


def add_edge(app: Flask, rules: tuple[str, ...], *, clock: Clock) -> None:
    """Read the rules once, so that a wrong one stops the start.

    Raises:
        ConfigurationError: A text is not a rule.
    """
    with app.app_context():
        app.extensions[EXTENSION] = Edge(EdgeRules(rules, prepare=gate.admission.prepare), clock=clock)


@blueprint.get("/decide")
@_decides_inside
def decide() -> Response:
    """Decide a request that nginx, Traefik or their like describe in headers."""
    return _answer(_described())


@blueprint.route("/decide/path/<rest:original>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
@_decides_inside
def decide_path(original: str) -> Response:
    """Decide a request that Envoy passes on with its own method, its path behind this one."""
    return _answer(read_target(request.method, quote(f"/{original}")))


def _described() -> Target | None:
    """Return what the proxy's headers describe; None when they do not, or two descriptions contradict each other.

    A client can send the family of headers that its proxy does not write, so with both there is no knowing.
    """
    found = set()
    for family in ("X-Original", "X-Forwarded"):
        uri = request.headers.get(f"{family}-Uri")
        if uri is not None:
            found.add((request.headers.get(f"{family}-Method", "GET"), uri))
    return read_target(*found.pop()) if len(found) == 1 else None


def _answer(target: Target | None) -> Response:
    if target is None:
        message = "The proxy must describe one request, unambiguously: X-Original-Method and X-Original-URI."
        return _tell(Decision(refusal=Refusal("BAD_REQUEST", message=message)))
    return _tell(cast("Edge", current_app.extensions[EXTENSION]).decide(target))


def _tell(decision: Decision) -> Response:
    told = limit_headers(decision.readings)
    if decision.refusal is not None:
        return (
            _tell_nginx(decision.refusal, told) if request.args.get("as") == NGINX else _refuse(decision.refusal, told)
        )
    answer = Response(status=200)
    del answer.headers["Content-Type"]
    answer.headers.extend([("Cache-Control", "no-store"), *told])
    principal = decision.principal
    if principal is not None:
        answer.headers["X-Gate-Subject"] = principal.subject
        answer.headers["X-Gate-Tier"] = principal.tier
        answer.headers["X-Gate-Kind"] = principal.kind
        answer.headers["X-Gate-Scopes"] = " ".join(sorted(principal.scopes))
    return answer


def _refuse(refusal: Refusal, told: list[Header]) -> Response:
    return refuse(refusal, headers=dict(told))


def _tell_nginx(refusal: Refusal, told: list[Header]) -> Response:
    """Return a refusal in the one form that nginx passes on: 403, and the true answer in headers.

    ``auth_request`` turns every status but 2xx, 401 and 403 into 500 and drops bodies; from these headers its
    configuration builds the answer that the client sees.
    """
    row = problem_for(refusal.code)
    body = problem_body(refusal, problem=row, request_id=gate.request_id)
    own = dict(problem_headers(refusal, problem=row))
    answer = refuse(Refusal("FORBIDDEN", message="The true answer stands in X-Gate-Status and X-Gate-Problem."))
    answer.headers.extend(told)
    answer.headers["X-Gate-Status"] = str(row.status)
    answer.headers["X-Gate-Problem"] = json.dumps(body)  # ASCII, one line
    for name, header in (("X-Gate-Retry-After", "Retry-After"), ("X-Gate-Challenge", "WWW-Authenticate")):
        if header in own:
            answer.headers[name] = own[header]
    return answer


def _key_of(route: GuardedRoute) -> int:
    """Return what names the route and what was shown, as the door remembers refusals."""
    if not route.rule.credentials:
        return hash((id(route), gate.address))
    return hash((id(route), request.headers.get("Authorization"), request.headers.get("X-API-Key")))


def _aged(refusal: Refusal | None, age_ms: int) -> Refusal | None:
    if refusal is None or refusal.retry_after_s is None:
        return refusal
    left_ms = max(1, refusal.wait_ms - age_ms)
    return replace(refusal, retry_after_s=-(-left_ms // _MS), wait_ms=left_ms)
