"""The second document's decorators and set-up calls: as it writes them, with the answers that its words promise."""

import pytest
from flask import Flask, request

from voxgate.gate import Gate
from voxgate.gate.flask.classic import get_user_id, init_jwt, init_rate_limiting, require_api_key, require_premium


@pytest.fixture
def app(tmp_path):
    """The document's application."""
    app = Flask("classic", instance_path=str(tmp_path))
    init_jwt(app)
    init_rate_limiting(app)

    @app.get("/premium")
    @require_premium()
    def premium():
        return {"user_id": get_user_id()}

    @app.get("/keyed")
    @require_api_key()
    def keyed():
        return {"user_id": request.user_id, "counted": get_user_id()}

    @app.get("/open")
    @Gate.open()
    def anybody():
        return {"user_id": get_user_id()}

    @app.get("/health")
    @Gate.exempt
    def health():
        return {"user_id": get_user_id()}

    with app.app_context():
        yield app
        Gate().admission.store.close()


@pytest.fixture
def issuer(app):
    issuer = Gate().issuer
    issuer.set_account("ann", tier="premium")
    issuer.set_account("bob")
    return issuer


@pytest.fixture
def get(app):
    def ask(path, **headers):
        answer = app.test_client().get(path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        return answer.status_code, answer.get_json()

    return ask


def test_premium_account_alone_comes_in(issuer, get):
    """The document's answers, and 401 where its code broke."""
    ann, bob = (f"Bearer {issuer.open_session(name).access_token}" for name in ("ann", "bob"))
    assert get("/premium", Authorization=ann) == (200, {"user_id": "ann"})
    status, body = get("/premium", Authorization=bob)
    assert (status, body["error"]) == (403, "Premium account required")
    assert get("/premium")[0] == 401


def test_key_alone_opens_its_route_and_names_the_user(issuer, get):
    """The document's three answers but one; ``expired`` is told by the same gate."""
    key = issuer.new_key("bob").text
    assert get("/keyed", X_API_Key=key) == (200, {"user_id": "bob", "counted": "bob"})
    assert get("/keyed")[1]["error"] == "API key required"
    assert get("/keyed", X_API_Key=key[:-1])[1]["error"] == "Invalid API key"


@pytest.mark.parametrize("path", ["/open", "/health"])
def test_whoever_shows_nothing_is_counted_by_address(get, path):
    """Guarded or not."""
    assert get(path) == (200, {"user_id": "127.0.0.1"})


def test_gate_stands_once(app):
    """Both calls are made; a second gate would decide each request twice."""
    before = app.wsgi_app
    init_jwt(app)
    assert app.wsgi_app is before
