"""The Flask extension: ``Gate(app)``, the decorators of routes, and what a view may ask."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar, Unpack, cast

from flask import Flask, Response, abort, current_app, request

from voxgate.gate import events
from voxgate.gate.addresses import partition_of
from voxgate.gate.admission import Admission
from voxgate.gate.clock import Clock, SystemClock
from voxgate.gate.decision import Charge, Decision, Reading
from voxgate.gate.errors import ConfigurationError, Refusal, StoreUnavailableError
from voxgate.gate.events import EventSink
from voxgate.gate.fallback import OUTAGE
from voxgate.gate.flask.browsers import Browsers
from voxgate.gate.flask.config import GateConfig, read_config, read_signer, store_location
from voxgate.gate.flask.cors import Cors
from voxgate.gate.flask.csrf import Csrf
from voxgate.gate.flask.door import VISIT, Door, Visit
from voxgate.gate.flask.edge import stand_before
from voxgate.gate.flask.refusals import BodyFilter
from voxgate.gate.flask.routes import RouteTable, attach_rule
from voxgate.gate.flask.routing import keep_routing
from voxgate.gate.flask.sessions import BrowserSessions
from voxgate.gate.flask.state import EXTENSION, State, state_of
from voxgate.gate.flask.terms import ForBrowsers, read_browsers, read_kinds, words
from voxgate.gate.issuing import Issuer
from voxgate.gate.stores import open_store
from voxgate.gate.stores.base import Directory, Store
from voxgate.gate.tiers import BOTH, Rule
from voxgate.gate.tokens import Signer
from voxgate.gate.verifying import GuardedRoute

P = ParamSpec("P")
R = TypeVar("R")
View = Callable[P, R]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a gate is wired from; a part that is None is made from ``app.config``.

    Attributes:
        config: Limits, origins and lifetimes.
        store: The shared facts.
        signer: Issues and verifies tokens.
        directory: The source of truth behind the store.
        clock: Source of time.
        emit: Takes security events.
        body_filter: Changes the body of the gate's refusals.
    """

    config: GateConfig | None = None
    store: Store | None = None
    signer: Signer | None = None
    directory: Directory | None = None
    clock: Clock | None = None
    emit: EventSink = events.log_event
    body_filter: BodyFilter | None = None


