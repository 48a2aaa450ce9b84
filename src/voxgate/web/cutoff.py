"""The parameter ``before``: everything that was opened before a moment."""

from flask import request

from voxgate.gate.errors import Refusal
from voxgate.settings.times import read_time
from voxgate.web.current import services


def read_cutoff() -> int | Refusal | None:
    """Return the moment that the request names, in milliseconds since the epoch; None when it names none."""
    found = request.args.getlist("before")
    if not found:
        return None
    try:
        if len(found) == 1:
            # A plus sign in a query stands for a blank.
            return read_time(found[0].replace(" ", "+"), now_ms=services().clock.now_ms())
    except ValueError:
        pass
    return Refusal("BAD_REQUEST", "'before' must be one time such as 2027-01-15T08:00:00Z, not in the future.")
