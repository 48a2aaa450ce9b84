"""Drive a route into its limit, and tell how many requests it let pass."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


@dataclass(frozen=True, slots=True)
class Exhausted:
    """A limit that has been used up.

    Attributes:
        passed: Requests that were answered by the route.
        refused: The first answer of status 429.
    """

    passed: int
    refused: TestResponse

    @property
    def retry_after_s(self) -> int:
        """Whole seconds after which the same request passes."""
        return int(self.refused.headers["Retry-After"])


def exhaust(client: FlaskClient, path: str, *, method: str = "GET", at_most: int = 2_000, **request: Any) -> Exhausted:  # noqa: ANN401 -- what Flask's client takes
    """Send the same request until it is refused for its limit.

    Args:
        client: Client of the application under test.
        path: What is asked for.
        method: How it is asked for.
        at_most: Requests after which the route is taken to have no limit.
        **request: Everything else that the client's ``open`` takes, such as ``headers`` and ``json``.

    Raises:
        AssertionError: No request was refused.
    """
    for passed in range(at_most):
        answer = client.open(path, method=method, **request)
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            return Exhausted(passed, answer)
    raise AssertionError(f"{method} {path} was answered {at_most} times and never with 429")
