"""Other accounts and tiers over HTTP: for administrators alone, and from the next request."""

import pytest
from tests.support.service import ANN, V1, bearer

from voxgate.web.operations import OPERATIONS

ADMIN = f"{V1}/admin"
LIMITS = f"{V1}/limits"
ME = f"{V1}/auth/me"
STATUS = f"{V1}/tts/status"
ROUTES = [each for each in OPERATIONS if each.path.startswith(ADMIN)]


@pytest.fixture
def root_headers(client, services):
    """Log in somebody who is an administrator."""
    who = {"username": "root", "email": "root@example.com", "password": "password123"}
    subject = client.post(f"{V1}/auth/register", json=who).get_json()["user_id"]
    services.accounts.set_role(subject, "admin", is_granted=True)
    login = client.post(f"{V1}/auth/login", json={"username": "root", "password": "password123"})
    return bearer(login.get_json()["access_token"])


@pytest.fixture
def change(client, root_headers, ann):
    """Change ann's account; gives the answer."""
    return lambda **terms: client.patch(f"{ADMIN}/users/{ann['user_id']}", headers=root_headers, json=terms)


@pytest.fixture
def limit_of(client):
    """Give one limit as its caller sees it."""
    return lambda headers, endpoint: client.get(LIMITS, headers=headers).get_json()[endpoint]


def path_of(operation, ann):
    return (
        operation.path.replace("{user_id}", ann["user_id"]).replace("{name}", "gold").replace("{session_id}", "0" * 32)
    )


@pytest.mark.parametrize("operation", ROUTES, ids=lambda each: f"{each.method} {each.path}")
class TestWho:
    def test_403_everybody_else(self, client, ann, auth_headers, events, operation):
        """An account is no administrator unless it was made one; the attempt is told."""
        for terms in ({}, {"is_active": False}):
            answer = client.open(path_of(operation, ann), method=operation.method, headers=auth_headers, json=terms)
            assert (answer.status_code, answer.get_json()["code"]) == (403, "ADMIN_REQUIRED")
        assert dict(events)["authz_fail"]["user_id"] == ann["user_id"]
        assert client.get(ME, headers=auth_headers).status_code == 200

    def test_403_api_key_of_an_administrator(self, client, ann, services, operation):
        """Keys lie in files and pipelines: none manages anything."""
        services.accounts.set_role(ann["user_id"], "admin", is_granted=True)
        answer = client.open(path_of(operation, ann), method=operation.method, headers={"X-API-Key": ann["api_key"]})
        assert (answer.status_code, answer.get_json()["code"]) == (403, "INSUFFICIENT_SCOPE")

    def test_401_nobody(self, client, ann, operation):
        """And who shows nothing is asked who it is."""
        assert client.open(path_of(operation, ann), method=operation.method).status_code == 401


def test_403_once_the_role_is_withdrawn(client, services, root_headers):
    """From the next request; and a role that there is not is refused."""
    assert client.get(f"{ADMIN}/users", headers=root_headers).status_code == 200
    subject = services.accounts.find_by_name("root").subject
    assert services.accounts.set_role(subject, "king", is_granted=True).code == "VALIDATION_FAILED"
    assert services.accounts.set_role(subject, "admin", is_granted=False).roles == frozenset()
    assert client.get(f"{ADMIN}/users", headers=root_headers).status_code == 403


def test_403_token_of_few_scopes(client, services, root_headers):
    """A session that was opened for reading speech is not one for everything."""
    subject = services.accounts.find_by_name("root").subject
    (session,) = services.sessions.list(subject)
    token = services.signer.issue_access(
        subject, session.session_id, scopes=frozenset({"tts:read"}), now_ms=services.clock.now_ms()
    )
    assert client.get(f"{ADMIN}/users", headers=bearer(token)).status_code == 403


