"""The gate around a Flask application: who gets in, and what every answer carries."""

import inspect
import os
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from flask import Blueprint, Flask, jsonify
from werkzeug.test import EnvironBuilder

from voxgate.gate import Gate as GateOfTheLibrary
from voxgate.gate.decision import Charge, Reading
from voxgate.gate.errors import ConfigurationError, FieldFault, Refusal, StoreUnavailableError
from voxgate.gate.flask import Gate, Parts
from voxgate.gate.flask import headers as headers_of_answers
from voxgate.gate.flask.headers import limit_headers, problem_body, request_id
from voxgate.gate.limits import Limit, parse_limits
from voxgate.gate.stores import open_store
from voxgate.gate.tiers import Rule
from voxgate.gate.tokens import Signer
from voxgate.testing import FakeClock

SECRET = "a secret of the tests that is long enough, 0123456789"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def make_app(tmp_path, clock):
    """Build an application with one route of each kind; keyword arguments become its settings."""

    def make_app(**settings):
        app = Flask("shop", instance_path=str(tmp_path))
        app.config.update(JWT_SECRET_KEY=SECRET, RATELIMIT_STANDARD="5 per minute", **settings)
        gate = Gate(app, Parts(clock=clock))
        add_open_routes(app, gate)
        add_guarded_routes(app, gate)
        add_session_routes(app, gate)
        return app

    return make_app


def add_open_routes(app, gate):
    @app.post("/login")
    @gate.open(policy="login", limits="3 per minute")
    def login():
        gate.issuer.set_account("ann")
        pair = gate.issuer.open_session("ann", scopes=frozenset({"read"}))
        key = gate.issuer.new_key("ann")
        return jsonify(access=pair.access_token, refresh=pair.refresh_token, key=key.text, id=key.key_id)

    @app.get("/alive")
    @gate.exempt
    def alive():
        return jsonify()

    @app.get("/plain")
    def plain():
        return "<p>plain</p>"

    @app.get("/page")
    def page():
        return "<p>free</p>", 200, {"Content-Security-Policy": "default-src 'self'"}


def add_guarded_routes(app, gate):
    @app.get("/me")
    @gate.protect()
    def me():
        principal = gate.principal
        return jsonify(subject=principal.subject, kind=principal.kind, address=gate.address, request=gate.request_id)

    @app.get("/read/<int:number>")
    @gate.protect(scopes="read", limits="2 per minute")
    def read(number):
        return jsonify(number=number, remaining=gate.decision.readings[0].remaining)

    @app.get("/write")
    @gate.protect(scopes=["write"])
    def write():
        return jsonify()

    @app.get("/heavy")
    @gate.protect(limits="10 per minute", cost=6)
    async def heavy():
        return jsonify(spent=6)

    @app.get("/premium")
    @gate.protect(tier="premium")
    def premium():
        return jsonify()


def add_session_routes(app, gate):
    @app.post("/refresh")
    @gate.protect(credentials=["refresh"])
    def refresh():
        return jsonify(access=gate.issuer.renew(gate.principal).access_token)

    @app.post("/logout")
    @gate.protect(credentials=["access"])
    def logout():
        gate.issuer.end_session(gate.principal.credential_id)
        return jsonify()

    @app.post("/drop")
    @gate.protect(credentials=["api_key"])
    def drop():
        gate.issuer.end_key(gate.principal.credential_id)
        return jsonify()


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def ann(client):
    return client.post("/login").get_json()


def bearer(token, **more):
    return {"Authorization": f"Bearer {token}", **more}


class Test200:
    def test_token_opens_a_guarded_route(self, client, ann):
        """The view sees the proven principal, the address and the request's id."""
        answer = client.get("/me", headers=bearer(ann["access"], **{"X-Request-ID": "abc-1"}))
        assert answer.get_json() == {"subject": "ann", "kind": "access", "address": "127.0.0.1", "request": "abc-1"}

    @pytest.mark.parametrize("form", [lambda key: {"X-API-Key": key}, bearer, lambda key: bearer(key[3:])])
    def test_key_opens_the_same_route(self, client, ann, form):
        """In its own header, as a bearer, and as a double click copies it."""
        assert client.get("/me", headers=form(ann["key"])).get_json()["kind"] == "api_key"

    def test_scheme_is_read_in_any_case(self, client, ann):
        """RFC 9110: schemes are case-insensitive."""
        assert client.get("/me", headers={"Authorization": f"bEaReR  {ann['access']} "}).status_code == 200

    def test_limits_are_announced(self, client, ann):
        """The policy and what is left of it."""
        headers = client.get("/read/1", headers=bearer(ann["access"])).headers
        assert headers["RateLimit-Policy"] == '"read";q=2;w=60'
        assert headers["RateLimit"] == '"read";r=1;t=60'
        assert "Retry-After" not in headers

    def test_refresh_opens_a_new_access_token(self, client, ann):
        """And only the route for it."""
        access = client.post("/refresh", headers=bearer(ann["refresh"])).get_json()["access"]
        assert client.get("/me", headers=bearer(access)).status_code == 200

    def test_refreshed_token_may_do_no_more(self, client, ann):
        """A session that was opened for reading never writes."""
        access = client.post("/refresh", headers=bearer(ann["refresh"])).get_json()["access"]
        assert client.get("/read/1", headers=bearer(access)).status_code == 200
        assert client.get("/write", headers=bearer(access)).get_json()["code"] == "INSUFFICIENT_SCOPE"

    def test_asynchronous_view_is_guarded(self, app, ann, monkeypatch):
        """A coroutine function is a view like any other."""
        monkeypatch.setattr(
            app, "ensure_sync", lambda view: (lambda: run(view())) if inspect.iscoroutinefunction(view) else view
        )
        answers = [app.test_client().get("/heavy", headers=bearer(ann["access"])) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]

    def test_head_is_guarded_like_get(self, client, ann):
        """And its refusal has no body."""
        assert client.head("/me", headers=bearer(ann["access"])).status_code == 200
        refused = client.head("/me")
        assert (refused.status_code, refused.data) == (401, b"")

    def test_unguarded_and_exempt_routes_are_let_through(self, client):
        """The gate guards what it was asked to guard."""
        for _ in range(300):
            assert client.get("/alive").status_code == 200
        assert client.get("/page").data == b"<p>free</p>"

    def test_unguarded_route_has_no_decision(self, app, client):
        """Asking for a principal where nobody was asked for one is a fault of the program."""
        gate = Gate()
        with app.test_request_context("/page"), pytest.raises(LookupError, match="not guarded"):
            _ = gate.decision

    def test_preflight_and_options_are_never_limited(self, client):
        """A browser asks before it shows anything."""
        for _ in range(20):
            assert client.options("/me").status_code == 200


