"""Sessions of a Flask application over its routes: refreshed, limited, bound, and ended by reuse."""

import pytest
from flask import Flask

from voxgate.gate import Gate, Parts


@pytest.fixture
def app_of(tmp_path, clock):
    """Make an application with settings, its gate and the tokens of one login."""
    stores = []

    def make(**settings):
        app = Flask("sessions", instance_path=str(tmp_path))
        app.config.update(settings)
        gate = Gate(app, Parts(clock=clock))
        with app.app_context():
            stores.append(gate.admission.store)

        @app.post("/login/<name>")
        @gate.open()
        def login(name):
            return told(gate.issuer.open_session(name))

        @app.post("/refresh")
        @gate.protect(credentials=["refresh"])
        def refresh():
            return told(gate.issuer.renew(gate.principal))

        @app.get("/me")
        @gate.protect()
        def me():
            return {"subject": gate.principal.subject}

        return app, gate

    yield make
    for store in stores:
        store.close()


def told(pair):
    return {"access": pair.access_token, "refresh": pair.refresh_token}


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def test_reuse_is_a_challenge_with_its_own_code_and_the_end_of_both_tokens(app_of):
    """Also for what the door has remembered of the newer token a moment ago."""
    client = app_of()[0].test_client()
    old = client.post("/login/ann").get_json()
    new = client.post("/refresh", headers=bearer(old["refresh"])).get_json()
    for _ in range(2):
        assert client.get("/me", headers=bearer(new["access"])).status_code == 200
    answer = client.post("/refresh", headers=bearer(old["refresh"]))
    assert (answer.status_code, answer.get_json()["code"]) == (401, "TOKEN_REUSED")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    for token in (old["access"], new["access"]):
        assert client.get("/me", headers=bearer(token)).get_json()["code"] == "TOKEN_REVOKED"
    assert client.post("/refresh", headers=bearer(new["refresh"])).get_json()["code"] == "TOKEN_REVOKED"


def test_strict_and_idle_are_settings(app_of, clock):
    """Read by the names that the service has as well."""
    client = app_of(JWT_REFRESH_STRICT=True, JWT_REFRESH_IDLE_EXPIRES=60)[0].test_client()
    old = client.post("/login/ann").get_json()
    clock.advance(59)
    new = client.post("/refresh", headers=bearer(old["refresh"])).get_json()
    clock.advance(59)
    newest = client.post("/refresh", headers=bearer(new["refresh"])).get_json()
    assert client.post("/refresh", headers=bearer(new["refresh"])).get_json()["code"] == "TOKEN_REUSED"
    assert client.post("/refresh", headers=bearer(newest["refresh"])).get_json()["code"] == "TOKEN_REVOKED"
    late = client.post("/login/ann").get_json()
    clock.advance(60)
    assert client.post("/refresh", headers=bearer(late["refresh"])).get_json()["code"] == "TOKEN_EXPIRED"


def test_wider_limit_lifts_a_remembered_refusal_at_once(app_of, clock):
    """An account that waits for its minute does not wait for it any more."""
    app, gate = app_of(RATELIMIT_STANDARD="1 per minute")
    client = app.test_client()
    shown = bearer(client.post("/login/ann").get_json()["access"])
    assert [client.get("/me", headers=shown).status_code for _ in range(3)] == [200, 429, 429]
    with app.app_context():
        gate.issuer.set_account("ann", limits={"*": "3 per minute"})
    answers = [client.get("/me", headers=shown) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"standard";q=3;w=60'


def test_key_is_told_of_its_own_limit(app_of):
    """Beside that of its account, in the headers of every answer."""
    app, gate = app_of()
    with app.app_context():
        gate.issuer.set_account("ann")
        key = gate.issuer.new_key("ann", limits={"*": "2 per minute"}, networks=["127.0.0.0/8"])
    client = app.test_client()
    far = client.get("/me", headers={"X-API-Key": key.text}, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert (far.status_code, far.get_json()["code"]) == (403, "API_KEY_NETWORK")
    answers = [client.get("/me", headers={"X-API-Key": key.text}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"standard";q=100;w=60, "key";q=2;w=60'
    assert answers[2].get_json()["violated-policies"] == ["key"]
