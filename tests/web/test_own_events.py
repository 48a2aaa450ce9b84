"""The own security events over HTTP: everything about the account, nothing about another."""

import pytest
from tests.support.service import ANN, BOB, V1, bearer

from voxgate.web import own_events

EVENTS = f"{V1}/auth/events"


@pytest.fixture
def listed(client, auth_headers, services):
    """Give the events that are listed, once what waits is written down."""

    def call(address=EVENTS):
        services.audit.flush()
        answer = client.get(address, headers=auth_headers)
        assert answer.status_code == 200
        return answer.get_json()

    return call


def guess(client, name, address="203.0.113.9"):
    body = {"username": name, "password": "not the password"}
    environ = {"REMOTE_ADDR": address}
    assert client.post(f"{V1}/auth/login", json=body, environ_base=environ).status_code == 401


def names(page):
    return [each["event"] for each in page["events"]]


class TestOwn:
    def test_200_tells_what_happened_newest_first(self, client, ann, auth_headers, listed, clock):
        """Who came from where with what, in documented fields alone."""
        clock.advance(5)
        made = client.post(f"{V1}/auth/api-keys", headers=auth_headers, json={"name": "laptop"})
        newest, *_, oldest = listed()["events"]
        assert (newest["event"], newest["key_id"]) == ("authn_token_created", made.get_json()["id"])
        assert (newest["at"], newest["address"]) == ("2027-01-15T08:00:05Z", "127.0.0.1")
        assert newest["request_id"] == made.headers["X-Request-ID"]
        assert (oldest["event"], oldest["by"], oldest["repeats"]) == ("user_created", None, 0)
        (login,) = [each for each in listed()["events"] if each["event"] == "login"]
        assert (login["success"], login["device"]) == (True, "Werkzeug/" + login["device"].partition("/")[2])

    @pytest.mark.parametrize("name", [ANN["username"], ANN["email"], ANN["username"].upper()])
    def test_200_tells_of_guesses_at_the_own_name(self, client, ann, listed, name):
        """By whatever of its names the account was tried, with the address of who tried."""
        guess(client, name)
        newest = listed()["events"][0]
        assert (newest["event"], newest["success"], newest["address"]) == ("login", False, "203.0.113.9")

    def test_200_tells_who_else_did_it_but_not_which_one(self, services, ann, listed):
        """The operator and an administrator are told apart; no id of an administrator leaves."""
        for by in ("cli", "6f" * 16):
            services.audit.note("user_updated", {"user_id": ann["user_id"], "by": by})
        page = listed()
        assert [each["by"] for each in page["events"][:2]] == ["administrator", "operator"]
        assert "6f6f" not in str(page)

    def test_200_pages_hold_every_event_once(self, client, ann, listed, monkeypatch):
        """Following `next` ends, and nothing is told twice or left out."""
        for _ in range(2):
            guess(client, ANN["username"])
        everything = listed()
        assert everything["next"] is None
        monkeypatch.setattr(own_events, "PAGE_EVENTS", 2)
        pages = [listed()]
        while pages[-1]["next"]:
            pages.append(listed(pages[-1]["next"]))
        assert [each for page in pages for each in page["events"]] == everything["events"]
        assert all(len(page["events"]) <= 2 for page in pages)


class TestOthers:
    def test_200_nothing_of_another(self, client, ann, bob_headers, listed):
        """Neither what others do nor what happens to them."""
        before = names(listed())
        guess(client, BOB["username"])
        client.post(f"{V1}/auth/api-keys", headers=bob_headers, json={"name": "laptop"})
        assert names(listed()) == before

    def test_200_a_name_that_is_the_id_of_another_shows_nothing_of_it(self, client, services, ann, listed):
        """Whoever calls himself like an id reads the own events."""
        mallory = {"username": ann["user_id"], "email": "m@example.com", "password": "password123"}
        client.post(f"{V1}/auth/register", json=mallory)
        login = client.post(f"{V1}/auth/login", json={k: mallory[k] for k in ("username", "password")})
        services.audit.flush()
        answer = client.get(EVENTS, headers=bearer(login.get_json()["access_token"]))
        assert sorted(names(answer.get_json())) == ["authn_login_new_device", "login", "user_created"]
        assert len(listed()["events"]) == 3

    def test_200_nothing_from_before_the_account(self, client, services, clock, join):
        """A name that was another's once brings no address of its guesses along."""
        guess(client, ANN["username"])
        clock.advance(60)
        headers = bearer(join()["access_token"])
        services.audit.flush()
        told = client.get(EVENTS, headers=headers).get_json()["events"]
        assert {each["address"] for each in told} == {"127.0.0.1"}

    def test_200_jobs_are_listed_elsewhere(self, client, ann, auth_headers, listed):
        """A busy account still sees its logins."""
        before = names(listed())
        client.post(f"{V1}/tts/generate", headers=auth_headers, json={"text": "Hello."})
        assert names(listed()) == before


class TestRefused:
    @pytest.mark.parametrize("before", ["", "x", "-1", "1.5", "%00", "%D9%A1", "9" * 19])
    def test_400_no_such_page(self, client, auth_headers, before):
        """What no page has said is no place in the list."""
        answer = client.get(f"{EVENTS}?before={before}", headers=auth_headers)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "BAD_REQUEST")

    def test_403_api_key(self, client, ann):
        """A key in a pipeline does not read where its owner logs in."""
        answer = client.get(EVENTS, headers={"X-API-Key": ann["api_key"]})
        assert (answer.status_code, answer.get_json()["code"]) == (403, "INSUFFICIENT_SCOPE")

    def test_401_nobody(self, client, ann):
        """Nor does whoever shows nothing, or a refresh token."""
        for headers in ({}, bearer(ann["refresh_token"])):
            assert client.get(EVENTS, headers=headers).status_code == 401

    def test_401_account_is_gone(self, client, auth_headers, services, monkeypatch):
        """A credential that outlived its account lists nothing."""
        monkeypatch.setattr(type(services.accounts), "find", lambda *_: None)
        assert client.get(EVENTS, headers=auth_headers).get_json()["code"] == "INVALID_TOKEN"