def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the view waited for something")


class Test400:
    def test_two_credentials_are_refused(self, client, ann):
        """RFC 6750: one credential per request."""
        answer = client.get("/me", headers=bearer(ann["access"], **{"X-API-Key": ann["key"]}))
        assert (answer.status_code, answer.get_json()["code"]) == (400, "INVALID_REQUEST")


class Test401:
    def test_nothing_shown_is_challenged_without_an_error(self, client):
        """RFC 6750, section 3: no error code when nothing was sent."""
        answer = client.get("/me")
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.get_json()["code"] == "TOKEN_MISSING"

    def test_other_schemes_show_nothing(self, client):
        """Basic belongs to somebody else."""
        assert client.get("/me", headers={"Authorization": "Basic abc"}).get_json()["code"] == "TOKEN_MISSING"

    @pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer x.y.z", "Bearer é"])
    def test_malformed_credentials_are_invalid(self, client, value):
        """With the challenge that says so."""
        answer = client.get("/me", headers={"Authorization": value})
        assert (answer.status_code, answer.get_json()["code"]) == (401, "INVALID_TOKEN")
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'

    def test_token_in_the_address_is_no_credential(self, client, ann):
        """Addresses end up in logs."""
        assert client.get(f"/me?access_token={ann['access']}").get_json()["code"] == "TOKEN_MISSING"

    def test_expired_token_says_so(self, client, ann, clock):
        """The text that the documents promise."""
        clock.advance(900)
        body = client.get("/me", headers=bearer(ann["access"])).get_json()
        assert (body["code"], body["message"]) == ("TOKEN_EXPIRED", "Token has expired")

    def test_logout_kills_both_tokens_at_once(self, client, ann):
        """On the very next request."""
        assert client.post("/logout", headers=bearer(ann["access"])).status_code == 200
        for path, token in (("/me", ann["access"]), ("/refresh", ann["refresh"])):
            body = client.open(path, method="GET" if path == "/me" else "POST", headers=bearer(token)).get_json()
            assert (body["code"], body["message"]) == ("TOKEN_REVOKED", "Token has been revoked")

    def test_dropped_key_is_dead(self, client, ann):
        """On the very next request."""
        assert client.post("/drop", headers={"X-API-Key": ann["key"]}).status_code == 200
        body = client.post("/drop", headers={"X-API-Key": ann["key"]}).get_json()
        assert (body["code"], body["error"]) == ("API_KEY_INVALID", "Invalid API key")

    def test_tokens_of_another_key_are_refused(self, make_app, tmp_path, clock):
        """A secret binds tokens to a service."""
        token = Signer(b"another secret of another service 0123456789").issue_access("ann", "s", now_ms=clock.now_ms())
        assert make_app().test_client().get("/me", headers=bearer(token)).get_json()["code"] == "INVALID_TOKEN"


class Test403:
    def test_missing_scope_is_named(self, client, ann):
        """RFC 6750, section 3.1."""
        answer = client.get("/write", headers=bearer(ann["access"]))
        assert (answer.status_code, answer.get_json()["code"]) == (403, "INSUFFICIENT_SCOPE")
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="write"'

    def test_premium_route_asks_for_premium(self, client, ann):
        """The document's text."""
        body = client.get("/premium", headers=bearer(ann["access"])).get_json()
        assert (body["status"], body["error"], body["code"]) == (403, "Premium account required", "PREMIUM_REQUIRED")

    def test_disabled_account_is_told(self, app, client, ann):
        """From the next request."""
        with app.app_context():
            Gate().issuer.set_account("ann", is_active=False)
        body = client.get("/me", headers=bearer(ann["access"])).get_json()
        assert (body["status"], body["error"]) == (403, "Account disabled")


