"""The second document's decorators and set-up calls: its names over ``Gate``."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from flask import Flask, request

from voxgate.gate.flask.extension import Gate
from voxgate.gate.flask.state import EXTENSION

P = ParamSpec("P")
R = TypeVar("R")
View = Callable[P, R]

_gate = Gate()


def init_jwt(app: Flask) -> None:
    """Put the gate around an application, unless it stands there already; its settings are those of ``Gate(app)``.

    Raises:
        ConfigurationError: A setting is unknown or cannot be used.
    """
    if EXTENSION not in app.extensions:
        Gate(app)


init_rate_limiting = init_jwt
"""Tokens and limits are one decision, so this is the same call; both may be made, in any order."""


def require_premium() -> Callable[[View[P, R]], View[P, R]]:
    """Guard a view: a live credential of an active account whose tier is ``premium``."""
    return Gate.protect(tier="premium")


def require_api_key() -> Callable[[View[P, R]], View[P, R]]:
    """Guard a view: a live API key alone opens it, and ``request.user_id`` is its account."""

    def decorate(view: View[P, R]) -> View[P, R]:
        @functools.wraps(view)
        def known(*args: P.args, **kwargs: P.kwargs) -> R:
            request.user_id = _gate.principal.subject  # type: ignore[attr-defined]
            return view(*args, **kwargs)

        return Gate.protect(credentials=["api_key"])(known)

    return decorate


def get_user_id() -> str:
    """Return the id of the account that this request is counted for; the address where none has shown itself."""
    try:
        principal = _gate.decision.principal
    except LookupError:
        principal = None
    return _gate.address if principal is None else principal.subject
