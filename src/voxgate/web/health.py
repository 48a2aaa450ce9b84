"""Whether the service lives, and whether everything it needs answers."""

import logging
from collections.abc import Callable

from flask import Blueprint, Response, current_app

from voxgate.gate.errors import Refusal
from voxgate.web.answers import answer
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.leaving import is_leaving
from voxgate.web.problems import refuse
from voxgate.web.schemas import HealthAnswer, ReadyAnswer

_log = logging.getLogger("voxgate.web")

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@gate.exempt
def show_health() -> Response:
    """Answer."""
    return answer(HealthAnswer(), headers={"Cache-Control": "no-store"})


@blueprint.get("/readyz")
@gate.exempt
def show_readiness() -> Response:
    """Ask every dependency and name what does not answer."""
    checks = {name: _ask(name, check) for name, check in services().checks().items()}
    if is_leaving(current_app):
        checks["service"] = "stopping"
    if all(state == "ok" for state in checks.values()):
        return answer(ReadyAnswer(checks=checks), headers={"Cache-Control": "no-store"})
    return refuse(Refusal("NOT_READY"), members={"checks": checks})


def _ask(name: str, check: Callable[[], object]) -> str:
    try:
        check()
    except Exception as error:  # noqa: BLE001 -- whatever it raises, the dependency is not ready
        _log.warning("%s is not ready: %s", name, error)
        return "unavailable"
    return "ok"