class Test429:
    def test_refusal_says_what_and_how_long(self, client, ann):
        """The second document's three keys, RFC 9457's members, and a truthful Retry-After."""
        for _ in range(2):
            client.get("/read/1", headers=bearer(ann["access"]))
        answer = client.get("/read/2", headers=bearer(ann["access"]))
        body = answer.get_json()
        assert answer.status_code == 429
        assert answer.content_type == "application/problem+json"
        assert (body["error"], body["message"]) == ("Rate limit exceeded", "Too many requests. Limit: 2 per 1 minute")
        assert body["retry_after"] == 60 == int(answer.headers["Retry-After"])
        assert body["instance"] == f"urn:request:{answer.headers['X-Request-ID']}"
        assert body["violated-policies"] == ["read"]
        assert answer.headers["RateLimit"] == '"read";r=0;t=60'

    def test_waiting_retry_after_is_enough(self, client, ann, clock):
        """Exactly that many seconds."""
        for _ in range(2):
            client.get("/read/1", headers=bearer(ann["access"]))
        clock.advance(client.get("/read/1", headers=bearer(ann["access"])).get_json()["retry_after"])
        assert client.get("/read/1", headers=bearer(ann["access"])).status_code == 200

    def test_tier_limits_every_route_without_its_own(self, client, ann):
        """Five a minute over /me and /write together, and /read beside them."""
        codes = [client.get("/me", headers=bearer(ann["access"])).status_code for _ in range(6)]
        assert codes == [200] * 5 + [429]
        assert client.get("/read/1", headers=bearer(ann["access"])).status_code == 200

    def test_open_route_is_limited_by_address(self, client):
        """Whoever asks."""
        codes = [client.post("/login").status_code for _ in range(4)]
        assert codes == [200] * 3 + [429]
        assert client.post("/login", environ_overrides={"REMOTE_ADDR": "192.0.2.9"}).status_code == 200

    def test_forwarded_address_is_not_believed(self, client):
        """A header that anybody can write does not choose the counter."""
        codes = [client.post("/login", headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code for n in range(4)]
        assert codes[-1] == 429


class Test503:
    def test_store_that_fails_is_told(self, client, ann, tmp_path, monkeypatch):
        """Closed, with a time to come back."""
        monkeypatch.setattr("voxgate.gate.stores.sqlite_schema.FIND_SESSION", "SELECT nonsense")
        answer = client.get("/me", headers=bearer(ann["access"]))
        assert (answer.status_code, answer.get_json()["code"]) == (503, "STORE_UNAVAILABLE")
        assert answer.headers["Retry-After"] == "1"


class TestRequestIds:
    def test_no_two_are_alike_whichever_threads_ask(self):
        """Thousands of them, and each of the length that the answers count with."""
        with ThreadPoolExecutor(4) as threads:
            asked = threads.map(lambda _: [request_id({}) for _ in range(5000)], range(4))
            ids = [each for of_one in asked for each in of_one]
        assert len(set(ids)) == 20_000
        assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in ids)

    def test_ids_differ_also_in_a_forked_process(self):
        """A child has numbers of its own."""
        here = {request_id({}) for _ in range(100)}
        readable, writable = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writable, request_id({}).encode())
            os._exit(0)
        os.waitpid(child, 0)
        there = os.read(readable, 64).decode()
        assert len(here) == 100
        assert there[:16] not in {each[:16] for each in here}


class TestEveryAnswer:
    @pytest.mark.parametrize("path", ["/me", "/alive", "/page", "/nowhere"])
    def test_carries_an_id_and_security_headers(self, client, path):
        """Allowed, refused, free or missing."""
        headers = client.get(path).headers
        assert re.fullmatch(r"[0-9a-f]{32}", headers["X-Request-ID"])
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"

    def test_what_a_view_sets_is_kept(self, client):
        """Defaults never replace a view's own header."""
        assert client.get("/page").headers.getlist("Content-Security-Policy") == ["default-src 'self'"]

    def test_page_may_load_what_it_needs_and_json_nothing(self, client):
        """Only the view knows what its page needs; neither may be framed."""
        page, answer = (client.get(path).headers["Content-Security-Policy"] for path in ("/plain", "/alive"))
        assert "default-src" not in page
        assert "default-src 'none'" in answer
        assert all("frame-ancestors 'none'" in policy for policy in (page, answer))

    def test_guarded_answers_are_not_stored(self, client, ann):
        """They are about somebody."""
        assert client.get("/me", headers=bearer(ann["access"])).headers["Cache-Control"] == "no-store"
        assert client.get("/me").headers["Cache-Control"] == "no-store"

    def test_transport_is_pinned_over_tls_alone(self, client):
        """HSTS over plain HTTP means nothing; over TLS every answer carries it."""
        assert "Strict-Transport-Security" in client.get("/me", base_url="https://x").headers
        assert "Strict-Transport-Security" not in client.get("/alive").headers
        assert "max-age=63072000" in client.get("/alive", base_url="https://x").headers["Strict-Transport-Security"]

    @pytest.mark.parametrize("given", ["a b", "x" * 129, "é", "", "a\tb"])
    def test_request_id_that_is_unsafe_to_log_is_replaced(self, client, given):
        """No forged line through the id."""
        answer = client.get("/alive", headers={"X-Request-ID": given})
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


