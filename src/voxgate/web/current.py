"""The parts of the application that answers the current request."""

from typing import cast

from flask import current_app

from voxgate.web.services import Services

EXTENSION = "voxgate.services"


def services() -> Services:
    """Return the parts of the current application."""
    return cast("Services", current_app.extensions[EXTENSION])
