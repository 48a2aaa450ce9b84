"""The own sessions over HTTP: seen and ended by their owner alone."""

import pytest
from tests.support.service import ANN, V1, bearer

SESSIONS = f"{V1}/auth/sessions"
ME = f"{V1}/auth/me"
REFRESH = f"{V1}/auth/refresh"


@pytest.fixture
def phone(client, ann):
    """A second session of ann, with a name and an address of its own."""
    answer = client.post(
        f"{V1}/auth/login",
        json={name: ANN[name] for name in ("username", "password")},
        headers={"User-Agent": "phone/1 " + "x" * 900},
        environ_base={"REMOTE_ADDR": "203.0.113.9"},
    )
    return answer.get_json()


@pytest.fixture
def listed(client, auth_headers):
    """Give the sessions that are listed."""

    def call():
        answer = client.get(SESSIONS, headers=auth_headers)
        assert answer.status_code == 200
        return answer.get_json()["sessions"]

    return call


def status(client, tokens):
    return client.get(ME, headers=bearer(tokens["access_token"])).status_code


class TestList:
    def test_200_tells_each_and_which_is_this(self, clock, listed, auth_headers, client, ann):
        """Newest first; the device is bounded, and no token is told."""
        clock.advance(5)
        client.post(
            f"{V1}/auth/login",
            json={name: ANN[name] for name in ("username", "password")},
            headers={"User-Agent": "phone/1 " + "x" * 900},
            environ_base={"REMOTE_ADDR": "203.0.113.9"},
        )
        phone, this = listed()
        told = {"id", "device", "address", "created_at", "last_seen_at", "expires_at", "idle_expires_at", "is_current"}
        assert phone.keys() == told
        assert (phone["device"], phone["address"]) == ("phone/1 " + "x" * 192, "203.0.113.9")
        assert (phone["created_at"], phone["expires_at"]) == ("2027-01-15T08:00:05Z", "2027-02-14T08:00:05Z")
        assert (phone["last_seen_at"], phone["idle_expires_at"]) == ("2027-01-15T08:00:05Z", "2027-01-22T08:00:05Z")
        assert (this["address"], this["is_current"], phone["is_current"]) == ("127.0.0.1", True, False)
        assert ann["refresh_token"] not in client.get(SESSIONS, headers=auth_headers).text

    def test_200_without_those_of_others(self, listed, ann, bob_headers):
        """A list belongs to one account."""
        assert len(listed()) == 1


class TestEndOne:
    def test_204_and_its_tokens_are_dead(self, client, ann, phone, auth_headers, listed, events):
        """Access and refresh, from the next request; a lost answer can be asked for again."""
        (session_id,) = [each["id"] for each in listed() if not each["is_current"]]
        for _ in range(2):
            answer = client.delete(f"{SESSIONS}/{session_id}", headers=auth_headers)
            assert (answer.status_code, answer.data) == (204, b"")
        assert (status(client, phone), status(client, ann)) == (401, 200)
        refreshed = client.post(REFRESH, headers=bearer(phone["refresh_token"]))
        assert refreshed.get_json()["code"] == "TOKEN_REVOKED"
        assert len(listed()) == 1
        assert dict(events)["authn_token_revoked"]["session_id"] == session_id

    def test_204_this_one(self, client, ann, auth_headers, listed):
        """Ending the session that asks is a logout."""
        assert client.delete(f"{SESSIONS}/{listed()[0]['id']}", headers=auth_headers).status_code == 204
        assert status(client, ann) == 401

    @pytest.mark.parametrize("session_id", [None, "0" * 32, "%00", "%ff", "x" * 300])
    def test_404_of_another_or_of_nobody(self, client, ann, listed, bob_headers, session_id):
        """Nobody learns whether another's session exists, and it lives on."""
        session_id = session_id or listed()[0]["id"]
        answer = client.delete(f"{SESSIONS}/{session_id}", headers=bob_headers)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "SESSION_NOT_FOUND")
        assert status(client, ann) == 200


class TestEndAll:
    @pytest.mark.parametrize("query", ["", "?all=false"])
    def test_200_ends_all_others(self, client, ann, phone, auth_headers, bob_headers, events, query):
        """This session and its refresh token go on, and so do keys and others' sessions."""
        answer = client.delete(SESSIONS + query, headers=auth_headers)
        assert answer.get_json() == {"message": "Every other session has ended", "ended": 1}
        assert (status(client, phone), status(client, ann)) == (401, 200)
        assert client.post(REFRESH, headers=bearer(ann["refresh_token"])).status_code == 200
        assert client.get(ME, headers={"X-API-Key": ann["api_key"]}).status_code == 200
        assert client.get(ME, headers=bob_headers).status_code == 200
        assert client.delete(SESSIONS, headers=auth_headers).get_json()["ended"] == 0
        assert dict(events)["authn_token_revoked"]["user_id"] == ann["user_id"]

    def test_200_ends_this_one_too(self, client, ann, phone, auth_headers):
        """With ?all=true nothing but keys is left."""
        answer = client.delete(f"{SESSIONS}?all=true", headers=auth_headers)
        assert answer.get_json() == {"message": "Every session has ended", "ended": 2}
        assert (status(client, phone), status(client, ann)) == (401, 401)
        assert client.get(ME, headers={"X-API-Key": ann["api_key"]}).status_code == 200

    @pytest.mark.parametrize("query", ["all", "all=1", "all=TRUE", "all=true&all=false", "all=%00"])
    def test_400_neither_true_nor_false(self, client, ann, phone, auth_headers, query):
        """What is meant is not guessed, and nothing ends."""
        assert client.delete(f"{SESSIONS}?{query}", headers=auth_headers).status_code == 400
        assert (status(client, phone), status(client, ann)) == (200, 200)


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("DELETE", "/" + "0" * 32)])
class TestWho:
    def test_403_api_key(self, client, ann, method, path):
        """A key neither sees nor ends sessions."""
        answer = client.open(SESSIONS + path, method=method, headers={"X-API-Key": ann["api_key"]})
        assert (answer.status_code, answer.get_json()["code"]) == (403, "INSUFFICIENT_SCOPE")

    def test_401_refresh_token_or_nothing(self, client, ann, method, path):
        """Only an access token opens these routes."""
        for headers in ({}, bearer(ann["refresh_token"])):
            assert client.open(SESSIONS + path, method=method, headers=headers).status_code == 401
