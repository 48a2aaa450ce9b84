"""Accounts and sessions over HTTP: register, log in, refresh, end, and who is refused."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.service import ANN, BOB, V1, bearer

REGISTER = f"{V1}/auth/register"
LOGIN = f"{V1}/auth/login"
REFRESH = f"{V1}/auth/refresh"
LOGOUT = f"{V1}/auth/logout"
REVOKE = f"{V1}/auth/revoke"
API_KEY = f"{V1}/auth/api-key"
ME = f"{V1}/auth/me"


def log_in(client, username="testuser", password="password123", **kwargs):
    return client.post(LOGIN, json={"username": username, "password": password}, **kwargs)


class TestRegister:
    def test_201_names_the_account_and_its_key(self, client):
        """A registration answers the three fields of the document and may not be stored."""
        answer = client.post(REGISTER, json=ANN)
        assert answer.status_code == 201
        body = answer.get_json()
        assert body.keys() == {"message", "user_id", "api_key"}
        assert body["message"] == "User created successfully"
        assert body["api_key"].startswith("sk-vg_")
        assert answer.headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("form", ["X-API-Key", "bearer"])
    def test_first_key_works_at_once(self, client, form):
        """The key of the registration opens a route, in both headers that clients use."""
        key = client.post(REGISTER, json=ANN).get_json()["api_key"]
        headers = bearer(key) if form == "bearer" else {"X-API-Key": key}
        assert client.get(ME, headers=headers).get_json()["username"] == "testuser"

    @pytest.mark.parametrize("name", ["username", "email", "password"])
    @pytest.mark.parametrize("value", [None, "", "absent"])
    def test_400_missing_field(self, client, name, value):
        """A field that is absent, null or empty is missing."""
        body = {**ANN, name: value}
        if value == "absent":
            del body[name]
        answer = client.post(REGISTER, json=body)
        assert answer.status_code == 400
        assert answer.get_json()["error"] == "Missing required fields"
        assert answer.get_json()["code"] == "MISSING_FIELDS"

    @pytest.mark.parametrize(
        ("change", "error", "code"),
        [
            ({"email": "other@example.com"}, "Username already exists", "USERNAME_TAKEN"),
            ({"username": "other"}, "Email already exists", "EMAIL_TAKEN"),
            ({"username": "TestUser", "email": "other@example.com"}, "Username already exists", "USERNAME_TAKEN"),
        ],
    )
    def test_409_taken(self, client, change, error, code):
        """A name and an address belong to one account, in any case."""
        client.post(REGISTER, json=ANN)
        answer = client.post(REGISTER, json={**ANN, **change})
        assert answer.status_code == 409
        assert (answer.get_json()["error"], answer.get_json()["code"]) == (error, code)

    def test_422_names_every_bad_field(self, client):
        """Values out of bounds are told together, without what was sent."""
        answer = client.post(REGISTER, json={"username": "a b", "email": "nobody", "password": "short"})
        assert answer.status_code == 422
        body = answer.get_json()
        assert {fault["pointer"] for fault in body["errors"]} == {"/username", "/email", "/password"}
        assert "short" not in str([fault["detail"] for fault in body["errors"] if fault["pointer"] == "/password"])

    @pytest.mark.parametrize("field", ["is_premium", "tier", "is_active", "id"])
    def test_422_mass_assignment(self, client, field):
        """Nobody makes himself premium."""
        assert client.post(REGISTER, json={**ANN, field: True}).status_code == 422

    def test_429_by_address(self, make_app):
        """An address registers so often and not more, whoever it claims to be."""
        client = make_app(ratelimit_register="2 per minute").test_client()
        statuses = [
            client.post(REGISTER, json={**ANN, "username": f"user{n}", "email": f"u{n}@example.com"}).status_code
            for n in range(3)
        ]
        assert statuses == [201, 201, 429]

    def test_race_has_one_winner(self, app):
        """Of twenty racing registrations one gives 201 and nineteen 409."""
        with ThreadPoolExecutor(20) as pool:
            statuses = list(pool.map(lambda _: app.test_client().post(REGISTER, json=ANN).status_code, range(20)))
        assert sorted(statuses) == [201, *[409] * 19]

    def test_event_names_the_account(self, client, events):
        """A registration is an event, without any secret."""
        body = client.post(REGISTER, json=ANN).get_json()
        fields = dict(events)["user_created"]
        assert fields["user_id"] == body["user_id"]
        assert body["api_key"] not in str(events)


class TestLogin:
    def test_200_gives_tokens_and_account(self, client):
        """A login answers the documented fields and may not be stored."""
        user_id = client.post(REGISTER, json=ANN).get_json()["user_id"]
        answer = log_in(client)
        assert answer.status_code == 200
        body = answer.get_json()
        tokens = {"access_token", "refresh_token", "token_type", "expires_in", "refresh_expires_in"}
        assert body.keys() == tokens | {"user"}
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
        assert body["user"] == {
            "id": user_id,
            "username": "testuser",
            "email": "test@example.com",
            "tier": "standard",
            "is_premium": False,
            "is_active": True,
            "created_at": "2027-01-15T08:00:00Z",
        }
        assert answer.headers["Cache-Control"] == "no-store"

    def test_200_by_email(self, client):
        """The address is as good as the name."""
        client.post(REGISTER, json=ANN)
        assert log_in(client, "test@example.com").status_code == 200

    @pytest.mark.parametrize("body", [{}, {"username": "testuser"}, {"username": "", "password": "x"}, []])
    def test_400_missing(self, client, body):
        """Without a name or a password there is nothing to check."""
        answer = client.post(LOGIN, json=body)
        assert answer.status_code == 400
        assert answer.get_json()["error"] == "Username and password required"

    def test_401_is_the_same_for_unknown_and_wrong(self, client):
        """Nobody learns whether an account exists."""
        client.post(REGISTER, json=ANN)
        wrong, unknown = log_in(client, password="wrong password"), log_in(client, "nobody")
        assert wrong.status_code == unknown.status_code == 401
        assert wrong.get_json()["error"] == "Invalid credentials"
        assert wrong.headers["WWW-Authenticate"] == "Bearer"
        same = [{**each.get_json(), "instance": ""} for each in (wrong, unknown)]
        assert same[0] == same[1]

    def test_401_disabled_only_after_the_right_password(self, client, services):
        """That an account is disabled is told only to who knows its password."""
        subject = client.post(REGISTER, json=ANN).get_json()["user_id"]
        services.accounts.set_active(subject, False)
        right, wrong = log_in(client), log_in(client, password="wrong password")
        assert (right.status_code, right.get_json()["error"]) == (401, "Account is disabled")
        assert right.get_json()["code"] == "ACCOUNT_DISABLED"
        assert (wrong.status_code, wrong.get_json()["error"]) == (401, "Invalid credentials")

    def test_422_wrong_types(self, client):
        """A list is no password."""
        assert log_in(client, ["testuser"], {"$ne": ""}).status_code == 422

    def test_429_by_address_and_account(self, client):
        """Three guesses at one account from one address; other accounts are not affected, and waiting helps."""
        client.post(REGISTER, json=BOB)
        assert [log_in(client).status_code for _ in range(4)] == [401, 401, 401, 429]
        assert log_in(client, "TESTUSER").status_code == 429
        assert log_in(client, "bob", "correct horse").status_code == 200

    def test_429_names_its_policy_and_when(self, client, clock):
        """Waiting exactly as long as the answer says is enough."""
        client.post(REGISTER, json=ANN)
        for _ in range(3):
            log_in(client, password="wrong password")
        refused = log_in(client)
        body = refused.get_json()
        assert body["violated-policies"] == ["login"]
        assert body["message"].startswith("Too many requests. Limit: 3 per 1 minute")
        clock.advance(body["retry_after"])
        assert log_in(client).status_code == 200

    def test_owner_is_not_locked_out_by_another_address(self, client):
        """Guesses from one address cost that address alone."""
        client.post(REGISTER, json=ANN)
        for _ in range(4):
            log_in(client, password="wrong password", environ_base={"REMOTE_ADDR": "203.0.113.9"})
        assert log_in(client).status_code == 200

    def test_429_by_address_over_many_accounts(self, make_app):
        """Spraying one password over many accounts is limited too, and the refusal spends nothing else."""
        client = make_app(ratelimit_login_address="5 per minute").test_client()
        statuses = [log_in(client, f"user{n}").status_code for n in range(7)]
        assert statuses == [401] * 5 + [429] * 2

    def test_503_when_too_many_hash(self, client, services, monkeypatch):
        """A flood of logins is turned away, not piled up."""
        from voxgate.accounts.passwords import HASHING_BUSY  # noqa: PLC0415

        monkeypatch.setattr(type(services.hasher), "verify", lambda *_args, **_kwargs: HASHING_BUSY)
        answer = log_in(client)
        assert (answer.status_code, answer.get_json()["code"]) == (503, "HASHING_BUSY")
        assert answer.headers["Retry-After"] == "1"

    def test_events_tell_success_and_failure(self, client, events):
        """Both ends of a login are events with the document's fields, without the password."""
        client.post(REGISTER, json=ANN)
        log_in(client, password="wrong password", headers={"User-Agent": "pytest"})
        log_in(client)
        failed, succeeded = [fields for name, fields in events if name == "login"]
        assert (failed["success"], failed["username"]) == (False, "testuser")
        assert (failed["user_agent"], failed["ip_address"]) == ("pytest", "127.0.0.1")
        assert succeeded["success"]
        assert succeeded["user_id"]
        assert "password" not in str(events)

    def test_session_that_lost_a_race_is_refused(self, client, services, monkeypatch):
        """An account that is disabled between the check and the session gets none."""
        subject = client.post(REGISTER, json=ANN).get_json()["user_id"]
        monkeypatch.setattr(
            "voxgate.web.sessions.check_login",
            lambda *_args, **_kwargs: (services.accounts.find(subject), services.accounts.set_active(subject, False))[
                0
            ],
        )
        assert log_in(client).status_code == 401


