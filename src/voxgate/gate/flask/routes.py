"""The rule of a route: attached to its view by a decorator, found by method and path before Flask is entered."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.routing import Rule as UrlRule

from voxgate.gate.admission import Admission
from voxgate.gate.tiers import Rule
from voxgate.gate.verifying import GuardedRoute

P = ParamSpec("P")
R = TypeVar("R")

_RULE = "__voxgate_rule__"
# Paths carry ids, so what is remembered about them must be bounded.
_REMEMBERED_PATHS = 4096


def attach_rule(view: Callable[P, R], rule: Rule) -> Callable[P, R]:
    """Give a view its rule."""
    setattr(view, _RULE, rule)
    return view


def rule_of(view: Callable[..., object] | None) -> Rule | None:
    """Return the rule of a view, or None for a view without one."""
    return cast("Rule | None", getattr(view, _RULE, None))


class RouteTable:
    """Says which rule guards a request, from the application's own URL map; asks it once per method and path.

    Args:
        app: The application; its routes may still grow until the first request.
        admission: Prepares the rules.
    """

    def __init__(self, app: Flask, admission: Admission) -> None:
        self._app = app
        self._admission = admission
        self._prepared: dict[str, GuardedRoute | None] = {}
        self.rule_for = functools.lru_cache(_REMEMBERED_PATHS)(self._find)
        """Returns the guarded route of a method and a path as WSGI gives it, or None where no rule stands."""
        self.guarded = functools.lru_cache(_REMEMBERED_PATHS)(self._find_guarded)
        """Returns the same where the door must decide: None for exempt routes and for OPTIONS, which asks what is."""
        self.methods_for = functools.lru_cache(_REMEMBERED_PATHS)(self._find_methods)
        """Returns every method of the route that a method and a path lead to; none where nothing is found."""
        self.find = functools.lru_cache(_REMEMBERED_PATHS)(self._match)
        """Returns what a method and a path lead to in the application's map, or None where nothing is found."""
        self.has_cors = False
        """Whether a rule that was looked up has origins of its own."""

    def prepare_all(self) -> None:
        """Resolve every rule now, so that a policy that is not set stops the start instead of a request.

        Raises:
            ConfigurationError: A rule names a policy that is not set.
        """
        for endpoint in self._app.view_functions:
            self.route_of(endpoint)

    def route_of(self, endpoint: str) -> GuardedRoute | None:
        """Return the guarded route of an endpoint, the same object each time, or None where no rule stands."""
        if endpoint not in self._prepared:
            rule = rule_of(self._app.view_functions.get(endpoint))
            self._prepared[endpoint] = self._admission.prepare(rule, name=endpoint) if rule else None
            self.has_cors = self.has_cors or (rule is not None and bool(rule.cors))
        return self._prepared[endpoint]

    def _find(self, method: str, path_info: str) -> GuardedRoute | None:
        rule = self.find(method, path_info)
        return None if rule is None else self.route_of(str(rule.endpoint))

    def _find_guarded(self, method: str, path_info: str) -> GuardedRoute | None:
        route = None if method == "OPTIONS" else self._find(method, path_info)
        return None if route is None or route.rule.is_exempt else route

    def _find_methods(self, method: str, path_info: str) -> tuple[str, ...]:
        rule = self.find(method, path_info)
        return () if rule is None else tuple(sorted((rule.methods or set()) - {"OPTIONS"}))

    def _match(self, method: str, path_info: str) -> UrlRule | None:
        adapter = self._app.url_map.bind("localhost")
        # WSGI's texts are bytes that were read as Latin-1 (PEP 3333); a path is UTF-8.
        path = path_info.encode("latin-1").decode(errors="replace")
        try:
            return adapter.match(path, method=method, return_rule=True)[0]
        except (HTTPException, RequestRedirect):
            return None  # Flask answers: not found, wrong method, or a redirect to the right spelling.
