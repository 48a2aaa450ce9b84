"""The gate, on Redis or on its embedded store, with everything on that it has on by default."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask import Flask, Response, jsonify

from benchmarks.targets.base import ACCESS_EXPIRES_S, ORIGIN, Desk, Place
from voxgate.gate import Gate
from voxgate.gate.clock import SystemClock

gate = Gate()


def make_app() -> Flask:
    """Return the application; on the embedded store it tells at ``/trips`` how often it has asked it."""
    place = Place.from_environment()
    app = _make_app(place)
    if place.redis_url:
        return app  # Redis counts for us.
    trips = _count_decisions(app)

    @app.get("/trips")
    @gate.exempt
    def tell_trips() -> Response:
        return jsonify(trips)

    return app


def open_desk(place: Place) -> Desk:
    """Return the desk.

    Raises:
        ConfigurationError: This version has no such store.
    """
    return _Desk(_make_app(place))


def _make_app(place: Place) -> Flask:
    app = Flask("guarded", instance_path=str(place.folder))
    app.config["JWT_SECRET_KEY"] = place.secret
    app.config["JWT_ACCESS_TOKEN_EXPIRES"] = ACCESS_EXPIRES_S
    app.config["VOXGATE_STORE"] = place.redis_url or str(place.folder / "gate.db")
    app.config["VOXGATE_CORS_ORIGINS"] = [ORIGIN]
    gate.init_app(app)

    @app.get("/protected")
    @gate.protect(limits=place.limits)
    def protected() -> Response:
        return jsonify(logged_in_as=gate.principal.subject)

    return app


def _count_decisions(app: Flask) -> list[int]:
    """Count the store's decisions in the list returned; costs each of them 0.1 us, which is ours to bear."""
    with app.app_context():
        store: Any = gate.admission.store
    decide, trips = store.decide, [0]

    def counted(query: object) -> object:
        trips[0] += 1
        return decide(query)

    store.decide = counted
    return trips


class _Desk:
    def __init__(self, app: Flask) -> None:
        self._app = app
        self._sessions: dict[str, str] = {}

    def add_accounts(self, subjects: Sequence[str]) -> None:
        """Make accounts, each with a session."""
        with self._app.app_context():
            for subject in subjects:
                gate.issuer.set_account(subject)
                self._sessions[subject] = gate.issuer.open_session(subject).session_id

    def issue(self, subjects: Iterable[str]) -> list[str]:
        """Return tokens of the subjects' sessions, as a refresh would."""
        with self._app.app_context():
            signer, now_ms = gate.admission.signer, SystemClock().now_ms()
            return [signer.issue_access(subject, self._sessions[subject], now_ms=now_ms) for subject in subjects]

    def revoke(self, tokens: Sequence[str]) -> None:
        """End the sessions of tokens, as the log-out would."""
        with self._app.app_context():
            now_ms = SystemClock().now_ms()
            for token in tokens:
                claims = gate.admission.signer.verify_access(token, now_ms=now_ms)
                gate.issuer.end_session(claims.session_id)