class TestCors:
    ORIGIN = "https://app.example"

    @pytest.fixture
    def client(self, make_app):
        return make_app(VOXGATE_CORS_ORIGINS=[self.ORIGIN]).test_client()

    def test_allowed_origin_may_read_every_answer(self, client):
        """Refusals too, or a browser could not read them."""
        for path in ("/me", "/alive", "/nowhere"):
            headers = client.get(path, headers={"Origin": self.ORIGIN}).headers
            assert headers["Access-Control-Allow-Origin"] == self.ORIGIN
            assert "Retry-After" in headers["Access-Control-Expose-Headers"]
            assert "Origin" in headers["Vary"]

    @pytest.mark.parametrize(
        "origin", ["https://app.example.evil", "http://app.example", "null", "https://APP.example"]
    )
    def test_other_origins_are_not_reflected(self, client, origin):
        """Exact match."""
        headers = client.get("/me", headers={"Origin": origin}).headers
        assert "Access-Control-Allow-Origin" not in headers
        assert headers["Vary"] == "Origin"

    def test_preflight_is_answered_at_the_door(self, client):
        """Without a credential and without a limit."""
        ask = {"Origin": self.ORIGIN, "Access-Control-Request-Method": "GET"}
        for _ in range(20):
            answer = client.options("/me", headers=ask)
            assert answer.status_code == 204
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]

    def test_preflight_of_another_origin_gets_no_permission(self, client):
        """The browser then keeps its page out."""
        answer = client.options("/me", headers={"Origin": "https://x", "Access-Control-Request-Method": "GET"})
        assert "Access-Control-Allow-Origin" not in answer.headers


