"""Refresh tokens over HTTP: rotated, retried after a lost answer, and caught when two hold one."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.service import ANN, V1, bearer

ME = f"{V1}/auth/me"
DAY_S = 86_400
PATHS = pytest.mark.parametrize("path", [f"{V1}/auth/refresh", "/refresh"])


@pytest.fixture
def open_session(make_app):
    """Make a service, register and log in; gives the client and the tokens."""

    def call(**settings):
        client = make_app(**settings).test_client()
        client.post(f"{V1}/auth/register", json=ANN)
        login = client.post(f"{V1}/auth/login", json={name: ANN[name] for name in ("username", "password")})
        return client, login.get_json()

    return call


def refresh(client, tokens, path=f"{V1}/auth/refresh"):
    return client.post(path, headers=bearer(tokens["refresh_token"]))


def code(answer):
    return answer.get_json()["code"]


def see(client, tokens):
    return client.get(ME, headers=bearer(tokens["access_token"]))


def empty_store(client):
    """Lose everything that the gate's store knows, as a Redis without a disk does when it restarts."""
    path = client.application.extensions["voxgate.services"].settings.gate_database_path
    with sqlite3.connect(path) as connection:
        for table in ("account", "session", "key", "window"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 -- names of this test
    connection.close()


@PATHS
class TestRotation:
    def test_200_gives_the_next_tokens(self, client, ann, path):
        """Both are new, and both work."""
        answer = refresh(client, ann, path)
        new = answer.get_json()
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        assert new["refresh_token"] != ann["refresh_token"]
        assert new["access_token"] != ann["access_token"]
        assert see(client, new).status_code == 200
        assert refresh(client, new, path).status_code == 200

    def test_200_lost_answer_is_asked_for_again(self, client, ann, path):
        """The same token gives the same successor, as often as it takes until one of the new tokens is used."""
        answers = [refresh(client, ann, path).get_json() for _ in range(3)]
        assert len({answer["refresh_token"] for answer in answers}) == 1
        assert see(client, answers[-1]).status_code == 200

    def test_200_client_that_ignores_the_new_refresh_token_is_told(self, client, ann, path):
        """The answer says until when the old one works, as the second document's client needs."""
        answer = refresh(client, ann, path).get_json()
        assert "refresh_token" in answer["message"]
        assert refresh(client, ann, path).status_code == 200

    @pytest.mark.parametrize("proof", ["access", "refresh"])
    def test_401_reuse_ends_the_session(self, client, ann, events, path, proof):
        """Once a new token has come back, the old refresh token in other hands is theft: nobody goes on."""
        new = refresh(client, ann, path).get_json()
        newest = new if proof == "access" else refresh(client, new, path).get_json()
        assert see(client, new).status_code == 200
        reused = refresh(client, ann, path)
        assert (reused.status_code, code(reused)) == (401, "TOKEN_REUSED")
        assert code(see(client, new)) == "TOKEN_REVOKED"
        assert refresh(client, newest, path).status_code == 401
        assert dict(events)["authn_token_reuse"]["user_id"] == ann["user_id"]

    def test_401_reuse_ends_the_session_for_a_store_that_forgets(self, client, ann, path):
        """The theft is written down: an emptied store revives nothing."""
        new = refresh(client, ann, path).get_json()
        see(client, new)
        refresh(client, ann, path)
        empty_store(client)
        assert code(see(client, new)) == "TOKEN_REVOKED"
        assert refresh(client, new, path).status_code == 401

    def test_200_other_sessions_go_on(self, client, ann, path):
        """The family that ends is one session."""
        other = client.post(f"{V1}/auth/login", json={name: ANN[name] for name in ("username", "password")}).get_json()
        see(client, refresh(client, ann, path).get_json())
        assert code(refresh(client, ann, path)) == "TOKEN_REUSED"
        assert see(client, other).status_code == 200

    def test_twelve_at_once_give_one_successor(self, app, ann, path):
        """Twelve answers, one refresh token, and all the access tokens work."""
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: refresh(app.test_client(), ann, path), range(12)))
        assert [answer.status_code for answer in answers] == [200] * 12
        assert len({answer.get_json()["refresh_token"] for answer in answers}) == 1
        assert {see(app.test_client(), answer.get_json()).status_code for answer in answers} == {200}


class TestEmptiedStore:
    def test_401_generation_that_was_refreshed_is_known(self, client, ann):
        """What the store has lost it reads again: a token from before the last refresh is reuse."""
        second = refresh(client, ann).get_json()
        third = refresh(client, second).get_json()
        empty_store(client)
        assert code(refresh(client, ann)) == "TOKEN_REUSED"
        assert refresh(client, third).status_code == 401

    def test_200_session_goes_on(self, client, ann):
        """And nobody is logged out by it."""
        second = refresh(client, ann).get_json()
        empty_store(client)
        third = refresh(client, second)
        assert third.status_code == 200
        assert see(client, third.get_json()).status_code == 200


