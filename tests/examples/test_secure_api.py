"""The rebuilt application: the six tests of its first document, and what the document's own code got wrong."""

import json
import logging

import pytest
from argon2 import PasswordHasher

from voxgate.testing import bearer, exhaust

pytest_plugins = ["voxgate.testing"]

LOGIN = {"username": "testuser", "password": "password123"}
LIFE_S = 15 * 60


@pytest.fixture
def is_cheap():
    """Whether a hash takes 8 KiB instead of 46 MiB: one test alone is about its price."""
    return True


@pytest.fixture
def app(gate_clock, load, is_cheap, monkeypatch):
    if is_cheap:
        monkeypatch.setattr("argon2.PasswordHasher", lambda **given: PasswordHasher(**{**given, "memory_cost": 8}))
    app = load("secure_api").create_app()
    added = app.test_cli_runner().invoke(args=["add-user", LOGIN["username"], "--password", LOGIN["password"]])
    assert added.exit_code == 0, added.output
    return app


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def tokens(client):
    return client.post("/login", json=LOGIN).get_json()


@pytest.fixture
def ann(tokens):
    return bearer(tokens["access_token"])


def test_1_login_gives_both_tokens(tokens):
    """An access token and a refresh token, and nothing else."""
    assert set(tokens) == {"access_token", "refresh_token"}


def test_2_protected_page_tells_who_is_logged_in(client, ann):
    """With the token alone."""
    assert client.get("/protected", headers=ann).get_json() == {"logged_in_as": "testuser"}
    refused = client.get("/protected")
    assert (refused.status_code, refused.get_json()["msg"]) == (401, "Missing Authorization Header")


def test_3_too_many_requests_are_told_so(client, ann, gate_clock):
    """Five visits a minute; the sixth has the document's message and a wait that is enough."""
    spent = exhaust(client, "/protected", headers=ann)
    assert spent.passed == 5
    assert spent.refused.get_json()["message"] == "Too Many Requests"
    gate_clock.advance(spent.retry_after_s)
    assert client.get("/protected", headers=ann).status_code == 200


def test_3_logins_are_limited_too(client):
    """Three attempts a minute, right or wrong."""
    spent = exhaust(client, "/login", method="POST", json=LOGIN | {"password": "wrong"})
    assert spent.passed == 3
    assert spent.refused.get_json()["message"] == "Too Many Requests"


def test_4_token_expires_after_fifteen_minutes(client, ann, gate_clock):
    """Not a second earlier, and the answer says it in the document's words."""
    gate_clock.advance(LIFE_S - 1)
    assert client.get("/protected", headers=ann).status_code == 200
    gate_clock.advance(1)
    refused = client.get("/protected", headers=ann)
    assert (refused.status_code, refused.get_json()["msg"]) == (401, "Token has expired")


def test_5_refresh_token_gives_a_new_access_token(client, tokens, gate_clock):
    """After the first one has expired, for seven days."""
    gate_clock.advance(LIFE_S)
    refreshed = client.post("/refresh", headers=bearer(tokens["refresh_token"])).get_json()
    assert client.get("/protected", headers=bearer(refreshed["access_token"])).status_code == 200
    gate_clock.advance(7 * 86_400)
    assert client.post("/refresh", headers=bearer(tokens["refresh_token"])).status_code == 401


def test_6_logged_out_token_has_been_revoked(client, ann, tokens):
    """Both tokens are dead at once."""
    assert client.post("/logout", headers=ann).get_json() == {"msg": "Successfully logged out"}
    for answer in (
        client.get("/protected", headers=ann),
        client.post("/refresh", headers=bearer(tokens["refresh_token"])),
    ):
        assert (answer.status_code, answer.get_json()["msg"]) == (401, "Token has been revoked")


@pytest.mark.parametrize("body", [LOGIN | {"password": "wrong"}, LOGIN | {"username": "nobody"}])
def test_wrong_name_and_wrong_password_get_one_answer(client, body):
    """Nobody learns which names exist."""
    answer = client.post("/login", json=body)
    assert (answer.status_code, answer.get_json()) == (401, {"msg": "Invalid credentials"})


@pytest.mark.parametrize("body", ["null", "[]", '"x"', '{"username": ["a"], "password": "b"}', "{"])
def test_login_never_breaks_on_a_body(client, body):
    """What is no login is the client's fault."""
    assert client.post("/login", data=body, content_type="application/json").status_code == 400


@pytest.mark.parametrize(("kind", "method", "path"), [("refresh", "GET", "/protected"), ("access", "POST", "/refresh")])
def test_tokens_do_not_stand_in_for_each_other(client, tokens, kind, method, path):
    """Each opens what it is for."""
    answer = client.open(path, method=method, headers=bearer(tokens[f"{kind}_token"]))
    assert (answer.status_code, answer.get_json()["code"]) == (401, "INVALID_TOKEN")


def test_only_the_front_end_that_is_named_may_read_answers(client):
    """A page of another origin is told nothing."""
    for origin, told in (("https://your-frontend.com", "https://your-frontend.com"), ("https://evil.example", None)):
        headers = client.get("/protected", headers={"Origin": origin}).headers
        assert headers.get("Access-Control-Allow-Origin") == told


@pytest.mark.parametrize("is_cheap", [False])
def test_passwords_are_kept_as_argon2_hashes(app, tmp_path):
    """And in no other form."""
    kept = (tmp_path / "instance" / "users.db").read_bytes()
    assert b"$argon2id$v=19$m=47104,t=1,p=1$" in kept
    assert b"password123" not in kept


def test_user_whose_facts_the_store_has_lost_is_looked_up(app, client, ann, gate_clock):
    """The table is the truth; a user who is not in it has no session."""
    assert client.get("/protected", headers=ann).status_code == 200
    assert app.extensions["users"].find_account("nobody") is None
    assert app.extensions["users"].find_key("k") is None


def test_logins_are_written_to_the_log_without_forgery(client, caplog):
    """A name with a line break is one line, and the password is nowhere."""
    with caplog.at_level(logging.WARNING):
        client.post("/login", json={"username": "bob\nlogin: admin", "password": "secret of bob"})
    record = caplog.records[-1].getMessage()
    assert json.loads(record) == {
        "event": "login",
        "username": "bob\nlogin: admin",
        "ip_address": "127.0.0.1",
        "success": False,
    }
    assert "\n" not in record