class TestRuleHoldsInside:
    """A view that is reached without the door having found its rule is guarded all the same."""

    @pytest.fixture
    def client(self, tmp_path, clock):
        app = Flask("hosts", instance_path=str(tmp_path), host_matching=True, static_host="static.example")
        app.config.update(JWT_SECRET_KEY=SECRET)
        gate = Gate(app, Parts(clock=clock))

        @app.get("/x", host="a.example")
        @gate.protect(limits="1 per minute")
        def guarded():
            return jsonify(subject=gate.principal.subject)

        with app.app_context():
            gate.issuer.set_account("ann")
            self.token = gate.issuer.open_session("ann").access_token
        return app.test_client()

    def test_refusal_is_the_same(self, client):
        """Nothing shown: the same body, status and headers."""
        answer = client.get("/x", base_url="http://a.example")
        assert (answer.status_code, answer.get_json()["code"]) == (401, "TOKEN_MISSING")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert len(answer.headers.getlist("X-Request-ID")) == 1

    def test_rule_of_the_view_holds_where_the_door_saw_another(self, tmp_path, clock):
        """Proofs and refusals of one rule are never taken for the other's."""
        app = Flask("two", instance_path=str(tmp_path), host_matching=True, static_host="static.example")
        app.config.update(JWT_SECRET_KEY=SECRET)
        gate = Gate(app, Parts(clock=clock))
        app.add_url_rule("/x", "free", gate.protect(scopes="read")(lambda: "free"), host="localhost")
        app.add_url_rule("/x", "tight", gate.protect(scopes="write")(lambda: "tight"), host="a.example")
        with app.app_context():
            token = gate.issuer.open_session("ann", scopes=frozenset({"read"})).access_token
        client = app.test_client()
        for _ in range(2):
            assert client.get("/x", base_url="http://localhost", headers=bearer(token)).data == b"free"
            answer = client.get("/x", base_url="http://a.example", headers=bearer(token))
            assert answer.get_json()["code"] == "INSUFFICIENT_SCOPE"

    def test_limit_holds(self, client):
        """One a minute."""
        answers = [client.get("/x", base_url="http://a.example", headers=bearer(self.token)) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert answers[0].get_json() == {"subject": "ann"}


class TestSettings:
    def test_documents_names_are_understood(self, make_app, clock):
        """Lifetimes as the documents write them."""
        app = make_app(
            JWT_ACCESS_TOKEN_EXPIRES=timedelta(hours=1), JWT_REFRESH_TOKEN_EXPIRES=86_400, JWT_ALGORITHM="HS256"
        )
        access = app.test_client().post("/login").get_json()["access"]
        clock.advance(3599)
        assert app.test_client().get("/me", headers=bearer(access)).status_code == 200
        clock.advance(1)
        assert app.test_client().get("/me", headers=bearer(access)).get_json()["code"] == "TOKEN_EXPIRED"

    def test_default_is_the_standard_tier_when_that_is_not_set(self, tmp_path):
        """RATELIMIT_DEFAULT alone limits everybody."""
        app = Flask("x", instance_path=str(tmp_path))
        app.config.update(RATELIMIT_DEFAULT="1 per minute")
        gate = Gate(app)
        app.get("/x")(gate.protect()(lambda: "x"))
        with app.app_context():
            gate.issuer.set_account("ann")
            token = gate.issuer.open_session("ann").access_token
        assert [app.test_client().get("/x", headers=bearer(token)).status_code for _ in range(2)] == [200, 429]

    def test_secret_is_made_and_kept_without_a_setting(self, tmp_path):
        """In the instance folder; a second start reads it."""
        for _ in range(2):
            Gate(Flask("x", instance_path=str(tmp_path)))
        assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600

    def test_policy_from_a_setting(self, tmp_path):
        """RATELIMIT_TTS_GENERATE is the policy tts-generate."""
        app = Flask("x", instance_path=str(tmp_path))
        app.config.update(RATELIMIT_TTS_GENERATE="1 per minute")
        gate = Gate(app)
        app.get("/x")(gate.open(policy="tts-generate")(lambda: "x"))
        gate.check_rules(app)
        assert [app.test_client().get("/x").status_code for _ in range(2)] == [200, 429]

    def test_policy_that_is_not_set_stops_the_start(self, tmp_path):
        """The message names the setting."""
        app = Flask("x", instance_path=str(tmp_path))
        gate = Gate(app)
        app.get("/x")(gate.open(policy="tts-generate")(lambda: "x"))
        with pytest.raises(ConfigurationError, match="RATELIMIT_TTS_GENERATE"):
            gate.check_rules(app)

    @pytest.mark.parametrize(
        ("settings", "match"),
        [
            ({"VOXGATE_STOER": "x"}, "VOXGATE_STOER: is not a setting; did you mean VOXGATE_STORE"),
            ({"VOXGATE_ZZZ": "x"}, "VOXGATE_ZZZ: is not a setting"),
            ({"JWT_ALGORITHM": "none"}, "JWT_ALGORITHM"),
            ({"JWT_SECRET_KEY": "super-secret-key"}, "JWT_SECRET_KEY"),
            ({"JWT_ACCESS_TOKEN_EXPIRES": False}, "JWT_ACCESS_TOKEN_EXPIRES"),
            ({"JWT_ACCESS_TOKEN_EXPIRES": -5}, "JWT_ACCESS_TOKEN_EXPIRES"),
            ({"JWT_DECODE_LEEWAY": 60}, "JWT_DECODE_LEEWAY"),
            ({"RATELIMIT_DEFAULT": "often"}, "RATELIMIT_DEFAULT: 'often'"),
            ({"RATELIMIT_STORAGE_URL": "memcached://x"}, "RATELIMIT_STORAGE_URL: there is no store memcached://"),
            ({"VOXGATE_STORE": "redis://h:port"}, "VOXGATE_STORE: "),
        ],
    )
    def test_setting_that_cannot_be_meant_stops_the_start(self, tmp_path, settings, match):
        """And is named."""
        app = Flask("x", instance_path=str(tmp_path))
        app.config.update(settings)
        with pytest.raises(ConfigurationError, match=re.escape(match)):
            Gate(app)

    @pytest.mark.parametrize("name", ["JWT_COOKIE_SECURE", "RATELIMIT_HEADERS_ENABLED"])
    def test_settings_of_other_extensions_are_warned_about(self, tmp_path, name):
        """They may be there for somebody else; they do nothing here."""
        app = Flask("x", instance_path=str(tmp_path))
        app.config[name] = True
        with pytest.warns(UserWarning, match=name):
            Gate(app)

    @pytest.mark.parametrize(
        ("name", "value", "hint"),
        [
            ("JWT_ACESS_TOKEN_EXPIRES", 60, "JWT_ACCESS_TOKEN_EXPIRES"),
            ("RATELIMIT_STANDRAD", "5 per minute", "RATELIMIT_STANDARD"),
            ("RATELIMIT_STORAGE_URLL", "redis://h", "RATELIMIT_STORAGE_URL"),
        ],
    )
    def test_misspelled_setting_is_warned_about_with_the_right_name(self, tmp_path, name, value, hint):
        """Such a name may belong to somebody else or be a policy, so it cannot stop the start."""
        app = Flask("x", instance_path=str(tmp_path))
        app.config[name] = value
        with pytest.warns(UserWarning, match=re.escape(f"did you mean {hint}?")):
            Gate(app)

    def test_settings_of_the_documents_are_not_warned_about(self, make_app):
        """Silence for what is understood."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            make_app(RATELIMIT_PREMIUM="1000 per minute", JWT_ENCODE_ISSUER="me", JWT_ENCODE_AUDIENCE="you")


def test_one_gate_serves_several_applications(tmp_path):
    """Its state is in the applications."""
    gate = Gate()
    blueprint = Blueprint("b", __name__)
    blueprint.get("/x")(gate.open(limits="1 per minute")(lambda: "x"))
    clients = []
    for name in ("one", "two"):
        app = Flask(name, instance_path=str(tmp_path / name))
        gate.init_app(app)
        app.register_blueprint(blueprint)
        clients.append(app.test_client())
    assert [client.get("/x").status_code for client in (*clients, *clients)] == [200, 200, 429, 429]


def test_gate_without_an_application_says_what_is_missing():
    """A decorator without a gate must not leave a route open."""
    app = Flask("x")
    app.get("/x")(Gate.protect()(lambda: "open"))
    app.testing = True
    with pytest.raises(LookupError, match="no Gate stands around"):
        app.test_client().get("/x")


def test_view_may_spend_and_read_policies(tmp_path):
    """A login spends what belongs to an account; looking spends nothing."""
    app = Flask("x", instance_path=str(tmp_path))
    app.config.update(RATELIMIT_TRY="1 per minute")
    gate = Gate(app)

    @app.get("/x")
    @gate.open()
    def view():
        refusal = gate.spend({"try": "account:ann"})
        limit = gate.admission.tiers.policy("try")[0]
        used = gate.usage([Charge(limit, "account:ann")])[0].used
        with pytest.raises(LookupError, match="asks for no credential"):
            _ = gate.principal
        return jsonify(code=refusal and refusal.code, used=used)

    answers = [app.test_client().get("/x").get_json() for _ in range(2)]
    assert answers == [{"code": None, "used": 1}, {"code": "RATE_LIMITED", "used": 1}]


def test_view_may_decide_for_another_service_and_limit_by_network(tmp_path, clock):
    """Under a rule that is not its own, and by the address as limits count it: IPv6 by its network."""
    app = Flask("x", instance_path=str(tmp_path))
    gate = Gate(app, Parts(clock=clock))

    @app.get("/x")
    @gate.exempt
    def view():
        route = gate.admission.prepare(Rule(policy="other", limits="1 per minute"), name="other")
        decision = gate.decide(route, path="/other")
        return jsonify(code=decision.refusal and decision.refusal.code, partition=gate.address_partition)

    with app.app_context():
        gate.issuer.set_account("ann")
        token = gate.issuer.open_session("ann").access_token
    ask = partial(app.test_client().get, "/x", environ_base={"REMOTE_ADDR": "2001:db8:1:2:3::7"})
    answers = [ask(headers=bearer(token)).get_json() for _ in range(2)]
    assert [each["code"] for each in answers] == [None, "RATE_LIMITED"]
    assert ask().get_json() == {"code": "TOKEN_MISSING", "partition": "ip:2001:db8:1:2::/64"}


def test_body_of_a_refusal_can_be_given_another_form(tmp_path):
    """For routes that promise a form of their own."""
    app = Flask("x", instance_path=str(tmp_path))
    gate = Gate(app, Parts(body_filter=lambda path, body: {"msg": body["message"], "path": path}))
    app.get("/x")(gate.protect()(lambda: "x"))
    assert app.test_client().get("/x").get_json()["path"] == "/x"


def test_faults_of_fields_are_told_all_at_once():
    """RFC 9457 with a pointer for every bad field."""
    faults = (FieldFault("/text", "too long"), FieldFault("/speed", "too fast"))
    body = problem_body(Refusal("INVALID_REQUEST", faults=faults), request_id="1")
    assert body["errors"] == [
        {"pointer": "/text", "detail": "too long"},
        {"pointer": "/speed", "detail": "too fast"},
    ]


def test_policies_nearest_to_exhaustion_are_announced():
    """Two of them; the draft asks for brevity."""
    readings = [Reading(Limit(name, 10, 60), used, 60_000) for name, used in (("a", 1), ("b", 9), ("c", 5))]
    assert dict(limit_headers(readings)) == {
        "RateLimit-Policy": '"b";q=10;w=60, "c";q=10;w=60',
        "RateLimit": '"b";r=1;t=60, "c";r=5;t=60',
    }


@pytest.mark.parametrize("used", [0, 10])
def test_of_limits_that_are_equally_spent_the_first_are_announced(used):
    """In the order in which the operator has written them."""
    readings = [Reading(Limit(name, 10, 60), used, 60_000) for name in "abc"]
    assert dict(limit_headers(readings))["RateLimit-Policy"] == '"a";q=10;w=60, "b";q=10;w=60'


def test_limit_of_what_runs_at_once_is_announced_as_such():
    """The draft's own unit for it."""
    reading = Reading(parse_limits("2 at once", name="slots")[0], 1, 0)
    assert dict(limit_headers([reading]))["RateLimit-Policy"] == '"slots";q=2;qu="concurrent-requests"'


def test_what_is_kept_of_announced_limits_is_bounded(monkeypatch):
    """A service that makes limits without end does not fill the memory, and each is announced as it is."""
    monkeypatch.setattr(headers_of_answers, "_announced", {})
    monkeypatch.setattr(headers_of_answers, "_MAX_KEPT", 2)
    for quota in range(1, 6):
        reading = Reading(Limit("made", quota, 60), 0, 0)
        assert dict(limit_headers([reading]))["RateLimit-Policy"] == f'"made";q={quota};w=60'
    assert len(headers_of_answers._announced) <= 2


def test_cost_out_of_bounds_is_refused():
    """A cost that no window can hold is a fault of the program."""
    with pytest.raises(ConfigurationError, match="cost"):
        Gate.protect(cost=0)


def test_cost_that_its_limits_never_admit_stops_the_start(tmp_path):
    """No time to wait would be true; an account may still be given more or less than that."""
    app = Flask("x", instance_path=str(tmp_path))
    gate = Gate(app)
    app.get("/x")(gate.protect(limits="10 per minute; 100 per hour", cost=11)(lambda: "x"))
    with pytest.raises(ConfigurationError, match="a cost of 11 never fits into 10 per 1 minute"):
        gate.check_rules(app)


class TestArgumentsOfDecorators:
    """What is written at a route is read when the module is, and a misspelled word never leaves the route open."""

    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            ({"scope": "orders:read"}, "scope: is no argument of this decorator; did you mean scopes?"),
            ({"limit": "1 per minute"}, "limit: is no argument of this decorator; did you mean limits?"),
            ({"zzz": 1}, "zzz: is no argument of this decorator; there are credentials, scopes"),
            ({"credentials": ["token"]}, "credentials: ['token'] must be some of access, refresh, api_key"),
            ({"credentials": []}, "credentials: [] must be some of"),
        ],
    )
    def test_what_cannot_be_meant_stops_the_start(self, arguments, match):
        """And is named, with what would be right."""
        with pytest.raises(ConfigurationError, match=re.escape(match)):
            Gate.protect(**arguments)

    def test_open_takes_no_misspelled_word_either(self):
        """A limit that is not read is no limit."""
        with pytest.raises(ConfigurationError, match="did you mean limits"):
            Gate.open(limit="1 per minute")

    def test_credentials_may_be_words(self, make_app):
        """As scopes may."""
        app = make_app()
        app.get("/own")(Gate.protect(credentials="access refresh")(lambda: "own"))
        tokens = app.test_client().post("/login").get_json()
        shown = [{"Authorization": f"Bearer {tokens[kind]}"} for kind in ("access", "refresh", "key")]
        assert [app.test_client().get("/own", headers=each).status_code for each in shown] == [200, 200, 403]


