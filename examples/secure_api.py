"""A login, a protected page, refresh and logout: the classic secured Flask API, with users of its own, on the gate.

    flask --app examples/secure_api.py add-user testuser
    flask --app examples/secure_api.py run
    VOXGATE_STORE=redis://localhost:6379/0 flask --app examples/secure_api.py run

Without ``JWT_SECRET_KEY`` in the environment a key is made and kept in the instance folder, beside the users.
``python examples/secure_api.py`` serves over TLS with cert.pem and key.pem of the current folder, and
writes security events to security.log there.
"""

import json
import logging
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from flask import Blueprint, Flask, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from voxgate.gate import Gate, events
from voxgate.gate.decision import AccountState
from voxgate.gate.flask import Parts

# The words that this API's clients know, where the gate has other ones.
TEXTS = {"RATE_LIMITED": "Too Many Requests", "TOKEN_MISSING": "Missing Authorization Header"}

log = logging.getLogger("secure_api")  # a refused request never reaches the application, so not its logger
gate = Gate()
api = Blueprint("api", __name__, cli_group=None)


class Users:
    """The application's own accounts: one row with a name and an argon2id hash each.

    The gate asks here for an account that its store does not know; sessions are in the store alone.

    Args:
        path: The SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._argon2 = PasswordHasher(memory_cost=47_104, time_cost=1, parallelism=1)
        # An unknown name costs the same work as a wrong password, so that nobody learns which names exist.
        self._nobody = self._argon2.hash(os.urandom(16).hex())
        self._run("CREATE TABLE IF NOT EXISTS user (name TEXT PRIMARY KEY, password_hash TEXT NOT NULL)")

    def add(self, name: str, password: str) -> None:
        """Add a user, or change the password of one; living sessions go on."""
        self._run("INSERT OR REPLACE INTO user VALUES (?, ?)", name, self._argon2.hash(password))

    def has(self, name: str, password: str) -> bool:
        """Tell whether the password is that user's."""
        rows = self._run("SELECT password_hash FROM user WHERE name = ?", name)
        try:
            self._argon2.verify(rows[0][0] if rows else self._nobody, password)
        except VerificationError:
            return False
        return bool(rows)

    def find_account(self, subject: str) -> AccountState | None:
        """Return what the gate must know of a user."""
        return AccountState(subject) if self._run("SELECT 1 FROM user WHERE name = ?", subject) else None

    def find_session(self, _session_id: str) -> None:
        """Return nothing: a session that the store does not know is none."""

    def find_key(self, _key_id: str) -> None:
        """Return nothing: this application gives out no API keys."""

    def end_session(self, _session_id: str, *, now_ms: int) -> None:
        """Do nothing: sessions are in the store alone."""

    def _run(self, statement: str, *values: str) -> list[tuple[str]]:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            return connection.execute(statement, values).fetchall()


@api.post("/login")
@gate.open(policy="login")
def login() -> ResponseReturnValue:
    """Open a session for a name and a password."""
    body = request.get_json(silent=True)
    name, password = (body.get(key) for key in ("username", "password")) if isinstance(body, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(password, str):
        return jsonify(msg="username and password are needed"), 400
    is_right = current_app.extensions["users"].has(name, password)
    write_event(events.LOGIN, {"username": name, "ip_address": gate.address, "success": is_right})
    if not is_right:
        return jsonify(msg="Invalid credentials"), 401
    tokens = gate.issuer.open_session(name)
    return jsonify(access_token=tokens.access_token, refresh_token=tokens.refresh_token)


@api.get("/protected")
@gate.protect(credentials=["access"], policy="protected")
def protected() -> ResponseReturnValue:
    """Tell who is logged in."""
    return jsonify(logged_in_as=gate.principal.subject)


@api.post("/refresh")
@gate.protect(credentials=["refresh"])
def refresh() -> ResponseReturnValue:
    """Give the next two tokens of a living session; the old refresh token is over once the new tokens are used."""
    tokens = gate.issuer.renew(gate.principal)
    return jsonify(access_token=tokens.access_token, refresh_token=tokens.refresh_token)


@api.post("/logout")
@gate.protect(credentials=["access"])
def logout() -> ResponseReturnValue:
    """End the session, and with it both of its tokens."""
    gate.issuer.end_session(gate.principal.credential_id)
    return jsonify(msg="Successfully logged out")


@api.cli.command("add-user")
@click.argument("name")
@click.password_option()
def add_user(name: str, password: str) -> None:
    """Add a user, or change the password of one."""
    current_app.extensions["users"].add(name, password)


def create_app(settings: Mapping[str, Any] | None = None) -> Flask:
    """Return the application.

    Args:
        settings: Replace the settings below.
    """
    app = Flask(__name__)
    app.config.update(
        JWT_SECRET_KEY=os.environ.get("JWT_SECRET_KEY"),
        JWT_ACCESS_TOKEN_EXPIRES=timedelta(minutes=15),
        JWT_REFRESH_TOKEN_EXPIRES=timedelta(days=7),
        RATELIMIT_LOGIN="3 per minute",
        RATELIMIT_PROTECTED="5 per minute",
        VOXGATE_STORE=os.environ.get("VOXGATE_STORE"),
        VOXGATE_CORS_ORIGINS=["https://your-frontend.com"],
    )
    app.config.update(settings or {})
    folder = Path(app.instance_path)
    folder.mkdir(parents=True, exist_ok=True)
    users = app.extensions["users"] = Users(folder / "users.db")
    gate.init_app(app, Parts(directory=users, emit=write_event, body_filter=in_known_words))
    app.register_blueprint(api)
    gate.check_rules(app)
    return app


def in_known_words(_path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a refusal with the key ``msg`` and the texts that this API's clients know."""
    message = TEXTS.get(body["code"], body["message"])
    return body | {"msg": message, "message": message}


def write_event(event: str, fields: Mapping[str, object]) -> None:
    """Write a security event to the log: as JSON, so that no value can forge a line."""
    log.warning("%s", json.dumps({"event": event, **fields}))


if __name__ == "__main__":
    logging.basicConfig(filename="security.log", level=logging.WARNING)
    create_app().run(ssl_context=("cert.pem", "key.pem"))
