"""An answer that refused is sent again only to who would get the very same, and no longer than it is true."""

import shutil

import pytest
from flask import Flask, jsonify
from werkzeug.test import EnvironBuilder

from voxgate.gate import Gate
from voxgate.gate.flask.extension import Parts
from voxgate.gate.signing import KeyFolder
from voxgate.gate.tokens import Signer
from voxgate.testing import bearer

ORIGIN = "https://app.example"
SECRET = "0f7c9a1be4d2536880f1a2b3c4d5e6f7"


@pytest.fixture
def make_app(tmp_path, clock):
    def make_app(signer=None, **settings):
        app = Flask("shop", instance_path=str(tmp_path))
        app.config.update(JWT_SECRET_KEY=SECRET, VOXGATE_CORS_ORIGINS=[ORIGIN], **settings)
        gate = Gate(app, Parts(clock=clock, signer=signer))

        @app.post("/session")
        @gate.exempt
        def session():
            gate.issuer.set_account("ann")
            token, key = gate.issuer.open_session("ann").access_token, gate.issuer.new_key("ann").text
            return jsonify(token=token, key=key)

        @app.get("/once")
        @gate.protect(limits="1 per minute", credentials="access api_key")
        def once():
            return "once"

        @app.get("/other/<number>")
        @gate.protect(limits="5 per minute")
        def other(number):
            return number

        @app.get("/door")
        @gate.open(limits="1 per minute")
        def door():
            return "open"

        return app

    return make_app


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def ann(client):
    """Ann's token and key, with the one request of `/once` spent and its first refusal told."""
    ann = client.post("/session").get_json()
    assert [client.get("/once", headers=bearer(ann["token"])).status_code for _ in range(2)] == [200, 429]
    return ann


def told(answer):
    """Return what must be the same in every answer of a kind: all but the id of the request."""
    body = answer.get_json()
    return (
        answer.status_code,
        sorted(item for item in answer.headers if item[0] != "X-Request-ID"),
        body | {"instance": ""},
    )