def test_library_offers_the_gate_by_one_name():
    """``from voxgate.gate import Gate`` is what the page says."""
    assert GateOfTheLibrary is Gate


class TestRememberedRefusals:
    """A refusal that cannot have changed is answered by the door alone."""

    def exhaust(self, client, ann):
        for _ in range(2):
            client.get("/read/1", headers=bearer(ann["access"]))
        return client.get("/read/1", headers=bearer(ann["access"]))

    def test_limit_costs_one_store_call_in_two_seconds(self, client, ann, trips, clock):
        """Nine hundred refused requests in nine seconds: four calls."""
        self.exhaust(client, ann)
        trips.clear()
        for _ in range(9):
            clock.advance(1)
            for _ in range(100):
                assert client.get("/read/2", headers=bearer(ann["access"])).status_code == 429
        assert len(trips) == 4

    def test_answer_is_the_same_but_for_its_id_and_wait(self, client, ann, clock):
        """Status, body and headers; the wait is true each time."""
        first = self.exhaust(client, ann)
        clock.advance(0.6)
        again = client.get("/read/1", headers=bearer(ann["access"], **{"X-Request-ID": "mine"}))
        changing = {"X-Request-ID", "Content-Length"}
        same = [{name: value for name, value in each.headers if name not in changing} for each in (first, again)]
        assert same[0] == same[1]
        assert again.get_json() == first.get_json() | {"instance": "urn:request:mine"}
        assert int(again.headers["Content-Length"]) == len(again.data)

    def test_head_is_remembered_without_a_body(self, client, ann):
        """As the first answer to HEAD."""
        self.exhaust(client, ann)
        assert client.head("/read/1", headers=bearer(ann["access"])).data == b""

    def test_refusal_is_given_whole_to_the_server(self, app):
        """As a list, which servers send at once; the first time and when it is remembered, with and without a body."""
        answers = [
            app(EnvironBuilder("/read/1", method=method, headers=bearer("x.y.z")).get_environ(), lambda *_: None)
            for method in ("GET", "GET", "HEAD")
        ]
        assert [type(answer) for answer in answers] == [list, list, list]
        assert [len(answer) for answer in answers] == [1, 1, 0]

    def test_wait_that_shrinks_is_told(self, client, ann, clock, app, monkeypatch):
        """Header and body together, for a memo that holds longer than a second."""
        monkeypatch.setattr("voxgate.gate.memo.MAX_AGE_MS", 5000)
        self.exhaust(client, ann)
        clock.advance(3)
        answer = client.get("/read/1", headers=bearer(ann["access"]))
        assert answer.headers["Retry-After"] == "57"
        assert answer.get_json()["retry_after"] == 57

    def test_ended_session_and_bad_token_cost_nothing(self, client, ann, trips):
        """After the first refusal."""
        client.post("/logout", headers=bearer(ann["access"]))
        client.get("/me", headers=bearer(ann["access"]))
        trips.clear()
        for _ in range(50):
            assert client.get("/me", headers=bearer(ann["access"])).get_json()["code"] == "TOKEN_REVOKED"
            assert client.get("/me", headers=bearer("x.y.z")).get_json()["code"] == "INVALID_TOKEN"
        assert trips == []

    def test_logout_is_told_also_to_who_is_limited(self, client, ann):
        """A remembered limit does not hide that the session has ended."""
        self.exhaust(client, ann)
        client.post("/logout", headers=bearer(ann["access"]))
        assert client.get("/read/1", headers=bearer(ann["access"])).get_json()["code"] == "TOKEN_REVOKED"

    def test_other_credentials_and_routes_are_not_refused_with_it(self, client, ann):
        """What is remembered is this credential on this route."""
        self.exhaust(client, ann)
        assert client.get("/me", headers=bearer(ann["access"])).status_code == 200
        assert client.get("/alive").status_code == 200

    def test_change_of_tier_or_a_reset_holds_at_once(self, app, client, ann):
        """In this process from the next request."""
        assert self.exhaust(client, ann).status_code == 429
        app.extensions["voxgate"].admission.store.reset("user:ann")
        assert client.get("/read/1", headers=bearer(ann["access"])).status_code == 200

    def test_change_by_another_process_holds_at_once_on_the_embedded_store(self, app, client, ann, tmp_path, clock):
        """The file says that another process has changed it."""
        assert self.exhaust(client, ann).status_code == 429
        other = open_store(tmp_path / "gate.db", clock=clock)
        other.reset("user:ann")
        other.close()
        assert client.get("/read/1", headers=bearer(ann["access"])).status_code == 200

    def test_addresses_are_remembered_on_open_routes(self, client, trips):
        """Whatever credentials are shown there."""
        for _ in range(4):
            client.post("/login")
        trips.clear()
        assert client.post("/login", headers=bearer("anything")).status_code == 429
        assert client.post("/login", environ_overrides={"REMOTE_ADDR": "192.0.2.9"}).status_code == 200
        assert len(trips) == 1


