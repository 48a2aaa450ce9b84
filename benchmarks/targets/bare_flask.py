"""Flask that guards nothing, and the same with one question to Redis: the floor that any guard stands on."""

from collections.abc import Iterable, Sequence

from flask import Flask, Response, jsonify

from benchmarks.targets.base import Desk, Place


def make_app() -> Flask:
    """Return an application that answers everybody."""
    app = Flask("bare")

    @app.get("/protected")
    def protected() -> Response:
        return jsonify(logged_in_as="user-0000")

    return app


def make_app_with_ping() -> Flask:
    """Return the same with one ``PING`` per request, through redis-py as everybody uses it."""
    import redis  # noqa: PLC0415 -- among the requirements of the benchmarks only

    app = Flask("bare")
    client = redis.Redis.from_url(Place.from_environment().redis_url)

    @app.get("/protected")
    def protected() -> Response:
        client.ping()
        return jsonify(logged_in_as="user-0000")

    return app


def open_desk(_: Place) -> Desk:
    """Return a desk that has nothing to keep."""
    return _EmptyDesk()


class _EmptyDesk:
    def add_accounts(self, subjects: Sequence[str]) -> None:
        """Keep nothing."""

    def issue(self, subjects: Iterable[str]) -> list[str]:
        """Return texts as long as tokens are."""
        return [subject.ljust(300, "x") for subject in subjects]

    def revoke(self, tokens: Sequence[str]) -> None:
        """Keep nothing."""
