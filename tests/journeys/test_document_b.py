"""The second requirements document, call by call: its two tests with its fixtures, and every body that it promises."""

import pytest
from tests.support.service import ANN, V1, bearer

from voxgate.gate.api_keys import new_key

AUTH, TTS = f"{V1}/auth", f"{V1}/tts"
LOGIN = {"username": "testuser", "password": "password123"}


def test_jwt_authentication(client):
    """Registering, logging in and showing the token open a protected endpoint."""
    registered = client.post(f"{AUTH}/register", json=LOGIN | {"email": "test@example.com"})
    assert registered.status_code == 201
    login = client.post(f"{AUTH}/login", json=LOGIN)
    assert login.status_code == 200
    assert "access_token" in login.get_json()
    shown = {"Authorization": f"Bearer {login.get_json()['access_token']}"}
    assert client.get(f"{TTS}/", headers=shown).status_code == 200


def test_rate_limiting(client, auth_headers):
    """Ten texts within a minute are taken; the eleventh is told when to come back."""
    for _ in range(10):
        taken = client.post(f"{TTS}/generate", headers=auth_headers, json={"text": "test"})
        assert taken.status_code == 202
    refused = client.post(f"{TTS}/generate", headers=auth_headers, json={"text": "test"})
    assert refused.status_code == 429
    assert "retry_after" in refused.get_json()


class TestRegister:
    def test_answer_names_user_and_key(self, client):
        """The body has the document's three members."""
        body = client.post(f"{AUTH}/register", json=ANN).get_json()
        assert set(body) == {"message", "user_id", "api_key"}
        assert body["message"] == "User created successfully"
        assert body["api_key"].startswith("sk-")

    def test_first_key_opens_endpoints(self, client):
        """The key of the answer is stored and works, which the document's own was not."""
        key = client.post(f"{AUTH}/register", json=ANN).get_json()["api_key"]
        assert client.get(f"{TTS}/", headers={"X-API-Key": key}).status_code == 200
        assert client.get(f"{TTS}/", headers=bearer(key)).status_code == 200

    @pytest.mark.parametrize("missing", ["username", "email", "password"])
    def test_missing_field(self, client, missing):
        """Each of the three is required."""
        answer = client.post(f"{AUTH}/register", json=ANN | {missing: ""})
        assert (answer.status_code, answer.get_json()["error"]) == (400, "Missing required fields")

    @pytest.mark.parametrize(
        ("other", "told"),
        [({"email": "other@example.com"}, "Username already exists"), ({"username": "other"}, "Email already exists")],
    )
    def test_taken(self, client, ann, other, told):
        """A name and an address belong to one account."""
        answer = client.post(f"{AUTH}/register", json=ANN | other)
        assert (answer.status_code, answer.get_json()["error"]) == (409, told)


class TestLogin:
    def test_answer_has_tokens_and_user(self, client, ann):
        """The user of the answer has the fields of the document's model."""
        body = client.post(f"{AUTH}/login", json=LOGIN).get_json()
        assert {"access_token", "refresh_token", "user"} <= set(body)
        assert {"id", "username", "email", "is_active", "is_premium"} <= set(body["user"])
        assert isinstance(body["user"]["id"], str)

    @pytest.mark.parametrize("body", [{}, {"username": "testuser"}, {"password": "password123"}])
    def test_missing_field(self, client, ann, body):
        """Both are required."""
        answer = client.post(f"{AUTH}/login", json=body)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "Username and password required")

    @pytest.mark.parametrize("who", ["testuser", "nobody"])
    def test_wrong_credentials(self, client, ann, who):
        """A wrong password and an unknown user get the same text."""
        answer = client.post(f"{AUTH}/login", json={"username": who, "password": "wrong password"})
        assert (answer.status_code, answer.get_json()["error"]) == (401, "Invalid credentials")

    def test_disabled_account(self, client, ann, services):
        """Only who knows the password learns that the account is disabled."""
        services.accounts.set_active(ann["user_id"], is_active=False)
        right = client.post(f"{AUTH}/login", json=LOGIN)
        wrong = client.post(f"{AUTH}/login", json=LOGIN | {"password": "wrong password"})
        assert (right.status_code, right.get_json()["error"]) == (401, "Account is disabled")
        assert (wrong.status_code, wrong.get_json()["error"]) == (401, "Invalid credentials")


