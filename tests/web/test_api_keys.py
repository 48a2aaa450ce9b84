"""The own API keys over HTTP: made, listed, changed, rotated and ended by their owner alone."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.service import V1, bearer

KEYS = f"{V1}/auth/api-keys"
ME = f"{V1}/auth/me"
TTS = f"{V1}/tts/"
DAY_S = 86_400


def shown(key):
    return {"X-API-Key": key["api_key"]}


@pytest.fixture
def make(client, auth_headers):
    """Make a key; gives the body of the answer."""

    def call(**terms):
        answer = client.post(KEYS, headers=auth_headers, json={"name": "laptop", **terms})
        assert answer.status_code == 201
        return answer.get_json()

    return call


@pytest.fixture
def listed(client, auth_headers):
    """Give the keys that are listed, by id."""

    def call():
        answer = client.get(KEYS, headers=auth_headers)
        assert answer.status_code == 200
        return {each["id"]: each for each in answer.get_json()["api_keys"]}

    return call


class TestMake:
    def test_201_shows_the_key_once(self, client, auth_headers, listed, events):
        """Every term is told back, the text only here; nobody may store the answer."""
        answer = client.post(
            KEYS, headers=auth_headers, json={"name": "laptop", "scopes": ["tts:read"], "expires_in": DAY_S}
        )
        key = answer.get_json()
        assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
        text = key.pop("api_key")
        assert key == {
            "id": text.split("_")[1],
            "name": "laptop",
            "hint": text[-10:-6],
            "scopes": ["tts:read"],
            "created_at": "2027-01-15T08:00:00Z",
            "expires_at": "2027-01-16T08:00:00Z",
            "successor_id": None,
            "allowed_networks": [],
            "limits": {},
            "last_used_at": None,
        }
        assert listed()[key["id"]] == key
        assert text not in str(events) + client.get(KEYS, headers=auth_headers).text
        assert dict(events)["authn_token_created"]["key_id"] == key["id"]

    def test_201_works_at_once_and_within_its_scopes(self, client, make):
        """Scopes bind on the routes that ask for them."""
        key = make(scopes=["tts:read"])
        assert client.get(TTS, headers=shown(key)).status_code == 200
        refused = client.post(f"{TTS}generate", headers=shown(key), json={"text": "a"})
        assert (refused.status_code, refused.get_json()["code"]) == (403, "INSUFFICIENT_SCOPE")

    def test_401_after_its_end(self, client, make, clock):
        """A key that has expired is told so."""
        key = make(expires_in=60)
        clock.advance(60)
        assert client.get(ME, headers=shown(key)).get_json()["code"] == "API_KEY_EXPIRED"

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ({}, ["/name"]),
            ({"name": "x" * 101, "scopes": ["admin"], "expires_in": 59}, ["/name", "/scopes/0", "/expires_in"]),
            ({"name": "x", "scopes": "tts:read"}, ["/scopes"]),
            ({"name": "x", "scopes": ["tts:read"] * 9}, ["/scopes"]),
            ({"name": "x", "expires_in": 3600.5}, ["/expires_in"]),
            ({"name": "x", "expires_in": True}, ["/expires_in"]),
            ({"name": "x", "expires_in": 10**400}, ["/expires_in"]),
        ],
    )
    def test_422_names_every_bad_field(self, client, auth_headers, body, pointers):
        """Scopes are a closed vocabulary, and lives are bounded."""
        answer = client.post(KEYS, headers=auth_headers, json=body)
        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.get_json()["errors"]] == pointers

    def test_409_at_the_cap(self, client, auth_headers, make, monkeypatch):
        """Both ways to make a key keep it, and ending one makes room."""
        monkeypatch.setattr("voxgate.accounts.api_keys.MAX_LIVE_KEYS", 2)
        key = make()
        for path in (KEYS, f"{V1}/auth/api-key"):
            answer = client.post(path, headers=auth_headers, json={"name": "one more"})
            assert (answer.status_code, answer.get_json()["code"]) == (409, "TOO_MANY_KEYS")
        client.delete(f"{KEYS}/{key['id']}", headers=auth_headers)
        assert make()["id"]

    def test_401_account_is_gone(self, client, auth_headers, services, monkeypatch):
        """A credential that outlived its account makes nothing."""
        from voxgate.gate.errors import Refusal  # noqa: PLC0415

        monkeypatch.setattr(type(services.api_keys), "create", lambda *_args, **_kwargs: Refusal("ACCOUNT_UNKNOWN"))
        assert client.post(KEYS, headers=auth_headers, json={"name": "x"}).status_code == 401


class TestChange:
    def test_200_holds_from_the_next_request(self, client, auth_headers, make, listed, events):
        """What is named changes, what is not stays."""
        key = make(scopes=["tts:read"], expires_in=DAY_S)
        path = f"{KEYS}/{key['id']}"
        changed = client.patch(path, headers=auth_headers, json={"scopes": ["tts:generate"]}).get_json()
        assert (changed["name"], changed["scopes"]) == ("laptop", ["tts:generate"])
        assert changed["expires_at"] == key["expires_at"]
        assert client.get(TTS, headers=shown(key)).status_code == 403
        assert client.patch(path, headers=auth_headers, json={"scopes": []}).status_code == 200
        assert client.get(TTS, headers=shown(key)).status_code == 200
        changed = client.patch(path, headers=auth_headers, json={"name": "", "expires_in": None}).get_json()
        assert (changed["name"], changed["expires_at"], listed()[key["id"]]) == ("", None, changed)
        assert dict(events)["user_updated"]["changed"] == ["expires_in", "name"]

    @pytest.mark.parametrize("body", [{}, {"id": "x"}, {"name": None}, {"scopes": None}, {"hint": "a"}])
    def test_422_nothing_or_something_else(self, client, auth_headers, make, body):
        """Only the three terms can be changed, and at least one is named."""
        key = make()
        assert client.patch(f"{KEYS}/{key['id']}", headers=auth_headers, json=body).status_code == 422

    def test_409_expired_or_rotated(self, client, auth_headers, make, clock):
        """What is on its way out can only be ended."""
        path = f"{KEYS}/{make(expires_in=60)['id']}"
        assert client.post(f"{path}/rotate", headers=auth_headers).status_code == 201
        for code in ("KEY_ROTATED", "KEY_EXPIRED"):
            for method, end in (("PATCH", ""), ("POST", "/rotate")):
                answer = client.open(
                    path + end, method=method, headers=auth_headers, json={"name": "x"} if not end else {}
                )
                assert (answer.status_code, answer.get_json()["code"]) == (409, code)
            clock.advance(60)
        assert client.delete(path, headers=auth_headers).status_code == 204


class TestEnd:
    def test_204_again_and_again(self, client, auth_headers, make, listed, events):
        """The key is dead at once; a lost answer can be asked for again."""
        key = make()
        for _ in range(2):
            answer = client.delete(f"{KEYS}/{key['id']}", headers=auth_headers)
            assert (answer.status_code, answer.data) == (204, b"")
        assert client.get(ME, headers=shown(key)).get_json()["code"] == "API_KEY_INVALID"
        assert key["id"] not in listed()
        assert dict(events)["authn_token_revoked"]["key_id"] == key["id"]

    def test_204_for_the_first_key_too(self, client, ann, auth_headers, listed):
        """The key of the registration is one like the others."""
        (key_id,) = listed()
        assert client.delete(f"{KEYS}/{key_id}", headers=auth_headers).status_code == 204
        assert client.get(ME, headers={"X-API-Key": ann["api_key"]}).status_code == 401


class TestRotate:
    def test_201_gives_a_successor_and_a_day(self, client, auth_headers, make, listed, clock):
        """Without a body: both keys work for 24 hours, then the new one alone."""
        key = make(scopes=["tts:read"])
        answer = client.post(f"{KEYS}/{key['id']}/rotate", headers=auth_headers)
        new = answer.get_json()
        assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
        assert (new["name"], new["scopes"], new["expires_at"]) == ("laptop", ["tts:read"], None)
        assert (new["replaces"], new["replaced_at"]) == (key["id"], "2027-01-16T08:00:00Z")
        assert listed()[key["id"]]["successor_id"] == new["id"]
        assert [client.get(TTS, headers=shown(each)).status_code for each in (key, new)] == [200, 200]
        clock.advance(DAY_S)
        assert [client.get(TTS, headers=shown(each)).status_code for each in (key, new)] == [401, 200]

    def test_201_at_once(self, client, auth_headers, make):
        """An overlap of 0 is for a key that has leaked."""
        key = make()
        new = client.post(f"{KEYS}/{key['id']}/rotate", headers=auth_headers, json={"overlap_s": 0}).get_json()
        assert [client.get(ME, headers=shown(each)).status_code for each in (key, new)] == [401, 200]

    def test_201_inherits_the_end(self, client, auth_headers, make):
        """A key for a day does not become one for ever."""
        key = make(expires_in=DAY_S)
        new = client.post(f"{KEYS}/{key['id']}/rotate", headers=auth_headers, json={}).get_json()
        assert new["expires_at"] == key["expires_at"]

    @pytest.mark.parametrize("overlap_s", [-1, 30 * DAY_S + 1, None, "60", 1.5, True])
    def test_422_overlap_out_of_bounds(self, client, auth_headers, make, listed, overlap_s):
        """Nothing is made."""
        answer = client.post(
            f"{KEYS}/{make()['id']}/rotate", headers=auth_headers, json={"overlap_s": overlap_s, "scopes": []}
        )
        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.get_json()["errors"]] == ["/overlap_s", "/scopes"]
        assert len(listed()) == 2

    def test_409_at_the_cap(self, client, auth_headers, make, monkeypatch):
        """Rotating is no way around it."""
        monkeypatch.setattr("voxgate.accounts.api_keys.MAX_LIVE_KEYS", 2)
        path = f"{KEYS}/{make()['id']}/rotate"
        assert client.post(path, headers=auth_headers).get_json()["code"] == "TOO_MANY_KEYS"
        assert client.post(path, headers=auth_headers, json={"overlap_s": 0}).status_code == 201

    def test_of_twelve_at_once_one_wins(self, app, auth_headers, make):
        """One 201, eleven 409."""
        path = f"{KEYS}/{make()['id']}/rotate"
        with ThreadPoolExecutor(12) as pool:
            statuses = list(
                pool.map(lambda _: app.test_client().post(path, headers=auth_headers).status_code, range(12))
            )
        assert sorted(statuses) == [201, *[409] * 11]


CALLS = [
    ("GET", "", None),
    ("POST", "", {"name": "x"}),
    ("PATCH", "/{id}", {"name": "x"}),
    ("DELETE", "/{id}", None),
    ("POST", "/{id}/rotate", {}),
]


class TestWho:
    @pytest.mark.parametrize(("method", "path", "body"), CALLS)
    def test_403_api_key(self, client, make, method, path, body):
        """A key cannot manage keys, not even itself."""
        key = make()
        for headers in (shown(key), bearer(key["api_key"])):
            answer = client.open(KEYS + path.format(**key), method=method, headers=headers, json=body)
            assert (answer.status_code, answer.get_json()["code"]) == (403, "INSUFFICIENT_SCOPE")
        assert client.get(ME, headers=shown(key)).status_code == 200

    @pytest.mark.parametrize(("method", "path", "body"), CALLS)
    def test_401_refresh_token_or_nothing(self, client, ann, make, method, path, body):
        """Only an access token opens these routes."""
        key = make()
        for headers in ({}, bearer(ann["refresh_token"])):
            assert client.open(KEYS + path.format(**key), method=method, headers=headers, json=body).status_code == 401

    @pytest.mark.parametrize(("method", "path", "body"), CALLS[2:])
    @pytest.mark.parametrize("key_id", [None, "0" * 12, "%00", "%ff", "a%20b", "x" * 300])
    def test_404_key_of_another_or_of_nobody(self, client, bob_headers, make, method, path, body, key_id):
        """Nobody learns whether another's key exists, and it lives on."""
        key = make()
        answer = client.open(KEYS + path.format(id=key_id or key["id"]), method=method, headers=bob_headers, json=body)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "KEY_NOT_FOUND")
        assert client.get(ME, headers=shown(key)).status_code == 200

    def test_lists_are_ones_own(self, client, bob_headers, make):
        """Others' keys are not listed."""
        key = make()
        assert key["id"] not in client.get(KEYS, headers=bob_headers).text

    def test_403_disabled_account(self, client, ann, auth_headers, make, services):
        """A disabled account manages nothing, and its keys open nothing."""
        key = make()
        services.accounts.set_active(ann["user_id"], False)
        assert client.get(KEYS, headers=auth_headers).status_code == 403
        assert client.get(ME, headers=shown(key)).status_code == 403

    def test_429_of_its_own_limit(self, make_app):
        """Managing the account has a limit of its own, told at /limits."""
        client = make_app(ratelimit_account="2 per minute").test_client()
        who = {"username": "ann", "email": "ann@example.org", "password": "password123"}
        client.post(f"{V1}/auth/register", json=who)
        login = client.post(f"{V1}/auth/login", json={"username": "ann", "password": "password123"}).get_json()
        headers = bearer(login["access_token"])
        assert [client.get(KEYS, headers=headers).status_code for _ in range(3)] == [200, 200, 429]
        assert client.get(f"{V1}/limits", headers=headers).get_json()[KEYS]["remaining"] == 0