class TestRefresh:
    def test_200_gives_a_new_access_token(self, client, ann):
        """A refresh token gives an access token that works."""
        answer = client.post(REFRESH, headers=bearer(ann["refresh_token"]))
        assert answer.status_code == 200
        body = answer.get_json()
        tokens = {"access_token", "refresh_token", "token_type", "expires_in", "refresh_expires_in"}
        assert body.keys() == tokens | {"message"}
        assert answer.headers["Cache-Control"] == "no-store"
        assert client.get(ME, headers=bearer(body["access_token"])).status_code == 200

    def test_401_access_token(self, client, ann):
        """An access token is no refresh token."""
        answer = client.post(REFRESH, headers=bearer(ann["access_token"]))
        assert (answer.status_code, answer.get_json()["code"]) == (401, "INVALID_TOKEN")

    def test_401_after_logout(self, client, ann):
        """Logout kills the refresh token too."""
        client.post(LOGOUT, headers=bearer(ann["access_token"]))
        answer = client.post(REFRESH, headers=bearer(ann["refresh_token"]))
        assert (answer.status_code, answer.get_json()["code"]) == (401, "TOKEN_REVOKED")

    def test_401_after_the_session(self, client, ann, clock, services):
        """A session ends by itself."""
        clock.advance(services.settings.jwt_refresh_token_expires_s)
        answer = client.post(REFRESH, headers=bearer(ann["refresh_token"]))
        assert (answer.status_code, answer.get_json()["code"]) == (401, "TOKEN_EXPIRED")

    def test_401_when_sql_says_ended(self, client, ann, services):
        """What the source of truth refuses is refused, whatever the gate knew."""
        with services.database.session() as session:
            session.connection().exec_driver_sql("UPDATE user_sessions SET ended_at_ms = 1")
        assert client.post(REFRESH, headers=bearer(ann["refresh_token"])).get_json()["code"] == "TOKEN_REVOKED"