class TestAtOnce:
    """A route with a limit of what runs at once holds it for as long as its answer takes."""

    @pytest.fixture
    def client(self, tmp_path, clock):
        app = Flask("slow", instance_path=str(tmp_path))
        gate = Gate(app, Parts(clock=clock))

        @app.get("/slow")
        @gate.protect(limits="2 at once; 9 per minute")
        def slow():
            return app.response_class(iter(["a", "b"]))

        @app.get("/open")
        @gate.open(limits="1 at once")
        def opened():
            return app.response_class(iter(["a"]))

        with app.app_context():
            token = gate.issuer.open_session("ann").access_token
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return client

    def test_third_request_at_once_is_refused(self, client):
        """Until one of the two has ended, and a request id of one's own choice changes nothing."""
        running = [client.get("/slow", headers={"X-Request-ID": "same"}) for _ in range(2)]
        assert client.get("/slow").status_code == 429
        running[0].close()
        answer = client.get("/slow")
        assert answer.status_code == 200
        assert answer.headers["RateLimit-Policy"] == '"slow";q=2;qu="concurrent-requests", "slow";q=9;w=60'
        for each in (running[1], answer):
            each.close()

    def test_what_has_ended_holds_nothing(self, client):
        """One after another, as many as the other limits let."""
        codes = []
        for _ in range(9):
            with client.get("/slow") as answer:
                codes.append(answer.status_code)
        assert codes == [200] * 9

    def test_open_route_holds_by_address(self, client):
        """And gives back there too."""
        for _ in range(3):
            with client.get("/open") as first:
                assert (first.status_code, client.get("/open").status_code) == (200, 429)

    def test_store_that_is_gone_at_the_end_does_no_harm(self, client, monkeypatch):
        """The lease then ends by itself."""

        def gone(*_, **__):
            raise StoreUnavailableError("gone")

        store = client.application.extensions["voxgate"].admission.store
        with client.get("/slow") as answer:
            monkeypatch.setattr(store, "release", gone)
            assert answer.data == b"ab"


