"""The first document's own calls and expectations, over its four routes."""

import pytest
from tests.support.service import ANN, V1, bearer


@pytest.fixture
def tokens(client):
    """Log in as the first document does."""
    client.post(f"{V1}/auth/register", json=ANN)
    return client.post("/login", json={"username": "testuser", "password": "password123"}).get_json()


class TestDocument:
    def test_1_login_gives_both_tokens(self, tokens):
        """Test 1: a login gives an access and a refresh token."""
        assert {"access_token", "refresh_token"} <= tokens.keys()

    def test_2_protected_names_the_caller(self, client, tokens):
        """Test 2: a token opens the route, which names its user."""
        answer = client.get("/protected", headers=bearer(tokens["access_token"]))
        assert (answer.status_code, answer.get_json()) == (200, {"logged_in_as": "testuser"})

    def test_3_too_many_requests(self, client, tokens):
        """Test 3: the sixth request in a minute says so in the document's words, and in ours."""
        answers = [client.get("/protected", headers=bearer(tokens["access_token"])) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        body = answers[-1].get_json()
        assert body["message"] == body["msg"] == "Too Many Requests"
        assert body["detail"].startswith("Too many requests. Limit: 5 per 1 minute")
        assert body["retry_after"] == 60

    def test_3_too_many_logins(self, client, tokens):
        """Test 3, at the login: three in a minute, right or wrong."""
        answers = [client.post("/login", json={"username": "testuser", "password": "wrong"}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [401, 401, 429]
        assert answers[-1].get_json()["message"] == "Too Many Requests"

    def test_4_expired(self, client, tokens, clock):
        """Test 4: after fifteen minutes the token has expired."""
        clock.advance(15 * 60)
        answer = client.get("/protected", headers=bearer(tokens["access_token"]))
        assert (answer.status_code, answer.get_json()["msg"]) == (401, "Token has expired")

    def test_5_refresh(self, client, tokens, clock):
        """Test 5: the refresh token gives an access token that works."""
        clock.advance(15 * 60)
        fresh = client.post("/refresh", headers=bearer(tokens["refresh_token"])).get_json()["access_token"]
        assert client.get("/protected", headers=bearer(fresh)).status_code == 200

    def test_6_revoked(self, client, tokens):
        """Test 6: after logout both tokens are dead."""
        answer = client.post("/logout", headers=bearer(tokens["access_token"]))
        assert (answer.status_code, answer.get_json()["msg"]) == (200, "Successfully logged out")
        for method, path, name in (("GET", "/protected", "access_token"), ("POST", "/refresh", "refresh_token")):
            refused = client.open(path, method=method, headers=bearer(tokens[name]))
            assert (refused.status_code, refused.get_json()["msg"]) == (401, "Token has been revoked")


class TestMsg:
    def test_missing_header(self, client):
        """Nothing shown is told in the words of the document's library."""
        for method, path in (("GET", "/protected"), ("POST", "/refresh"), ("POST", "/logout")):
            answer = client.open(path, method=method)
            assert (answer.status_code, answer.get_json()["msg"]) == (401, "Missing Authorization Header")

    def test_invalid_credentials(self, client):
        """A wrong login is told in the document's words."""
        answer = client.post("/login", json={"username": "testuser", "password": "wrong"})
        assert (answer.status_code, answer.get_json()["msg"]) == (401, "Invalid credentials")

    def test_wrong_token(self, client, tokens):
        """A token of the other kind is refused with a reason in `msg`."""
        answer = client.get("/protected", headers=bearer(tokens["refresh_token"]))
        assert answer.status_code == 401
        assert answer.get_json()["msg"] == answer.get_json()["message"]

    def test_every_error_has_it(self, client):
        """Wrong methods and bodies have `msg` too."""
        assert client.get("/login").get_json()["msg"] == "Method not allowed"
        assert client.post("/login", data="{", content_type="application/json").get_json()["msg"] == "Invalid JSON"
        assert client.post("/login", json={}).get_json()["msg"] == "Username and password required"

    def test_no_other_route_has_it(self, client):
        """The first document's key stays on its own routes."""
        assert "msg" not in client.get(f"{V1}/auth/me").get_json()
        assert "msg" not in client.get("/nothing").get_json()


class TestShared:
    def test_one_login_limit(self, client):
        """Both login routes spend the same budget."""
        body = {"username": "testuser", "password": "wrong"}
        paths = ["/login", f"{V1}/auth/login", "/login", f"{V1}/auth/login", "/login"]
        assert [client.post(path, json=body).status_code for path in paths] == [401, 401, 401, 429, 429]

    def test_tokens_work_everywhere(self, client, tokens):
        """A session of the root routes is a session."""
        assert client.get(f"{V1}/auth/me", headers=bearer(tokens["access_token"])).status_code == 200

    def test_401_account_is_gone(self, client, tokens, services, monkeypatch):
        """A token that outlived its account names nobody."""
        monkeypatch.setattr(type(services.accounts), "find", lambda *_: None)
        assert client.get("/protected", headers=bearer(tokens["access_token"])).status_code == 401


def test_one_switch_turns_them_off(make_app):
    """Without root routes there is nothing at their paths, nor in the document, nor among the limits."""
    client = make_app(root_routes=False).test_client()
    for method, path in (("POST", "/login"), ("GET", "/protected"), ("POST", "/refresh"), ("POST", "/logout")):
        assert client.open(path, method=method).status_code == 404
    assert "/login" not in client.get("/openapi.json").get_json()["paths"]
    key = client.post(f"{V1}/auth/register", json=ANN).get_json()["api_key"]
    assert "/protected" not in client.get(f"{V1}/limits", headers={"X-API-Key": key}).get_json()
