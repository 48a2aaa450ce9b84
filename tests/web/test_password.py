"""The own password over HTTP: changed by who knows it, limited like logging in."""

import pytest
from tests.support.service import ANN, BOB, V1, bearer

PATH = f"{V1}/auth/password"
LOGIN = f"{V1}/auth/login"
ME = f"{V1}/auth/me"
CURRENT, NEW = ANN["password"], "seven round stones"


@pytest.fixture
def change(client, auth_headers):
    """Change ann's password; gives the answer."""

    def call(current=CURRENT, new=NEW, **kwargs):
        body = {"current_password": current, "new_password": new}
        return client.post(PATH, **({"headers": auth_headers, "json": body} | kwargs))

    return call


def log_in(client, password):
    return client.post(LOGIN, json={"username": ANN["username"], "password": password})


def test_200_other_sessions_end_and_this_one_stays(client, ann, change, auth_headers, events):
    """Access and refresh token of this session work on, those of the others are dead; the key stays."""
    other = log_in(client, CURRENT).get_json()
    assert change().status_code == 200
    assert client.get(ME, headers=auth_headers).status_code == 200
    assert client.post(f"{V1}/auth/refresh", headers=bearer(ann["refresh_token"])).status_code == 200
    assert client.get(ME, headers=bearer(other["access_token"])).get_json()["code"] == "TOKEN_REVOKED"
    refreshed = client.post(f"{V1}/auth/refresh", headers=bearer(other["refresh_token"]))
    assert refreshed.get_json()["code"] == "TOKEN_REVOKED"
    assert client.get(ME, headers={"X-API-Key": ann["api_key"]}).status_code == 200
    told = dict(events)["authn_password_change"]
    assert (told["user_id"], told["success"]) == (ann["user_id"], True)
    assert CURRENT not in str(events)
    assert NEW not in str(events)


def test_200_only_the_new_password_logs_in(client, change, clock):
    """At once."""
    change()
    clock.advance(60)
    assert [log_in(client, each).status_code for each in (CURRENT, NEW)] == [401, 200]


def test_403_wrong_current_password(client, change, auth_headers, events):
    """The token stays good, and the attempt is an event."""
    answer = change("wrong password")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "WRONG_PASSWORD")
    assert client.get(ME, headers=auth_headers).status_code == 200
    assert dict(events)["authn_password_change"]["success"] is False


def test_422_new_password_out_of_the_rules(change):
    """With the reason and without the password."""
    answer = change(new="short")
    assert answer.status_code == 422
    (fault,) = answer.get_json()["errors"]
    assert fault["pointer"] == "/new_password"
    assert "short" not in fault["detail"]


@pytest.mark.parametrize("body", [{}, {"current_password": CURRENT}, {"new_password": NEW}, {"username": "bob"}, []])
def test_422_missing_or_more(change, body):
    """Both are needed, and nobody else can be named."""
    assert change(json=body).status_code == 422


def test_429_like_logging_in(client, change, clock):
    """Three guesses a minute; the right one is refused too, and waiting as told helps."""
    assert [change("wrong password").status_code for _ in range(4)] == [403, 403, 403, 429]
    refused = change()
    assert refused.get_json()["violated-policies"] == ["login"]
    clock.advance(refused.get_json()["retry_after"])
    assert change().status_code == 200


def test_429_of_the_address_holds_over_accounts(make_app):
    """Guesses here and at the login share the address' limit."""
    client = make_app(ratelimit_login_address="4 per minute").test_client()
    for who in (ANN, BOB):
        client.post(f"{V1}/auth/register", json=who)
    tokens = log_in(client, CURRENT).get_json()
    body = {"current_password": "wrong password", "new_password": NEW}
    headers = bearer(tokens["access_token"])
    assert [client.post(PATH, headers=headers, json=body).status_code for _ in range(3)] == [403] * 3
    answer = client.post(LOGIN, json={"username": BOB["username"], "password": BOB["password"]})
    assert answer.get_json()["violated-policies"] == ["login-address"]


def test_429_from_one_address_does_not_lock_the_owner_out(change):
    """Somebody with a stolen token guesses elsewhere; the owner changes the password and ends that session."""
    for _ in range(4):
        change("wrong password", environ_base={"REMOTE_ADDR": "203.0.113.9"})
    assert change().status_code == 200


def test_503_when_too_many_hash(services, change, monkeypatch):
    """A flood is turned away, not piled up."""
    from voxgate.accounts.passwords import HASHING_BUSY  # noqa: PLC0415

    monkeypatch.setattr(type(services.hasher), "verify", lambda *_args, **_kwargs: HASHING_BUSY)
    assert change().get_json()["code"] == "HASHING_BUSY"


def test_403_api_key(client, ann, change):
    """A key does not change the password, even with the right one."""
    answer = change(headers={"X-API-Key": ann["api_key"]})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "INSUFFICIENT_SCOPE")
    assert log_in(client, CURRENT).status_code == 200
