"""The parts of the gate that stands around an application, found from within a request."""

from dataclasses import dataclass

from flask import Flask

from voxgate.gate.admission import Admission
from voxgate.gate.flask.browsers import Browsers
from voxgate.gate.flask.door import Door
from voxgate.gate.flask.routes import RouteTable
from voxgate.gate.issuing import Issuer

EXTENSION = "voxgate"


@dataclass(frozen=True, slots=True)
class State:
    """What a gate has made for one application.

    Attributes:
        admission: Decides.
        table: Finds rules.
        door: Stands around the application.
        issuer: Opens sessions and keys.
        browsers: Cookies, CSRF and CORS.
    """

    admission: Admission
    table: RouteTable
    door: Door
    issuer: Issuer
    browsers: Browsers


def state_of(app: Flask) -> State:
    """Return the parts of an application's gate.

    Raises:
        LookupError: No gate stands around it.
    """
    state: State | None = app.extensions.get(EXTENSION)
    if state is None:
        raise LookupError("no Gate stands around this application; call Gate(app) or gate.init_app(app)")
    return state