class TestUsers:
    def test_200_lists_and_shows(self, client, root_headers, ann, clock, monkeypatch):
        """A page at a time, and never a password."""
        monkeypatch.setattr("voxgate.web.admin.PAGE_USERS", 1)
        names, path = [], f"{ADMIN}/users"
        while path:
            answer = client.get(path, headers=root_headers)
            assert "argon2" not in answer.text
            names += [each["username"] for each in answer.get_json()["users"]]
            path = answer.get_json()["next"]
        assert sorted(names) == ["root", "testuser"]
        shown = client.get(f"{ADMIN}/users/{ann['user_id']}", headers=root_headers).get_json()
        assert (shown["username"], shown["tier"], shown["limits"], shown["roles"]) == ("testuser", "standard", {}, [])

    @pytest.mark.parametrize("user_id", ["nobody", "0" * 32, "%00", "a%20b"])
    def test_404_unknown(self, client, root_headers, user_id):
        """Whatever stands where an id belongs."""
        for method, end, body in (
            ("GET", "", None),
            ("PATCH", "", {"tier": "premium"}),
            ("PATCH", "", {"is_active": True}),
            ("DELETE", "", None),
            ("DELETE", "/sessions", None),
        ):
            answer = client.open(f"{ADMIN}/users/{user_id}{end}", method=method, headers=root_headers, json=body)
            assert (answer.status_code, answer.get_json()["code"]) == (404, "ACCOUNT_UNKNOWN")

    def test_200_tier_holds_from_the_next_request(self, change, auth_headers, limit_of):
        """And limits follow it."""
        assert limit_of(auth_headers, "*")["limit"] == 100
        assert change(tier="premium").get_json()["is_premium"] is True
        assert limit_of(auth_headers, "*")["limit"] == 1000

    def test_200_disabling_ends_sessions_for_ever_and_keys_for_a_while(self, client, change, ann, auth_headers):
        """While it is disabled everything is 403; afterwards keys work again and old tokens never."""
        assert change(is_active=False).get_json()["is_active"] is False
        keyed = {"X-API-Key": ann["api_key"]}
        refreshed = client.post(f"{V1}/auth/refresh", headers=bearer(ann["refresh_token"]))
        codes = [client.get(ME, headers=each).get_json()["code"] for each in (auth_headers, keyed)]
        assert [*codes, refreshed.get_json()["code"]] == ["ACCOUNT_DISABLED"] * 3
        assert change(is_active=True).status_code == 200
        assert client.get(ME, headers=keyed).status_code == 200
        assert client.get(ME, headers=auth_headers).get_json()["code"] == "TOKEN_REVOKED"
        again = client.post(f"{V1}/auth/refresh", headers=bearer(ann["refresh_token"]))
        assert again.get_json()["code"] == "TOKEN_REVOKED"
        login = client.post(f"{V1}/auth/login", json={name: ANN[name] for name in ("username", "password")})
        assert login.status_code == 200

    def test_200_own_limits_hold_from_the_next_request(self, client, change, auth_headers, limit_of):
        """More or less than the tier's, for one policy or for every route without one, and back again."""
        changed = change(limits={"tts-status": "2 per minute", "*": "500 per minute"})
        assert changed.get_json()["limits"] == {"tts-status": "2 per 1 minute", "*": "500 per 1 minute"}
        assert limit_of(auth_headers, STATUS)["limit"] == 2
        assert limit_of(auth_headers, "*")["limit"] == 500
        assert [client.get(STATUS, headers=auth_headers).status_code for _ in range(3)] == [200, 200, 429]
        assert change(limits={"tts-status": "4 per minute"}).status_code == 200
        assert [client.get(STATUS, headers=auth_headers).status_code for _ in range(3)] == [200, 200, 429]
        assert change(limits={"tts-status": None, "*": None}).get_json()["limits"] == {}
        assert limit_of(auth_headers, STATUS)["limit"] == 100

    @pytest.mark.parametrize(
        "terms",
        [
            {},
            {"tier": "gold"},
            {"tier": None},
            {"roles": ["admin"]},
            {"limits": {"login": "9 per minute"}},
            {"limits": {"*": "many"}},
            {"limits": {"*": ""}},
            {"limits": {"*": "1 at once"}},
            {"limits": {"*": "0 per minute"}},
            {"limits": {"tts-status": "1 per minute;" * 90}},
        ],
    )
    def test_422_and_nothing_changes(self, client, change, root_headers, ann, terms):
        """Unknown tiers, policies and limits; and no role is given over HTTP."""
        assert change(**{**terms, **({"is_active": False} if terms else {})}).status_code == 422
        shown = client.get(f"{ADMIN}/users/{ann['user_id']}", headers=root_headers).get_json()
        assert (shown["is_active"], shown["tier"], shown["limits"], shown["roles"]) == (True, "standard", {}, [])

    def test_204_deletes(self, client, root_headers, ann, auth_headers, services):
        """The account, its tokens and its key are gone; once more is 404."""
        path = f"{ADMIN}/users/{ann['user_id']}"
        assert client.delete(path, headers=root_headers).status_code == 204
        assert client.get(ME, headers=auth_headers).status_code == 401
        assert client.get(ME, headers={"X-API-Key": ann["api_key"]}).status_code == 401
        assert client.delete(path, headers=root_headers).status_code == 404
        assert services.accounts.find_by_name("testuser") is None