class TestConfirmed:
    def test_401_old_token_after_the_store_has_forgotten(self, open_session):
        """That the new access token was shown is written down in passing, so a lost store forgets no theft."""
        client, tokens = open_session()
        new = refresh(client, tokens).get_json()
        assert see(client, new).status_code == 200
        client.application.extensions["voxgate.services"].noted.flush()
        empty_store(client)
        assert code(refresh(client, tokens)) == "TOKEN_REUSED"

    def test_200_lost_answer_after_the_store_has_forgotten(self, open_session):
        """What nobody has shown is not confirmed, and the old token is asked with again."""
        client, tokens = open_session()
        refresh(client, tokens)
        client.application.extensions["voxgate.services"].noted.flush()
        empty_store(client)
        assert refresh(client, tokens).status_code == 200


class TestStrict:
    def test_401_second_use(self, open_session):
        """Where a lost answer means to log in again, a refresh token works once."""
        client, tokens = open_session(jwt_refresh_strict=True)
        new = refresh(client, tokens).get_json()
        assert code(refresh(client, tokens)) == "TOKEN_REUSED"
        assert refresh(client, new).status_code == 401

    def test_401_second_use_after_the_store_has_forgotten(self, open_session):
        """The use is written down."""
        client, tokens = open_session(jwt_refresh_strict=True)
        refresh(client, tokens)
        empty_store(client)
        assert code(refresh(client, tokens)) == "TOKEN_REUSED"

    def test_200_first_use_that_a_second_overtakes(self, open_session, monkeypatch, events):
        """The gate has let it in, so it is answered; its tokens are dead like all others of the session."""
        client, tokens = open_session(jwt_refresh_strict=True)
        sessions, seconds = client.application.extensions["voxgate.services"].sessions, []
        answer = type(sessions).refresh

        def overtaken(*args, **kwargs):
            monkeypatch.setattr(type(sessions), "refresh", answer)
            seconds.append(refresh(client.application.test_client(), tokens))
            return answer(*args, **kwargs)

        monkeypatch.setattr(type(sessions), "refresh", overtaken)
        first = refresh(client, tokens)
        assert (first.status_code, code(seconds[0])) == (200, "TOKEN_REUSED")
        assert code(see(client, first.get_json())) == "TOKEN_REVOKED"
        assert code(refresh(client, first.get_json())) == "TOKEN_REVOKED"
        assert [name for name, _ in events].count("authn_token_reuse") == 1

    def test_401_second_use_that_a_store_has_forgotten_to_refuse(self, open_session, monkeypatch, events):
        """Both were let in, by a store that was lost between them: the second is told as reuse."""
        client, tokens = open_session(jwt_refresh_strict=True)
        sessions, firsts = client.application.extensions["voxgate.services"].sessions, []
        answer = type(sessions).refresh

        def forgotten(*args, **kwargs):
            monkeypatch.setattr(type(sessions), "refresh", answer)
            empty_store(client)
            firsts.append(refresh(client.application.test_client(), tokens))
            return answer(*args, **kwargs)

        monkeypatch.setattr(type(sessions), "refresh", forgotten)
        second = refresh(client, tokens)
        assert (firsts[0].status_code, code(second)) == (200, "TOKEN_REUSED")
        assert code(see(client, firsts[0].get_json())) == "TOKEN_REVOKED"
        assert [name for name, _ in events].count("authn_token_reuse") == 1

    def test_200_one_of_twelve(self, open_session):
        """Of twelve at once one gets the successor, and the session has ended: two hold one token."""
        client, tokens = open_session(jwt_refresh_strict=True)
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: refresh(client.application.test_client(), tokens), range(12)))
        assert sorted(answer.status_code for answer in answers) == [200, *[401] * 11]


class TestLifetimes:
    def test_401_idle_session(self, open_session, clock):
        """A session that is not refreshed ends; one that is goes on."""
        client, tokens = open_session()
        for _ in range(3):
            clock.advance(7 * DAY_S - 1)
            tokens = refresh(client, tokens).get_json()
        clock.advance(7 * DAY_S)
        assert code(refresh(client, tokens)) == "TOKEN_EXPIRED"

    def test_401_idle_session_after_the_store_has_forgotten(self, open_session, clock):
        """The idle end is written down."""
        client, tokens = open_session()
        clock.advance(6 * DAY_S)
        tokens = refresh(client, tokens).get_json()
        empty_store(client)
        clock.advance(6 * DAY_S)
        tokens = refresh(client, tokens).get_json()
        empty_store(client)
        clock.advance(7 * DAY_S)
        assert code(refresh(client, tokens)) == "TOKEN_EXPIRED"

    def test_401_absolute_end_holds_through_refreshes(self, open_session, clock):
        """Thirty days after the login it is over, however busy the session was; the answer tells what is left."""
        client, tokens = open_session()
        assert tokens["refresh_expires_in"] == 7 * DAY_S
        for _ in range(5):
            clock.advance(6 * DAY_S - 1)
            tokens = refresh(client, tokens).get_json()
        assert tokens["refresh_expires_in"] == 5
        clock.advance(5)
        assert code(refresh(client, tokens)) == "TOKEN_EXPIRED"