class TestSessions:
    def test_refresh(self, client, ann):
        """The refresh token gives an access token that works."""
        answer = client.post(f"{AUTH}/refresh", headers=bearer(ann["refresh_token"]))
        assert answer.status_code == 200
        assert client.get(f"{TTS}/", headers=bearer(answer.get_json()["access_token"])).status_code == 200

    def test_revoke(self, client, ann, auth_headers):
        """The session ends: neither of its tokens is good any more."""
        answer = client.post(f"{AUTH}/revoke", headers=auth_headers)
        assert (answer.status_code, answer.get_json()) == (200, {"message": "Token revoked"})
        assert client.get(f"{TTS}/", headers=auth_headers).status_code == 401
        assert client.post(f"{AUTH}/refresh", headers=bearer(ann["refresh_token"])).status_code == 401

    def test_api_key(self, client, ann, auth_headers):
        """One more key, and the first one goes on working."""
        answer = client.post(f"{AUTH}/api-key", headers=auth_headers)
        assert answer.status_code == 200
        for key in (ann["api_key"], answer.get_json()["api_key"]):
            assert client.get(f"{TTS}/", headers={"X-API-Key": key}).status_code == 200


class TestRefusedCredentials:
    """The document gives two sets of texts; the second, with code and message, holds, and `error` is there in both."""

    def test_nothing_shown(self, client):
        """The text of the first set."""
        answer = client.get(f"{TTS}/")
        assert (answer.status_code, answer.get_json()["error"]) == (401, "Access token required")

    @pytest.mark.parametrize("token", ["nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
    def test_malformed(self, client, token):
        """The three members of the second set."""
        answer = client.get(f"{TTS}/", headers=bearer(token))
        assert answer.status_code == 401
        expected = {"error": "Authentication failed", "message": "Invalid or malformed token", "code": "INVALID_TOKEN"}
        assert expected.items() <= answer.get_json().items()

    def test_expired(self, client, auth_headers, clock):
        """The same, for time."""
        clock.advance(900)
        answer = client.get(f"{TTS}/", headers=auth_headers)
        assert answer.status_code == 401
        expected = {"error": "Authentication failed", "message": "Token has expired", "code": "TOKEN_EXPIRED"}
        assert expected.items() <= answer.get_json().items()

    def test_hour_of_the_document(self, make_app, clock):
        """Its own lives, one hour and thirty days, are settings under its names."""
        app = make_app(jwt_access_token_expires_s=3600, jwt_refresh_token_expires_s=30 * 86_400)
        client = app.test_client()
        client.post(f"{AUTH}/register", json=ANN)
        token = client.post(f"{AUTH}/login", json=LOGIN).get_json()["access_token"]
        clock.advance(3599)
        assert client.get(f"{TTS}/", headers=bearer(token)).status_code == 200
        clock.advance(1)
        assert client.get(f"{TTS}/", headers=bearer(token)).get_json()["code"] == "TOKEN_EXPIRED"

    def test_unknown_key(self, client):
        """A key that was never made is refused in the document's words."""
        for text in (new_key().text, "sk-nonsense"):
            answer = client.get(f"{TTS}/", headers={"X-API-Key": text})
            assert (answer.status_code, answer.get_json()["error"]) == (401, "Invalid API key")

    def test_expired_key(self, client, ann, services, clock):
        """A key past its time is told so."""
        key = services.api_keys.create(ann["user_id"], name="short", expires_in_s=60).text
        assert client.get(f"{TTS}/", headers={"X-API-Key": key}).status_code == 200
        clock.advance(60)
        answer = client.get(f"{TTS}/", headers={"X-API-Key": key})
        assert (answer.status_code, answer.get_json()["error"]) == (401, "API key expired")


class TestGenerate:
    def test_accepted(self, client, auth_headers):
        """The document's message, and where to look, which the document left out."""
        answer = client.post(f"{TTS}/generate", headers=auth_headers, json={"text": "test"})
        body = answer.get_json()
        assert (answer.status_code, body["message"]) == (202, "Audio generation started")
        assert answer.headers["Location"] == body["status_url"] == f"{TTS}/status/{body['job_id']}"

    def test_disabled_account(self, client, ann, auth_headers, services):
        """From the next request on, for the token and the key alike."""
        services.accounts.set_active(ann["user_id"], is_active=False)
        for headers in (auth_headers, {"X-API-Key": ann["api_key"]}):
            answer = client.post(f"{TTS}/generate", headers=headers, json={"text": "test"})
            assert (answer.status_code, answer.get_json()["error"]) == (403, "Account disabled")

    def test_refusal_over_the_limit(self, client, auth_headers, clock):
        """The three members of the document's body; waiting as long as it says works."""
        for _ in range(10):
            client.post(f"{TTS}/generate", headers=auth_headers, json={"text": "test"})
        body = client.post(f"{TTS}/generate", headers=auth_headers, json={"text": "test"}).get_json()
        assert body["error"] == "Rate limit exceeded"
        assert body["message"].startswith("Too many requests. Limit: 10 per ")
        assert isinstance(body["retry_after"], int)
        clock.advance(body["retry_after"])
        assert client.post(f"{TTS}/generate", headers=auth_headers, json={"text": "test"}).status_code == 202

    def test_limit_is_of_the_user(self, client, auth_headers, bob_headers):
        """One user at the limit leaves another at the same address alone."""
        for _ in range(11):
            client.post(f"{TTS}/generate", headers=auth_headers, json={"text": "test"})
        assert client.post(f"{TTS}/generate", headers=bob_headers, json={"text": "test"}).status_code == 202

    @pytest.mark.parametrize(
        ("fields", "told"),
        [
            ({"text": "  "}, "Text cannot be empty"),
            ({"text": "x" * 5001}, "Text too long"),
            ({"text": "see <script"}, "Text contains potentially harmful content"),
            ({"text": "JavaScript: a text"}, "Text contains potentially harmful content"),
            ({"text": "onload=1"}, "Text contains potentially harmful content"),
            ({"text": "onerror=1"}, "Text contains potentially harmful content"),
        ],
    )
    def test_validation_texts(self, client, auth_headers, fields, told):
        """The document's three texts, each beside the field that it is about."""
        answer = client.post(f"{TTS}/generate", headers=auth_headers, json=fields)
        assert answer.status_code == 422
        assert [(fault["pointer"], fault["detail"]) for fault in answer.get_json()["errors"]] == [("/text", told)]

    @pytest.mark.parametrize(
        "field", [{"speed": 99}, {"speed": 0.4}, {"pitch": 10.5}, {"pitch": -11}, {"output_format": "exe"}]
    )
    def test_bounds_reject(self, client, auth_headers, field):
        """Validators refuse what is out of bounds, which today's library no longer does with the document's."""
        answer = client.post(f"{TTS}/generate", headers=auth_headers, json={"text": "test", **field})
        assert [fault["pointer"] for fault in answer.get_json()["errors"]] == [f"/{next(iter(field))}"]

    @pytest.mark.parametrize(
        "field", [{}, {"speed": 0.5}, {"speed": 2.0}, {"pitch": -10}, {"pitch": 10.0}, {"output_format": "mp3"}]
    )
    def test_bounds_accept(self, client, auth_headers, field):
        """The bounds themselves are within, and everything but the text has a default."""
        answer = client.post(f"{TTS}/generate", headers=auth_headers, json={"text": "test", **field})
        assert answer.status_code == 202


def test_limits_can_be_read(client, auth_headers):
    """The document's shape for each of its endpoints; reading spends nothing."""
    client.post(f"{TTS}/generate", headers=auth_headers, json={"text": "test"})
    for _ in range(2):
        limits = client.get(f"{V1}/limits", headers=auth_headers).get_json()
        expected = {"current_count": 1, "limit": 10, "remaining": 9}
        assert expected.items() <= limits[f"{TTS}/generate"].items()
        assert {"limit": 100, "current_count": 0}.items() <= limits[f"{TTS}/status"].items()


def test_status_is_limited_apart(client, auth_headers):
    """A hundred looks a minute, whatever was generated."""
    answer = client.get(f"{TTS}/status", headers=auth_headers)
    assert answer.status_code == 200
    assert '"tts-status";q=100;w=60' in answer.headers["RateLimit-Policy"]


@pytest.mark.parametrize(("tier", "quota"), [("standard", 100), ("premium", 1000)])
def test_tiers_have_the_documents_limits(client, ann, auth_headers, services, tier, quota):
    """A standard and a premium account, from the next request."""
    services.accounts.set_tier(ann["user_id"], tier)
    answer = client.get(f"{TTS}/voices", headers=auth_headers)
    assert f"q={quota};w=60" in answer.headers["RateLimit-Policy"]


def test_login_is_recorded_in_the_documents_fields(client, join, events):
    """Both outcomes are events with its names."""
    joined = join()
    client.post(f"{AUTH}/login", json=LOGIN | {"password": "wrong password"}, headers={"User-Agent": "phone"})
    success, failure = (fields for name, fields in events if name == "login")
    assert {"user_id": joined["user_id"], "ip_address": "127.0.0.1", "success": True}.items() <= success.items()
    assert {"username": "testuser", "user_agent": "phone", "success": False}.items() <= failure.items()


def test_use_of_a_key_is_recorded(client, ann, events):
    """Who, what and from where."""
    client.get(f"{TTS}/voices", headers={"X-API-Key": ann["api_key"]})
    name, fields = events[-1]
    assert name == "api_key_usage"
    expected = {"user_id": ann["user_id"], "endpoint": f"{TTS}/voices", "ip_address": "127.0.0.1"}
    assert expected.items() <= fields.items()


def test_refusal_over_a_limit_is_recorded_once(client, ann, auth_headers, events):
    """The first refusal of a window is an event; an attacker cannot fill the log with the rest."""
    for _ in range(15):
        client.post(f"{TTS}/generate", headers=auth_headers, json={"text": "test"})
    told = [fields for name, fields in events if name == "rate_limit_exceeded"]
    assert len(told) == 1
    assert {"user_id": ann["user_id"], "endpoint": f"{TTS}/generate"}.items() <= told[0].items()
