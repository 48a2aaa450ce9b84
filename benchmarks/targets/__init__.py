"""The targets: one file per way to guard a route, and the table of them."""

import importlib
from dataclasses import dataclass

from benchmarks.targets.base import Desk, Place

USUAL = "usual-stack"


@dataclass(frozen=True, slots=True)
class Target:
    """One way to guard a route.

    Attributes:
        name: Its name in the results.
        module: Where its application and its desk are made.
        factory: Name of the function that makes the application.
        interface: ``wsgi`` or ``asgi``.
        needs_redis: Whether it keeps anything in Redis.
        counts_trips: Whether it tells at ``/trips`` how often it has asked its embedded store.
        is_guard: False where every request passes, so that there is nothing to measure about refusals.
    """

    name: str
    module: str
    factory: str = "make_app"
    interface: str = "wsgi"
    needs_redis: bool = True
    counts_trips: bool = False
    is_guard: bool = True

    def open_desk(self, place: Place) -> Desk:
        """Return the target's desk at a place.

        Raises:
            ImportError: A library is not installed.
            VoxgateError: This version cannot run it.
        """
        desk: Desk = importlib.import_module(self.module).open_desk(place)
        return desk


_HERE = "benchmarks.targets"
TARGETS = {
    each.name: each
    for each in (
        Target(USUAL, f"{_HERE}.usual_stack"),
        Target("usual-stack-no-sql", f"{_HERE}.usual_stack", factory="make_app_without_sql"),
        Target("usual-stack-exact", f"{_HERE}.usual_stack", factory="make_exact_app"),
        Target("fastapi-async", f"{_HERE}.fastapi_async", interface="asgi"),
        Target("bare-flask", f"{_HERE}.bare_flask", needs_redis=False, is_guard=False),
        Target("bare-flask-ping", f"{_HERE}.bare_flask", factory="make_app_with_ping", is_guard=False),
        Target("voxgate-redis", f"{_HERE}.voxgate_gate"),
        Target("voxgate-sqlite", f"{_HERE}.voxgate_gate", needs_redis=False, counts_trips=True),
    )
}
# `usual-stack-exact` has the moving window and the headers that ours always has; asked for by name.
DEFAULT = tuple(name for name in TARGETS if name != "usual-stack-exact")