class TestSessions:
    def test_200_lists_and_204_ends_one(self, client, root_headers, ann, auth_headers, bob_headers, events):
        """As their owner sees them; what is another's or nobody's is not found."""
        path = f"{ADMIN}/users/{ann['user_id']}/sessions"
        (session,) = client.get(path, headers=root_headers).get_json()["sessions"]
        assert (session["address"], session["is_current"]) == ("127.0.0.1", False)
        (own,) = client.get(f"{V1}/auth/sessions", headers=bob_headers).get_json()["sessions"]
        for missing in (f"{path}/{own['id']}", f"{path}/{'0' * 32}", f"{ADMIN}/users/nobody/sessions/{session['id']}"):
            assert client.delete(missing, headers=root_headers).status_code == 404
        assert client.get(f"{ADMIN}/users/nobody/sessions", headers=root_headers).status_code == 404
        assert client.get(ME, headers=auth_headers).status_code == 200
        for _ in range(2):
            assert client.delete(f"{path}/{session['id']}", headers=root_headers).status_code == 204
        assert client.get(ME, headers=auth_headers).status_code == 401
        assert client.get(ME, headers=bob_headers).status_code == 200
        assert client.get(path, headers=root_headers).get_json() == {"sessions": []}
        assert dict(events)["authn_token_revoked"]["session_id"] == session["id"]

    def test_200_ends_all_of_one_or_of_everybody(self, client, root_headers, ann, auth_headers, bob_headers):
        """With the one that asks."""
        one = client.delete(f"{ADMIN}/users/{ann['user_id']}/sessions", headers=root_headers)
        assert (one.status_code, one.get_json()["ended"]) == (200, 1)
        assert client.get(ME, headers=auth_headers).status_code == 401
        assert client.get(ME, headers=bob_headers).status_code == 200
        assert client.delete(f"{ADMIN}/sessions", headers=root_headers).get_json()["ended"] == 2
        assert client.get(ME, headers=bob_headers).status_code == 401
        assert client.get(f"{ADMIN}/users", headers=root_headers).status_code == 401

    @pytest.mark.parametrize("path", ["/users/{user_id}/sessions", "/sessions"])
    def test_200_ends_what_is_older(self, client, root_headers, ann, clock, path):
        """In any order: an earlier cut revives nothing, a later one ends more."""
        path = ADMIN + path.format(**ann)
        tokens = [ann["access_token"]]
        for _ in range(2):
            clock.advance(60)
            login = client.post(f"{V1}/auth/login", json={name: ANN[name] for name in ("username", "password")})
            tokens.append(login.get_json()["access_token"])

        def alive():
            return [client.get(ME, headers=bearer(token)).status_code == 200 for token in tokens]

        def cut(before):
            return client.delete(path, headers=root_headers, query_string={"before": before}).status_code

        assert cut("2027-01-15T08:00:00Z") == 200
        assert alive() == [True, True, True]
        assert cut("2027-01-15T10:02:00+02:00") == 200 if "user" in path else True
        if "user" in path:
            assert alive() == [False, False, True]
            assert cut("2027-01-15T08:00:30") == 200
            assert alive() == [False, False, True]

    @pytest.mark.parametrize("before", ["", "soon", "2027-01-15", "2099-01-01T00:00:00Z", "1900-01-01T00:00:00Z", "\0"])
    def test_400_no_moment_or_one_to_come(self, client, root_headers, before):
        """Nothing can be promised of sessions that have not begun."""
        answer = client.delete(f"{ADMIN}/sessions", headers=root_headers, query_string={"before": before})
        expected = 200 if before == "2027-01-15" else 400
        assert answer.status_code == expected


