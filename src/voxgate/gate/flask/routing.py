"""Flask's routing of a guarded request, kept: the door has routed it, and Flask need not work it out again."""

from typing import Any

from flask import Flask, Request
from werkzeug.routing import MapAdapter
from werkzeug.routing import Rule as UrlRule

from voxgate.gate.flask.door import VISIT
from voxgate.gate.flask.routes import RouteTable

# The host is the client's text, so what is kept by it must be bounded.
_MAX_KEPT = 1024


def keep_routing(app: Flask, table: RouteTable) -> None:
    """Let an application keep its routing, unless it makes its URL adapters in a way of its own."""
    if getattr(app.create_url_adapter, "__func__", None) is Flask.create_url_adapter:
        app.create_url_adapter = KeptRouting(app, table).create_url_adapter  # type: ignore[method-assign]


class KeptRouting:
    """Gives Flask the URL adapter that it made for the same address before, with the rule that was found.

    To read host and path, and to find the rule, is a fifth of what Flask does for a short answer; the gate gives some
    of its own cost back here. Kept is only what depends on nothing but the address: a rule without variable parts, no
    query, no list of trusted hosts, no matching by host or subdomain. All else Flask works out as ever.

    Args:
        app: The application.
        table: Has routed the request before Flask.
    """

    def __init__(self, app: Flask, table: RouteTable) -> None:
        self._app = app
        self._table = table
        self._create = app.create_url_adapter
        self._kept: dict[tuple[str | None, ...], MapAdapter] = {}

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return the adapter of a request, as ``Flask.create_url_adapter`` does."""
        environ = {} if request is None else request.environ
        host, config = environ.get("HTTP_HOST"), self._app.config
        if (
            request is None
            or not host
            or VISIT not in environ
            or environ.get("QUERY_STRING")
            or "HTTP_UPGRADE" in environ
            or request.trusted_hosts is not None
            or config["TRUSTED_HOSTS"] is not None
        ):
            return self._create(request)
        key = (
            environ["REQUEST_METHOD"],
            environ.get("PATH_INFO", ""),
            environ.get("SCRIPT_NAME", ""),
            environ["wsgi.url_scheme"],
            host,
            config["SERVER_NAME"],
        )
        return self._kept.get(key) or self._keep(key, request)

    def _keep(self, key: tuple[str | None, ...], request: Request) -> MapAdapter | None:
        adapter = self._create(request)
        rule = self._table.find(request.environ["REQUEST_METHOD"], request.environ.get("PATH_INFO", ""))
        is_by_host = self._app.url_map.host_matching or self._app.subdomain_matching
        if adapter is None or rule is None or rule.arguments or rule.subdomain or is_by_host:
            return adapter
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        kept = self._kept[key] = _RoutedAdapter(adapter, rule)
        return kept


class _RoutedAdapter(MapAdapter):
    """An adapter that knows the rule of its own address."""

    def __init__(self, adapter: MapAdapter, rule: UrlRule) -> None:
        super().__init__(
            adapter.map,
            adapter.server_name,
            adapter.script_name,
            adapter.subdomain,
            adapter.url_scheme,
            adapter.path_info,
            adapter.default_method,
            adapter.query_args,
        )
        self._rule = rule

    def match(self, *address: Any, **terms: Any) -> Any:  # noqa: ANN401 -- as werkzeug has it
        """Return the rule and its defaults when asked about its own address, as Flask asks; else look for it."""
        if address or terms != _AS_FLASK_ASKS:
            return super().match(*address, **terms)
        return self._rule, dict(self._rule.defaults or {})


_AS_FLASK_ASKS = {"return_rule": True}