class TestSame:
    def test_answer_is_the_first_but_for_the_id(self, client, ann, trips):
        """Headers, their values and the body; each with an id of its own, in both places."""
        answers = [client.get("/once", headers=bearer(ann["token"])) for _ in range(3)]
        assert told(answers[0]) == told(answers[1]) == told(answers[2])
        ids = {answer.headers["X-Request-ID"] for answer in answers}
        assert len(ids) == 3
        assert {answer.get_json()["instance"] for answer in answers} == {f"urn:request:{each}" for each in ids}
        assert trips == []

    def test_key_in_its_own_header_is_a_credential_of_its_own(self, client, ann, trips):
        """It is refused like the token, and asked once, because it may belong to somebody else."""
        answers = [client.get("/once", headers={"X-API-Key": ann["key"]}) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {429}
        assert told(answers[0]) == told(answers[2])
        assert len(trips) <= 2

    def test_headers_are_in_the_same_order(self, app, ann):
        """Nobody can tell by them how often a refusal was sent."""
        names = []
        for _ in range(3):
            app(
                EnvironBuilder("/once", headers=bearer(ann["token"])).get_environ(),
                lambda _, headers: names.append([name for name, _ in headers]),
            )
        assert names[0] == names[1] == names[2]


class TestOthers:
    """A request that differs in anything that an answer depends on gets the answer that is its own."""

    def test_origin_is_told_to_the_origin_alone(self, client, ann, trips):
        """Before and after a request without one."""
        plain = client.get("/once", headers=bearer(ann["token"]))
        from_page = client.get("/once", headers=bearer(ann["token"]) | {"Origin": ORIGIN})
        again = client.get("/once", headers=bearer(ann["token"]))
        assert from_page.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Access-Control-Allow-Origin" not in plain.headers
        assert told(plain) == told(again)
        assert trips == []

    def test_first_refusal_of_a_page_is_not_sent_to_others(self, client, trips):
        """What was kept first was told to an origin."""
        token = client.post("/session").get_json()["token"]
        for _ in range(2):
            client.get("/once", headers=bearer(token) | {"Origin": ORIGIN})
        trips.clear()
        answers = [client.get("/once", headers=bearer(token)) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [429, 429]
        assert not any("Access-Control-Allow-Origin" in answer.headers for answer in answers)
        assert trips == []

    def test_given_id_is_told(self, client, ann):
        """And not told to the next."""
        given = client.get("/once", headers=bearer(ann["token"]) | {"X-Request-ID": "mine"})
        assert given.get_json()["instance"] == "urn:request:mine"
        assert client.get("/once", headers=bearer(ann["token"])).get_json()["instance"] != "urn:request:mine"

    def test_head_has_no_body_and_get_has(self, client, ann):
        """Whichever came before."""
        for _ in range(2):
            assert client.head("/once", headers=bearer(ann["token"])).data == b""
            assert client.get("/once", headers=bearer(ann["token"])).get_json()["code"] == "RATE_LIMITED"

    def test_first_refusal_to_head_is_remembered_for_get(self, client, trips):
        """The body was never sent, and is there."""
        token = client.post("/session").get_json()["token"]
        client.get("/once", headers=bearer(token))
        client.head("/once", headers=bearer(token))
        trips.clear()
        assert client.get("/once", headers=bearer(token)).get_json()["code"] == "RATE_LIMITED"
        assert trips == []

    def test_strict_transport_security_is_told_over_tls_alone(self, client, ann):
        """Browsers ignore it elsewhere, and a proxy may serve both."""
        asked = [
            client.get("/once", headers=bearer(ann["token"]), base_url=f"{scheme}://localhost")
            for scheme in ("http", "https", "http", "https")
        ]
        assert ["Strict-Transport-Security" in answer.headers for answer in asked] == [False, True, False, True]

    def test_other_routes_and_methods_are_open(self, client, ann):
        """One limit is spent, no other."""
        assert client.get("/other/1", headers=bearer(ann["token"])).status_code == 200
        assert client.post("/once", headers=bearer(ann["token"])).status_code == 405
        assert client.get("/nowhere", headers=bearer(ann["token"])).status_code == 404

    def test_other_paths_of_one_route_cost_no_call(self, client, ann, trips):
        """A limit is not asked again because an address has another number in it."""
        for number in range(6):
            client.get(f"/other/{number}", headers=bearer(ann["token"]))
        trips.clear()
        codes = {client.get(f"/other/{number}", headers=bearer(ann["token"])).status_code for number in range(50)}
        assert codes == {429}
        assert trips == []

    def test_two_refused_routes_cost_no_call_in_turn(self, client, ann, trips):
        """The last answer is of the other route each time."""
        for number in range(6):
            client.get(f"/other/{number}", headers=bearer(ann["token"]))
        trips.clear()
        for _ in range(5):
            assert client.get("/once", headers=bearer(ann["token"])).status_code == 429
            assert client.get("/other/1", headers=bearer(ann["token"])).status_code == 429
        assert trips == []

    @pytest.mark.parametrize("shown", [{}, bearer("anything"), {"X-API-Key": "anything"}])
    def test_open_route_refuses_the_address_and_not_the_header(self, client, shown):
        """Whatever is shown where nothing is asked for."""
        codes = [client.get("/door", headers=shown).status_code for _ in range(4)]
        assert codes == [200, 429, 429, 429]
        elsewhere = client.get("/door", headers=shown, environ_overrides={"REMOTE_ADDR": "192.0.2.9"})
        assert elsewhere.status_code == 200

    def test_cookie_is_another_credential(self, make_app):
        """A bad token in a header says nothing about the session of a cookie, and its answer goes to nobody else."""
        client = make_app(JWT_TOKEN_LOCATION=["headers", "cookies"]).test_client(use_cookies=False)
        token = client.post("/session").get_json()["token"]
        cookie = {"Cookie": f"__Host-voxgate={token}"}
        for _ in range(2):
            assert client.get("/once", headers={"X-API-Key": "bad"}).status_code == 401
            assert client.get("/other/1", headers=cookie).status_code == 200
        for _ in range(5):
            client.get("/other/1", headers=cookie)
        assert client.get("/other/1", headers=cookie).status_code == 429
        assert client.get("/other/1").status_code == 401

    def test_path_may_be_missing(self, make_app):
        """As that of the root may be (PEP 3333)."""
        app = make_app()
        statuses = []
        for _ in range(2):
            environ = EnvironBuilder("/once", headers=bearer("x.y.z")).get_environ()
            app(environ, lambda status, _: statuses.append(status[:3]))
            del environ["PATH_INFO"]
            app(environ, lambda status, _: statuses.append(status[:3]))
        assert statuses == ["401", "404", "401", "404"]


class TestTime:
    def test_wait_is_true_to_the_second(self, client, ann, clock, trips):
        """An answer goes when the wait that it tells has become too long."""
        clock.advance(0.999)
        assert client.get("/once", headers=bearer(ann["token"])).headers["Retry-After"] == "60"
        clock.advance(0.001)
        for _ in range(2):
            answer = client.get("/once", headers=bearer(ann["token"]))
            assert (answer.headers["Retry-After"], answer.get_json()["retry_after"]) == ("59", 59)
        assert trips == []

    def test_limit_is_asked_again_within_two_seconds(self, client, ann, clock, trips):
        """What other machines change is seen then."""
        clock.advance(1.999)
        for _ in range(3):
            client.get("/once", headers=bearer(ann["token"]))
        assert len(trips) == 1

    def test_request_passes_when_it_may(self, client, ann, clock):
        """Not a second later."""
        clock.advance(59.999)
        assert client.get("/once", headers=bearer(ann["token"])).status_code == 429
        clock.advance(0.001)
        assert client.get("/once", headers=bearer(ann["token"])).status_code == 200

    def test_clock_that_is_set_back_forgets(self, client, ann, clock, trips):
        """Or a refusal would last until the clock comes by again."""
        client.get("/once", headers=bearer(ann["token"]))
        clock.advance(-30)
        client.get("/once", headers=bearer(ann["token"]))
        assert len(trips) == 1

    def test_reset_is_seen_at_once(self, app, client, ann):
        """Also by who was refused a moment ago."""
        client.get("/once", headers=bearer(ann["token"]))
        app.extensions["voxgate"].admission.store.reset("user:ann")
        assert client.get("/once", headers=bearer(ann["token"])).status_code == 200


def test_token_of_a_key_that_comes_late_is_accepted_with_it(tmp_path, clock, make_app):
    """Another machine signs with a key whose file is not here yet; what was refused before it came is asked again."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    elsewhere = Signer(KeyFolder(there, clock=clock).open())
    shutil.copy(there / "secret.key", here / "secret.key")
    client = make_app(signer=Signer(KeyFolder(here, clock=clock).open())).test_client()
    old = bearer(client.post("/session").get_json()["token"])
    KeyFolder(there, clock=clock).rotate(overlap_s=3600)
    clock.advance(1)
    session_id = elsewhere.verify_access(old["Authorization"].removeprefix("Bearer "), now_ms=clock.now_ms()).session_id
    new = bearer(elsewhere.issue_access("ann", session_id, now_ms=clock.now_ms()))
    assert [client.get("/other/1", headers=new).status_code for _ in range(3)] == [401, 401, 401]
    shutil.copy(there / "signing.json", here / "signing.new")
    (here / "signing.new").replace(here / "signing.json")
    clock.advance(1)
    assert client.get("/other/1", headers=old).status_code == 200
    assert client.get("/other/1", headers=new).status_code == 200


def test_memory_is_bounded(app, client, monkeypatch):
    """Bad tokens without end leave no more than the capacity, and are refused as before."""
    repeats = app.extensions["voxgate"].door.repeats
    monkeypatch.setattr(repeats, "_capacity", 3)
    for number in range(10):
        assert client.get("/once", headers=bearer(f"x.y.{number}")).status_code == 401
        assert len(repeats.kept) <= 3
    assert client.get("/once", headers=bearer("x.y.0")).status_code == 401