class TestEnd:
    @pytest.mark.parametrize(("path", "message"), [(LOGOUT, "Successfully logged out"), (REVOKE, "Token revoked")])
    def test_200_and_the_token_is_dead(self, client, ann, events, path, message):
        """Ending a session holds from the next request; the API key lives on."""
        headers = bearer(ann["access_token"])
        answer = client.post(path, headers=headers)
        assert (answer.status_code, answer.get_json()) == (200, {"message": message})
        again = client.post(path, headers=headers)
        assert (again.status_code, again.get_json()["code"]) == (401, "TOKEN_REVOKED")
        assert client.get(ME, headers={"X-API-Key": ann["api_key"]}).status_code == 200
        assert dict(events)["authn_token_revoked"]["user_id"] == ann["user_id"]

    def test_other_sessions_live_on(self, client, ann):
        """A logout ends one session."""
        other = log_in(client).get_json()
        client.post(LOGOUT, headers=bearer(ann["access_token"]))
        assert client.get(ME, headers=bearer(other["access_token"])).status_code == 200

    @pytest.mark.parametrize("path", [LOGOUT, REVOKE, API_KEY])
    def test_403_api_key(self, client, ann, path):
        """An API key does not manage the account."""
        answer = client.post(path, headers={"X-API-Key": ann["api_key"]})
        assert (answer.status_code, answer.get_json()["code"]) == (403, "INSUFFICIENT_SCOPE")