def test_second_gate_around_an_application_is_refused(tmp_path):
    """It would count every request twice."""
    app = Flask("x", instance_path=str(tmp_path))
    gate = Gate(app)
    with pytest.raises(ConfigurationError, match="already"):
        gate.init_app(app)


def test_session_makes_the_account_that_it_needs(tmp_path):
    """With the lowest tier; an account that is known stays as it is."""
    app = Flask("x", instance_path=str(tmp_path))
    gate = Gate(app)
    app.get("/x")(gate.protect()(lambda: {"tier": gate.principal.tier}))
    with app.app_context():
        new = gate.issuer.open_session("new").access_token
        gate.issuer.set_account("known", tier="premium")
        known = gate.issuer.open_session("known").access_token
        key = gate.issuer.new_key("other").text
    client = app.test_client()
    tiers = [client.get("/x", headers=bearer(each)).get_json()["tier"] for each in (new, known, key)]
    assert tiers == ["standard", "premium", "standard"]


def test_view_answers_a_refusal_as_the_door_does(tmp_path):
    """The same form, also for what a view has spent itself."""
    app = Flask("x", instance_path=str(tmp_path))
    app.config.update(RATELIMIT_TRY="1 per minute")
    gate = Gate(app)

    @app.get("/x")
    @gate.open()
    def view():
        refusal = gate.spend({"try": "account:ann"})
        return gate.refuse(refusal) if refusal else "ok"

    client = app.test_client()
    assert [client.get("/x").status_code for _ in range(2)] == [200, 429]
    answer = client.get("/x")
    assert (answer.content_type, answer.get_json()["retry_after"]) == ("application/problem+json", 60)
    assert answer.headers["Retry-After"] == "60"


class TestStoreGoneWithinAView:
    """A view that opens a session finds the store gone, which the door could not know."""

    @pytest.fixture
    def make_client(self, tmp_path, monkeypatch):
        def make_client(handlers=()):
            app = Flask("x", instance_path=str(tmp_path))
            for kind, answer in handlers:
                app.register_error_handler(kind, answer)
            gate = Gate(app)
            app.post("/login")(gate.exempt(lambda: {"access_token": gate.issuer.open_session("ann").access_token}))

            def gone(_):
                raise StoreUnavailableError("gone")

            monkeypatch.setattr(app.extensions["voxgate"].admission.store, "put_state", gone)
            return app.test_client()

        return make_client

    def test_is_answered_as_the_door_would(self, make_client):
        """503 and a time to wait, and no 500 that looks like a bug."""
        answer = make_client().post("/login")
        assert (answer.status_code, answer.get_json()["code"]) == (503, "STORE_UNAVAILABLE")
        assert answer.headers["Retry-After"] == "1"

    def test_is_answered_by_the_application_where_it_says_how(self, make_client):
        """Its own handler stays."""
        answer = make_client([(StoreUnavailableError, lambda _: ("later", 599))]).post("/login")
        assert (answer.status_code, answer.text) == (599, "later")


def test_degraded_decision_is_marked(tmp_path, clock, monkeypatch):
    """In a header, while the store is out of reach and the policy decides alone."""
    app = Flask("x", instance_path=str(tmp_path))
    app.config.update(VOXGATE_ON_TROUBLE={"default": "local"}, VOXGATE_PROCESSES=2)
    gate = Gate(app, Parts(clock=clock))
    app.get("/x")(gate.open()(lambda: "x"))

    def gone(_):
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(app.extensions["voxgate"].admission.store, "decide", gone)
    answer = app.test_client().get("/x")
    assert (answer.status_code, answer.headers["X-Gate-Degraded"]) == (200, "1")
    assert answer.headers["RateLimit-Policy"] == '"default";q=50;w=60'


def test_unknown_mode_of_trouble_stops_the_start(tmp_path):
    """And is named."""
    app = Flask("x", instance_path=str(tmp_path))
    app.config.update(VOXGATE_ON_TROUBLE={"default": "maybe"})
    with pytest.raises(ConfigurationError, match="VOXGATE_ON_TROUBLE"):
        Gate(app)
