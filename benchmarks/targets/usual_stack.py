"""The usual stack: Flask-JWT-Extended, Flask-Limiter and a blocklist in Redis, the user from SQLAlchemy, Flask-CORS.

Written as tutorials write it, with the corrections that it needs to run on current libraries: the limit is inside
``jwt_required``, so that it binds the user and not the address; identities are texts; the limiter's answer is made by
an error handler.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import flask_jwt_extended as jwt_extended
import redis
from flask import Flask, Response, jsonify
from flask_cors import CORS
from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required
from flask_limiter import Limiter, RateLimitExceeded
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.targets.base import ACCESS_EXPIRES_S, ORIGIN, Desk, Place

BLOCKLIST = "jwt_blacklist"
Answer = Response | tuple[Response, int]


class Base(DeclarativeBase):
    """The tables of this application."""


db = SQLAlchemy(model_class=Base)


class User(db.Model):  # type: ignore[name-defined, misc]
    """An account."""

    id: Mapped[str] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    is_premium: Mapped[bool] = mapped_column(default=False)


def make_app() -> Flask:
    """Return the application as the documents have it: fixed windows, no headers, the user read from SQL."""
    return _make_app(Place.from_environment())


def make_app_without_sql() -> Flask:
    """Return the same without reading the user."""
    return _make_app(Place.from_environment(), reads_user=False)


def make_exact_app() -> Flask:
    """Return the application with the exact window and the headers that ours always has."""
    return _make_app(Place.from_environment(), strategy="moving-window", headers_enabled=True)


def open_desk(place: Place) -> Desk:
    """Return the desk; it keeps users in SQL also where nobody reads them."""
    return _Desk(place)


def _make_app(place: Place, *, reads_user: bool = True, **limiter_options: Any) -> Flask:  # noqa: ANN401 -- passed on
    app = Flask("usual", instance_path=str(place.folder))
    app.config["JWT_SECRET_KEY"] = place.secret
    app.config["JWT_ACCESS_TOKEN_EXPIRES"] = ACCESS_EXPIRES_S
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{place.folder}/users.db"
    if reads_user:
        db.init_app(app)
    _init_jwt(app, redis.Redis.from_url(place.redis_url))
    CORS(app, resources={r"/*": {"origins": ORIGIN}})
    limiter = Limiter(key_func=get_jwt_identity, app=app, storage_uri=place.redis_url, **limiter_options)
    app.register_error_handler(RateLimitExceeded, _answer_limited)
    app.get("/protected")(jwt_required()(limiter.limit(place.limits)(_view(reads_user=reads_user))))
    return app


def _view(*, reads_user: bool) -> Callable[[], Answer]:
    def protected() -> Answer:
        current_user = get_jwt_identity()
        if reads_user:
            user = db.session.get(User, current_user)
            if user is None or not user.is_active:
                return jsonify({"error": "Account disabled"}), 403
        return jsonify(logged_in_as=current_user)

    return protected


def _init_jwt(app: Flask, client: redis.Redis) -> None:
    jwt = JWTManager(app)

    @jwt.token_in_blocklist_loader
    def is_revoked(_: dict[str, Any], payload: dict[str, Any]) -> bool:
        return bool(client.sismember(BLOCKLIST, payload["jti"]))

    @jwt.expired_token_loader
    def answer_expired(_: dict[str, Any], __: dict[str, Any]) -> Answer:
        return jsonify({"error": "Authentication failed", "message": "Token has expired", "code": "TOKEN_EXPIRED"}), 401

    @jwt.invalid_token_loader
    def answer_invalid(_: str) -> Answer:
        message = "Invalid or malformed token"
        return jsonify({"error": "Authentication failed", "message": message, "code": "INVALID_TOKEN"}), 401

    @jwt.unauthorized_loader
    def answer_missing(_: str) -> Answer:
        return jsonify({"error": "Access token required"}), 401


def _answer_limited(error: RateLimitExceeded) -> Answer:
    # The length of the window, not what is left of it: that would be one more trip to Redis.
    limit = error.limit.limit
    message = f"Too many requests. Limit: {limit}"
    return jsonify({"error": "Rate limit exceeded", "message": message, "retry_after": limit.get_expiry()}), 429


class _Desk:
    def __init__(self, place: Place) -> None:
        self._app = _make_app(place)
        self._redis = redis.Redis.from_url(place.redis_url)

    def add_accounts(self, subjects: Sequence[str]) -> None:
        """Make users in SQL."""
        with self._app.app_context():
            db.create_all()
            db.session.add_all(
                User(id=subject, username=subject, email=f"{subject}@example.com", password="-")  # noqa: S106 -- none
                for subject in subjects
            )
            db.session.commit()

    def issue(self, subjects: Iterable[str]) -> list[str]:
        """Return tokens as the log-in would."""
        with self._app.app_context():
            return [jwt_extended.create_access_token(identity=subject) for subject in subjects]

    def revoke(self, tokens: Sequence[str]) -> None:
        """Put tokens on the blocklist as the log-out would."""
        with self._app.app_context():
            self._redis.sadd(BLOCKLIST, *[jwt_extended.decode_token(token)["jti"] for token in tokens])