class Gate(BrowserSessions):
    """A guard for a Flask application; one object may serve several applications.

    It guards the routes that carry its decorator, and no others::

        gate = Gate(app)

        @app.get("/hello")
        @gate.protect(limits="10 per minute")
        def hello():
            return {"hello": gate.principal.subject}

    While the store is out of reach, guarded routes and views that open or end sessions answer 503.

    Args:
        app: The application, or None to call ``init_app`` later.
        parts: What the gate is wired from; by default everything comes from ``app.config``.
    """

    def __init__(self, app: Flask | None = None, parts: Parts | None = None) -> None:
        if app is not None:
            self.init_app(app, parts)

    def init_app(self, app: Flask, parts: Parts | None = None) -> None:
        """Put the gate around an application.

        Raises:
            ConfigurationError: A setting is unknown or cannot be used.
        """
        if EXTENSION in app.extensions:
            raise ConfigurationError("Gate", "a gate stands around this application already; one is enough")
        parts = parts or Parts()
        config = parts.config or read_config(app)
        clock = parts.clock or SystemClock()
        admission = Admission(
            store=parts.store or _open_store(app, clock),
            signer=parts.signer or read_signer(app, clock),
            tiers=config.open_tiers(),
            clock=clock,
            directory=parts.directory,
            emit=parts.emit,
        )
        table = RouteTable(app, admission)
        browsers = _browsers_of(config, admission.signer)
        door = Door(
            app.wsgi_app,
            admission=admission,
            clock=clock,
            table=table,
            browsers=browsers,
            body_filter=parts.body_filter,
        )
        keep_routing(app, table)
        # The method itself: a call through its class would cost a twentieth of a remembered refusal.
        app.wsgi_app = stand_before(door.__call__, config, body_filter=parts.body_filter)  # type: ignore[assignment, method-assign]
        admission.verifier.refreshing = config.refreshing
        issuer = Issuer(
            admission.store,
            admission.signer,
            clock=clock,
            session_expires_s=config.session_expires_s,
            idle_s=config.refreshing.idle_s,
            makes_accounts=parts.directory is None,
        )
        app.extensions[EXTENSION] = State(admission, table, door, issuer, browsers)
        app.error_handler_spec[None][None].setdefault(StoreUnavailableError, self._tell_outage)

    def check_rules(self, app: Flask) -> None:
        """Resolve the rule of every route now, so that a missing policy stops the start and not a request.

        Raises:
            ConfigurationError: A route names a policy that is not set.
        """
        state_of(app).table.prepare_all()

    @staticmethod
    def protect(
        *,
        credentials: str | Iterable[str] = BOTH,
        scopes: str | Iterable[str] = (),
        tier: str | None = None,
        limits: str | None = None,
        policy: str | None = None,
        cost: int = 1,
        **browsers: Unpack[ForBrowsers],
    ) -> Callable[[View[P, R]], View[P, R]]:
        """Guard a view: a live credential of an active account, within its limits.

        Args:
            credentials: Kinds that open the route, as a list or as words: ``access``, ``api_key``, ``refresh``.
            scopes: Scopes that the credential must hold, as a list or as words.
            tier: Tier that the account must have.
            limits: Limit string that binds this route instead of the tier's limits.
            policy: Name of the limits; without ``limits`` they are read from ``RATELIMIT_<POLICY>``.
            cost: Units that a request weighs.
            browsers: ``cookies`` and ``cors``, see ``ForBrowsers``.

        Raises:
            ConfigurationError: An argument is unknown or cannot be used.
        """
        rule = Rule(
            credentials=read_kinds(credentials),
            scopes=words(scopes),
            tier=tier,
            policy=policy,
            limits=limits,
            cost=cost,
            **read_browsers(browsers),
        )
        return functools.partial(_guard, rule)

    @staticmethod
    def open(
        *, limits: str | None = None, policy: str | None = None, **browsers: Unpack[ForBrowsers]
    ) -> Callable[[View[P, R]], View[P, R]]:
        """Open a view to everybody, limited by address; the arguments are those of ``protect``."""
        rule = Rule(credentials=frozenset(), policy=policy, limits=limits, **read_browsers(browsers))
        return functools.partial(_guard, rule)

    @staticmethod
    def exempt(view: View[P, R]) -> View[P, R]:
        """Open a view to everybody without a limit: health checks and documentation."""
        return attach_rule(view, Rule(credentials=frozenset(), is_exempt=True))

    @property
    def decision(self) -> Decision:
        """The decision that let this request in.

        Raises:
            LookupError: The route has no rule.
        """
        visit: Visit | None = request.environ.get(VISIT)
        if visit is None:
            raise LookupError("this route is not guarded")
        return visit.decision

    @property
    def address(self) -> str:
        """The client's address; behind trusted proxies the one that they tell."""
        return str(request.environ.get("REMOTE_ADDR", ""))

    @property
    def address_partition(self) -> str:
        """The partition that the client's address is limited by, such as ``ip:192.0.2.7``; IPv6 counts by /64."""
        return partition_of(self.address)

    @property
    def issuer(self) -> Issuer:
        """Opens and ends sessions and keys, for an application that keeps no accounts of its own."""
        return state_of(current_app).issuer

    @property
    def admission(self) -> Admission:
        """The framework-free core of the current application's gate."""
        return state_of(current_app).admission

    def spend(self, partitions: Mapping[str, str]) -> Refusal | None:
        """Spend named policies from within a view, all or nothing; one store call.

        Args:
            partitions: For each policy the partition whose counter is spent, such as ``{"login": "ip:192.0.2.7"}``.
        """
        policy = self.admission.tiers.policy
        charges = [Charge(limit, partition) for name, partition in partitions.items() for limit in policy(name)]
        return self.admission.spend(charges).refusal

    def decide(self, route: GuardedRoute, *, path: str) -> Decision:
        """Decide what the caller of this request asks of another service; cookies open nothing there.

        Args:
            route: The prepared rule of the other service's route.
            path: Its path; told in events.
        """
        environ = {**request.environ, "PATH_INFO": path}
        return state_of(current_app).door.decide(environ, route, remembers=True)

    def usage(self, charges: Sequence[Charge]) -> tuple[Reading, ...]:
        """Read limits without spending; one store call.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        return self.admission.usage(charges)

    def _tell_outage(self, _error: Exception) -> Response:
        return self.refuse(OUTAGE)


def _open_store(app: Flask, clock: Clock) -> Store:
    setting, location = store_location(app)
    try:
        return open_store(location, clock=clock)
    except ConfigurationError as error:
        raise ConfigurationError(setting, error.reason) from error  # the name that the application has given


def _browsers_of(config: GateConfig, signer: Signer) -> Browsers:
    cookies = config.cookies
    cors = Cors(config.cors_origins, takes_cookies=cookies.are_taken)
    return Browsers(cors=cors, cookies=cookies, csrf=Csrf(functools.partial(signer.derive_key, "csrf")))


def _guard(rule: Rule, view: View[P, R]) -> View[P, R]:
    """Attach the rule, and hold it also where the view is reached without the door having seen it."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        visit: Visit | None = request.environ.get(VISIT)
        if visit is None or visit.route.rule is not rule:
            _decide_inside(rule)
        if is_async:
            return cast("R", current_app.ensure_sync(view)(*args, **kwargs))
        return view(*args, **kwargs)

    is_async = inspect.iscoroutinefunction(view)
    return attach_rule(guarded, rule)


def _decide_inside(rule: Rule) -> None:
    """Decide a request that the door could not map to this rule: another host, or a decorator that hid the rule."""
    state = state_of(current_app)
    route = state.admission.prepare(rule, name=request.endpoint or "")
    if "HTTP_COOKIE" in request.environ:
        state.browsers.cookies.present(request.environ, rule)
    decision = state.door.decide(request.environ, route)
    if decision.refusal is not None:
        refuse = functools.partial(state.door.refuse, decision=decision)
        abort(current_app.response_class.from_app(refuse, request.environ))
    request.environ[VISIT] = Visit(route, decision)