class TestApiKey:
    def test_200_makes_one_more_key(self, client, ann, events):
        """The new key works, and the first one still does."""
        answer = client.post(API_KEY, headers=bearer(ann["access_token"]))
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        key = answer.get_json()["api_key"]
        assert key != ann["api_key"]
        for each in (key, ann["api_key"]):
            assert client.get(ME, headers={"X-API-Key": each}).status_code == 200
        assert key not in str(events)

    def test_401_account_is_gone(self, client, ann, services, monkeypatch):
        """A credential that outlived its account makes nothing."""
        from voxgate.gate.errors import Refusal  # noqa: PLC0415

        monkeypatch.setattr(type(services.api_keys), "create", lambda *_args, **_kwargs: Refusal("ACCOUNT_UNKNOWN"))
        assert client.post(API_KEY, headers=bearer(ann["access_token"])).status_code == 401


class TestMe:
    def test_200_is_the_account_of_the_login(self, client, ann):
        """The account is told the same everywhere."""
        assert client.get(ME, headers=bearer(ann["access_token"])).get_json() == ann["user"]

    def test_tier_holds_from_the_next_request(self, client, ann, services):
        """A change of tier needs no new login."""
        services.accounts.set_tier(ann["user_id"], "premium")
        answer = client.get(ME, headers=bearer(ann["access_token"]))
        assert answer.get_json()["is_premium"]
        assert '"premium";q=1000;w=60' in answer.headers["RateLimit-Policy"]

    def test_401_nothing_shown(self, client):
        """Without a credential there is only the challenge."""
        answer = client.get(ME)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.get_json()["error"] == "Access token required"

    @pytest.mark.parametrize("token", ["x", "a.b.c", "sk-vg_nonsense", "vgr_nonsense"])
    def test_401_malformed(self, client, token):
        """What cannot be a token is refused with the reason."""
        answer = client.get(ME, headers=bearer(token))
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]

    def test_401_expired(self, client, ann, clock):
        """An access token ends after its fifteen minutes."""
        clock.advance(901)
        answer = client.get(ME, headers=bearer(ann["access_token"]))
        assert (answer.status_code, answer.get_json()["message"]) == (401, "Token has expired")

    def test_403_disabled_afterwards(self, client, ann, services):
        """A disabled account is refused at once, with a token that was good."""
        services.accounts.set_active(ann["user_id"], False)
        answer = client.get(ME, headers=bearer(ann["access_token"]))
        assert (answer.status_code, answer.get_json()["error"]) == (403, "Account disabled")

    def test_401_account_is_gone(self, client, ann, services, monkeypatch):
        """A credential that outlived its account shows nobody."""
        monkeypatch.setattr(type(services.accounts), "find", lambda *_: None)
        assert client.get(ME, headers=bearer(ann["access_token"])).status_code == 401

    def test_400_two_credentials(self, client, ann):
        """Who shows two credentials is asked for one."""
        headers = {**bearer(ann["access_token"]), "X-API-Key": ann["api_key"]}
        answer = client.get(ME, headers=headers)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "INVALID_REQUEST")
