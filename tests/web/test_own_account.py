"""The own account over HTTP: deleted by its owner, and its sessions ended up to a time."""

import pytest
from tests.support.service import ANN, V1, bearer

from voxgate.accounts.audit import EventFilter

ME = f"{V1}/auth/me"
SESSIONS = f"{V1}/auth/sessions"
PASSWORD = {"password": ANN["password"]}


class TestDelete:
    def test_204_ends_everything(self, client, ann, auth_headers, speak, events):
        """Tokens, key and jobs; and the name is free."""
        audio_url = speak()["audio_url"]
        assert client.delete(ME, headers=auth_headers, json=PASSWORD).status_code == 204
        assert client.get(ME, headers=auth_headers).get_json()["code"] == "TOKEN_REVOKED"
        keyed = client.get(ME, headers={"X-API-Key": ann["api_key"]})
        assert keyed.get_json()["code"] == "API_KEY_INVALID"
        login = client.post(f"{V1}/auth/login", json={name: ANN[name] for name in ("username", "password")})
        assert login.get_json()["code"] == "INVALID_CREDENTIALS"
        again = client.post(f"{V1}/auth/register", json=ANN).get_json()
        assert client.get(audio_url, headers={"X-API-Key": again["api_key"]}).status_code == 404
        assert dict(events)["user_deleted"]["user_id"] == ann["user_id"]

    def test_204_leaves_no_event_that_leads_to_anybody(self, client, ann, auth_headers, speak, services):
        """What happened stays for who looks after the service, the deletion too; id, names and address go."""
        speak()
        client.post(f"{V1}/auth/login", json={"username": ANN["username"], "password": "something else"})
        client.delete(ME, headers=auth_headers, json=PASSWORD)
        services.audit.flush()
        told = services.audit.read(EventFilter())
        assert {"login", "tts_job_submitted", "user_deleted"} <= {each.name for each in told}
        for personal in (ann["user_id"], ANN["username"], ANN["email"], "127.0.0.1"):
            assert [each for each in told if personal in str(each)] == []

    def test_204_removes_jobs_that_wait(self, client, ann, auth_headers, services):
        """Nobody speaks a text of an account that is gone."""
        for text in ("One.", "Two."):
            client.post(f"{V1}/tts/generate", headers=auth_headers, json={"text": text})
        client.delete(ME, headers=auth_headers, json=PASSWORD)
        assert services.jobs.list(ann["user_id"]).jobs == ()
        assert services.jobs.claim("test") is None

    def test_403_wrong_password(self, client, auth_headers, events):
        """A stolen token deletes nothing, and the attempt is told."""
        answer = client.delete(ME, headers=auth_headers, json={"password": "something else"})
        assert (answer.status_code, answer.get_json()["code"]) == (403, "WRONG_PASSWORD")
        assert client.get(ME, headers=auth_headers).status_code == 200
        assert dict(events)["user_deleted"]["success"] is False

    def test_429_guessing(self, client, auth_headers):
        """Guesses are limited as at login."""
        for _ in range(3):
            client.delete(ME, headers=auth_headers, json={"password": "something else"})
        answer = client.delete(ME, headers=auth_headers, json=PASSWORD)
        assert (answer.status_code, answer.get_json()["code"]) == (429, "RATE_LIMITED")
        assert client.get(ME, headers=auth_headers).status_code == 200

    @pytest.mark.parametrize("body", [{}, {"password": None}, {"password": "x", "id": "y"}])
    def test_422_without_the_proof(self, client, auth_headers, body):
        """The password and nothing else."""
        assert client.delete(ME, headers=auth_headers, json=body).status_code == 422

    def test_403_api_key(self, client, ann):
        """A key cannot delete its account."""
        assert client.delete(ME, headers={"X-API-Key": ann["api_key"]}, json=PASSWORD).status_code == 403


class TestCutoff:
    def test_200_ends_what_is_older_but_not_the_one_that_asks(self, client, ann, auth_headers, clock):
        """The latest cut holds, in whatever order they come."""
        tokens = []
        for _ in range(2):
            clock.advance(60)
            login = client.post(f"{V1}/auth/login", json={name: ANN[name] for name in ("username", "password")})
            tokens.append(bearer(login.get_json()["access_token"]))
        counts = [
            client.delete(SESSIONS, headers=auth_headers, query_string={"before": before}).get_json()["ended"]
            for before in ("2027-01-15T08:01:30Z", "2027-01-15T08:00:30Z", "2027-01-15T08:01:30Z")
        ]
        assert counts == [1, 0, 0]
        assert [client.get(ME, headers=each).status_code for each in (auth_headers, *tokens)] == [200, 401, 200]

    @pytest.mark.parametrize(
        "query", ["before=soon", "before=", "before=2099-01-01", "before=2027-01-01&before=2027-01-01"]
    )
    def test_400_no_moment(self, client, auth_headers, query):
        """One moment that has been."""
        answer = client.delete(f"{SESSIONS}?{query}", headers=auth_headers)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("terms", "pointer"),
    [
        ({"allowed_networks": ["192.0.2.7/24"]}, "/allowed_networks/0"),
        ({"allowed_networks": "192.0.2.0/24"}, "/allowed_networks"),
        ({"allowed_networks": ["192.0.2.7"] * 33}, "/allowed_networks"),
        ({"limits": {"login": "1/minute"}}, "/limits/login"),
        ({"limits": {"*": None}}, "/limits/*"),
        ({"limits": ["1/minute"]}, "/limits"),
        ({"limits": {"x" * 99: "1/minute"}}, f"/limits/{'x' * 99}"),
    ],
)
def test_422_terms_of_a_key(client, auth_headers, terms, pointer):
    """Networks and limits are judged before a key is made."""
    answer = client.post(f"{V1}/auth/api-keys", headers=auth_headers, json={"name": "x", **terms})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"].startswith(pointer[:100])