class TestTiers:
    def test_200_new_tier_holds_for_everybody_in_it(self, client, root_headers, change, auth_headers, limit_of):
        """Made, given, changed and listed at run time; an account's own limits come first."""
        gold = f"{ADMIN}/tiers/gold"
        made = client.put(gold, headers=root_headers, json={"limits": {"*": "7 per minute", "tts-status": "3/minute"}})
        limits = {"*": "7 per 1 minute", "tts-status": "3 per 1 minute"}
        assert made.get_json() == {"name": "gold", "limits": limits, "accounts": 0}
        assert change(tier="gold").get_json()["tier"] == "gold"
        assert (limit_of(auth_headers, "*")["limit"], limit_of(auth_headers, STATUS)["limit"]) == (7, 3)
        again = client.put(gold, headers=root_headers, json={"limits": {"*": "9 per minute"}})
        assert again.get_json()["accounts"] == 1
        assert (limit_of(auth_headers, "*")["limit"], limit_of(auth_headers, STATUS)["limit"]) == (9, 100)
        change(limits={"*": "11 per minute"})
        assert limit_of(auth_headers, "*")["limit"] == 11
        tiers = client.get(f"{ADMIN}/tiers", headers=root_headers).get_json()["tiers"]
        listed = {each["name"]: each["accounts"] for each in tiers}
        assert listed == {"gold": 1, "premium": 0, "standard": 1}

    def test_200_tier_of_the_settings_is_changed_and_goes_back(self, client, root_headers, auth_headers, limit_of):
        """What is data comes before the settings, until it is removed."""
        path = f"{ADMIN}/tiers/standard"
        client.put(path, headers=root_headers, json={"limits": {"*": "5 per minute"}})
        assert limit_of(auth_headers, "*")["limit"] == 5
        assert client.delete(path, headers=root_headers).status_code == 204
        assert limit_of(auth_headers, "*")["limit"] == 100

    def test_409_somebody_is_in_it(self, client, root_headers, change):
        """A tier is removed once it is empty; one that there is not is 404."""
        path = f"{ADMIN}/tiers/gold"
        assert client.delete(path, headers=root_headers).get_json()["code"] == "TIER_UNKNOWN"
        client.put(path, headers=root_headers, json={"limits": {}})
        change(tier="gold")
        assert client.delete(path, headers=root_headers).get_json()["code"] == "TIER_IN_USE"
        change(tier="standard")
        assert client.delete(path, headers=root_headers).status_code == 204

    @pytest.mark.parametrize("name", ["Gold", "1st", "x" * 33, "a%20b", "%00"])
    def test_422_no_name_of_a_tier(self, client, root_headers, name):
        """Names are short and plain."""
        answer = client.put(f"{ADMIN}/tiers/{name}", headers=root_headers, json={"limits": {"nothing": "1/minute"}})
        assert [fault["pointer"] for fault in answer.get_json()["errors"]] == ["/name", "/limits/nothing"]
