"""The gate and browsers: cookies as credentials, the proof against forged requests, CORS for each route."""

import pytest
from flask import Flask, jsonify

from voxgate.gate.errors import ConfigurationError
from voxgate.gate.flask import Gate, Parts
from voxgate.gate.flask.cookies import Cookies
from voxgate.gate.flask.csrf import Csrf
from voxgate.testing import FakeClock

SECRET = "a secret of the tests that is long enough, 0123456789"
ACCESS, REFRESH = "__Host-voxgate", "__Secure-voxgate-refresh"
HOME, FRIEND, EVIL = "https://api.example", "https://app.example", "https://evil.example"


@pytest.fixture
def make_gate(tmp_path):
    """Build an application whose sessions are in cookies; keyword arguments become its settings."""

    def make(**settings):
        app = Flask("shop", instance_path=str(tmp_path))
        app.config.update(
            JWT_SECRET_KEY=SECRET,
            JWT_TOKEN_LOCATION=["headers", "cookies"],
            JWT_REFRESH_COOKIE_PATH="/refresh",
            VOXGATE_CORS_ORIGINS=[FRIEND],
            RATELIMIT_STANDARD="4 per minute",
        )
        app.config.update(settings)
        gate = Gate(app, Parts(clock=FakeClock()))
        add_session_routes(app, gate)
        add_guarded_routes(app, gate)
        return app.test_client(use_cookies=False)

    return make


def add_session_routes(app, gate):
    @app.post("/login")
    @gate.open(limits="100 per minute")
    def login():
        pair = gate.issuer.open_session("ann")
        body = jsonify(access=pair.access_token, refresh=pair.refresh_token, key=gate.issuer.new_key("ann").text)
        return gate.set_cookies(body, pair)

    @app.post("/refresh")
    @gate.protect(credentials=("refresh",), limits="100 per minute")
    def refresh():
        pair = gate.issuer.renew(gate.principal)
        return gate.set_cookies(jsonify(access=pair.access_token), pair)

    @app.post("/logout")
    @gate.protect(credentials=("access",), limits="100 per minute")
    def logout():
        gate.issuer.end_session(gate.principal.credential_id)
        return gate.clear_cookies(jsonify())


def add_guarded_routes(app, gate):
    @app.route("/me", methods=["GET", "POST"])
    @gate.protect()
    def me():
        return jsonify(subject=gate.principal.subject, is_by_cookie=gate.is_by_cookie, token=gate.csrf_token())

    @app.route("/headers-only", methods=["GET", "POST"])
    @gate.protect(cookies=False, cors=())
    def headers_only():
        return jsonify()

    @app.route("/cookies-too", methods=["GET", "POST"])
    @gate.protect(cookies=True)
    def cookies_too():
        return jsonify()

    @app.get("/keys-only")
    @gate.protect(credentials=("api_key",))
    def keys_only():
        return jsonify()

    @app.route("/partners", methods=["POST", "DELETE"])
    @gate.protect(cors=["https://partner.example"])
    def partners():
        answer = jsonify()
        answer.headers["Vary"] = "Accept-Language"
        return answer

    @app.get("/alive")
    @gate.exempt
    def alive():
        return jsonify()


@pytest.fixture
def client(make_gate):
    return make_gate()


def cookies_of(answer):
    """Return the cookies that an answer sets: name to value and attributes."""
    found = {}
    for line in answer.headers.getlist("Set-Cookie"):
        (name, _, value), *attributes = (part.strip().partition("=") for part in line.split(";"))
        found[name] = value, {each[0].lower(): each[2] for each in attributes}
    return found


@pytest.fixture
def session(client):
    """The tokens of a new session, and the headers in which a browser shows its cookie."""
    answer = client.post("/login", base_url=HOME)
    token = cookies_of(answer)[ACCESS][0]
    return {**answer.get_json(), "cookie": {"Cookie": f"other=1; {ACCESS}={token}; last=2"}}


class TestCookies:
    def test_are_for_this_host_over_tls_and_hidden_from_scripts(self, client):
        """RFC 6265bis, section 4.1.3: the prefixes bind what the attributes promise."""
        found = cookies_of(client.post("/login", base_url=HOME))
        flags = {"secure": "", "httponly": "", "samesite": "Strict"}
        assert found[ACCESS][1] | {"expires": ""} == flags | {"path": "/", "max-age": "900", "expires": ""}
        assert found[REFRESH][1] | {"expires": ""} == flags | {
            "path": "/refresh",
            "max-age": "2592000",
            "expires": "",
        }

    def test_refresh_cookie_of_the_whole_host_has_the_stricter_name(self, make_gate):
        """Without a path of its own the token may as well be bound to the host."""
        found = cookies_of(make_gate(JWT_REFRESH_COOKIE_PATH="/", JWT_COOKIE_SAMESITE="Lax").post("/login"))
        assert found["__Host-voxgate-refresh"][1]["samesite"] == "Lax"

    def test_every_login_has_new_values(self, client):
        """Nobody can plant a session that a login then fills (session fixation)."""
        first, second = (cookies_of(client.post("/login")) for _ in range(2))
        assert first[ACCESS][0] != second[ACCESS][0]
        assert first[REFRESH][0] != second[REFRESH][0]

    def test_open_what_the_token_opens(self, client, session):
        """The same account, and the same budget, whatever way the token came."""
        answer = client.get("/me", headers=session["cookie"])
        assert (answer.get_json()["subject"], answer.get_json()["is_by_cookie"]) == ("ann", True)
        bearer = client.get("/me", headers={"Authorization": f"Bearer {session['access']}"})
        assert bearer.get_json()["is_by_cookie"] is False
        assert "r=2" in bearer.headers["RateLimit"]

    def test_refresh_cookie_gets_new_ones(self, client, session):
        """Only where the route takes refresh tokens."""
        shown = {"Cookie": f"{REFRESH}={session['refresh']}", "Sec-Fetch-Site": "same-origin"}
        assert cookies_of(client.post("/refresh", headers=shown)).keys() == {ACCESS, REFRESH}
        assert client.get("/me", headers=shown).get_json()["code"] == "TOKEN_MISSING"

    def test_logout_removes_them(self, client, session):
        """With the attributes that they were set with, or the browser keeps them."""
        same = {**session["cookie"], "Sec-Fetch-Site": "same-origin"}
        found = cookies_of(client.post("/logout", headers=same))
        assert {name: (value, each["max-age"], each["path"]) for name, (value, each) in found.items()} == {
            ACCESS: ("", "0", "/"),
            REFRESH: ("", "0", "/refresh"),
        }
        assert client.get("/me", headers=session["cookie"]).get_json()["code"] == "TOKEN_REVOKED"

    @pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
    def test_beside_another_credential_are_refused(self, client, session, header):
        """Two credentials in one request are never weighed."""
        other = f"Bearer {session['access']}" if header == "Authorization" else session["key"]
        answer = client.get("/me", headers={**session["cookie"], header: other})
        assert (answer.status_code, answer.get_json()["code"]) == (400, "INVALID_REQUEST")

    def test_other_schemes_are_somebody_elses(self, client, session):
        """Basic authentication of a proxy does not stand in the way."""
        assert client.get("/me", headers={**session["cookie"], "Authorization": "Basic eDp5"}).status_code == 200

    def test_a_name_that_comes_twice_is_refused(self, client, session):
        """A neighbouring host may have added one; which is right cannot be told."""
        twice = {"Cookie": f"{session['cookie']['Cookie']}; {ACCESS}=x"}
        assert client.get("/me", headers=twice).get_json()["code"] == "INVALID_REQUEST"

    @pytest.mark.parametrize(
        ("text", "code"),
        [("", "TOKEN_MISSING"), ("x", "INVALID_TOKEN"), ("{refresh}", "INVALID_TOKEN"), ("{key}", "INVALID_TOKEN")],
    )
    def test_hold_an_access_token_and_nothing_else(self, client, session, text, code):
        """A key or a refresh token does not open more by lying in a cookie."""
        shown = {"Cookie": f"{ACCESS}={text.format(**session)}"}
        assert client.get("/me", headers=shown).get_json()["code"] == code

    @pytest.mark.parametrize("path", ["/headers-only", "/keys-only"])
    def test_are_not_seen_where_the_route_does_not_take_them(self, client, session, path):
        """They count as nothing shown, also beside a header."""
        assert client.get(path, headers=session["cookie"]).status_code == 401
        assert client.get(path, headers={**session["cookie"], "X-API-Key": session["key"]}).status_code == 200

    def test_are_off_unless_asked_for(self, make_gate, session):
        """Cookies need care of their own, so nobody gets them by surprise."""
        plain = make_gate(JWT_TOKEN_LOCATION="headers")
        assert plain.get("/me", headers=session["cookie"]).get_json()["code"] == "TOKEN_MISSING"

    def test_may_be_on_for_one_route(self, make_gate, session):
        """With the same proof, and with CORS for credentials there alone."""
        plain = make_gate(JWT_TOKEN_LOCATION="headers")
        read = plain.get("/cookies-too", headers={**session["cookie"], "Origin": FRIEND})
        assert (read.status_code, read.headers["Access-Control-Allow-Credentials"]) == (200, "true")
        forged = plain.post("/cookies-too", headers={**session["cookie"], "Origin": EVIL})
        assert forged.get_json()["code"] == "CSRF_FAILED"
        assert "Access-Control-Allow-Credentials" not in plain.get("/me", headers={"Origin": FRIEND}).headers

    def test_refusals_are_remembered_by_what_was_shown(self, client, session):
        """A refused cookie is refused again without the store, and nobody else with it."""
        for _ in range(4):
            client.get("/me", headers=session["cookie"])
        assert [client.get("/me", headers=session["cookie"]).status_code for _ in range(3)] == [429] * 3
        assert client.get("/me").status_code == 401

    @pytest.mark.parametrize(
        "setting",
        [
            {"JWT_TOKEN_LOCATION": ["headers", "query_string"]},
            {"JWT_COOKIE_SAMESITE": "None"},
            {"JWT_REFRESH_COOKIE_PATH": "refresh"},
            {"JWT_REFRESH_COOKIE_PATH": "/x; Domain=example"},
        ],
    )
    def test_settings_that_would_open_more_stop_the_start(self, make_gate, setting):
        """Tokens in addresses, cookies for other sites, attributes in a path."""
        with pytest.raises(ConfigurationError, match=next(iter(setting))):
            make_gate(**setting)

    def test_name_of_the_refresh_cookie_follows_its_path(self):
        """Browsers refuse the prefix of the host with a path."""
        assert Cookies(refresh_path="/refresh").refresh_name == REFRESH


class TestCsrf:
    """A request that changes something must come from a page of ours, when a cookie opens the door."""

    @pytest.mark.parametrize(
        "sender",
        [
            {"Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "same-origin", "Origin": HOME},
            {"Sec-Fetch-Site": "same-site", "Origin": FRIEND},
            {"Origin": HOME},
            {"Origin": FRIEND},
        ],
    )
    def test_our_own_pages_pass(self, client, session, sender):
        """The same origin, and the origins that CORS names."""
        assert client.post("/me", headers={**session["cookie"], **sender}, base_url=HOME).status_code == 200

    @pytest.mark.parametrize(
        "sender",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
            {"Sec-Fetch-Site": "Same-Origin"},
            {"Sec-Fetch-Site": "cross-site", "Origin": EVIL},
            {"Sec-Fetch-Site": "cross-site", "Origin": HOME},
            {"Origin": EVIL},
            {"Origin": "null"},
            {"Origin": "http://api.example"},
            {"Origin": HOME + ":8443"},
            {"Origin": HOME + ".evil.example"},
            {},
            {"X-CSRF-Token": ""},
            {"X-CSRF-Token": "x.y"},
            {"X-CSRF-Token": "é"},
        ],
    )
    def test_everybody_else_is_refused_and_spends_nothing(self, client, session, sender):
        """403, before the store is asked: a page of an attacker cannot use up its reader's limits."""
        for _ in range(5):
            answer = client.post("/me", headers={**session["cookie"], **sender}, base_url=HOME)
            assert (answer.status_code, answer.get_json()["code"]) == (403, "CSRF_FAILED")
        assert "r=3" in client.get("/me", headers=session["cookie"]).headers["RateLimit"]

    def test_a_client_that_says_nothing_shows_the_token(self, client, session):
        """The signed double submit: the session in the cookie, its token in a header."""
        token = client.get("/me", headers=session["cookie"]).get_json()["token"]
        shown = {**session["cookie"], "X-CSRF-Token": token}
        assert client.post("/me", headers=shown).status_code == 200
        assert client.post("/me", headers={**shown, "Origin": EVIL}).status_code == 403

    def test_the_token_is_good_for_one_session_alone(self, client, session):
        """An attacker's own token opens nobody else's door; and no two are alike."""
        mine = cookies_of(client.post("/login"))[ACCESS][0]
        theirs = {client.get("/me", headers={"Cookie": f"{ACCESS}={mine}"}).get_json()["token"] for _ in range(2)}
        assert len(theirs) == 2
        for token in theirs:
            assert client.post("/me", headers={**session["cookie"], "X-CSRF-Token": token}).status_code == 403

    def test_the_token_ends_with_the_key_that_has_leaked(self):
        """The key is asked for each time, so that a new one needs no restart."""
        keys = [b"1" * 32]
        csrf = Csrf(lambda: keys[0])
        sent = {"REQUEST_METHOD": "POST", "HTTP_X_CSRF_TOKEN": csrf.token("s1")}
        assert csrf.check(sent, "s1", trusted=()) is None
        keys[0] = b"2" * 32
        assert csrf.check(sent, "s1", trusted=()).code == "CSRF_FAILED"

    def test_reading_needs_no_proof(self, client, session):
        """GET changes nothing, and CORS keeps its answer from other pages."""
        evil = {"Sec-Fetch-Site": "cross-site", "Origin": EVIL}
        answer = client.get("/me", headers={**session["cookie"], **evil})
        assert answer.status_code == 200
        assert "Access-Control-Allow-Origin" not in answer.headers

    def test_headers_need_no_proof(self, client, session):
        """What browsers never send by themselves cannot be forged."""
        for shown in ({"Authorization": f"Bearer {session['access']}"}, {"X-API-Key": session["key"]}):
            assert client.post("/me", headers={**shown, "Sec-Fetch-Site": "cross-site"}).status_code == 200

    def test_a_bad_token_is_told_before_a_forged_request(self, client):
        """What a cookie shows is verified first; both need no store."""
        answer = client.post("/me", headers={"Cookie": f"{ACCESS}=x", "Origin": EVIL})
        assert answer.get_json()["code"] == "INVALID_TOKEN"

    @pytest.mark.parametrize("host", ["api.example", "API.example:443"])
    def test_the_own_origin_has_no_default_port(self, client, session, host):
        """Browsers leave it out of Origin, proxies may write it into Host."""
        shown = {**session["cookie"], "Origin": HOME, "Host": host}
        assert client.post("/me", headers=shown, base_url=HOME).status_code == 200

    def test_no_page_of_another_origin_logs_its_reader_in(self, client):
        """Login CSRF: the victim would type secrets into the attacker's account."""
        answer = client.post("/login", headers={"Sec-Fetch-Site": "cross-site", "Origin": EVIL})
        assert (answer.status_code, answer.get_json()["code"]) == (403, "CSRF_FAILED")
        assert "Set-Cookie" not in answer.headers
        assert client.post("/login").status_code == 200


class TestCorsOfARoute:
    def ask(self, client, path, origin, method="POST"):
        asked = {"Origin": origin, "Access-Control-Request-Method": method}
        return client.options(path, headers=asked)

    def test_cookies_go_with_requests_of_named_pages(self, client, session):
        """Credentials are allowed where the route takes cookies, to an origin by name."""
        headers = client.get("/me", headers={**session["cookie"], "Origin": FRIEND}).headers
        assert headers["Access-Control-Allow-Origin"] == FRIEND
        assert headers["Access-Control-Allow-Credentials"] == "true"
        assert "X-CSRF-Token" in self.ask(client, "/me", FRIEND).headers["Access-Control-Allow-Headers"]

    @pytest.mark.parametrize("path", ["/keys-only", "/alive", "/nowhere"])
    def test_and_with_no_other(self, client, path):
        """Where no cookie is read, no page is told that it may send one."""
        headers = client.get(path, headers={"Origin": FRIEND}).headers
        assert headers["Access-Control-Allow-Origin"] == FRIEND
        assert "Access-Control-Allow-Credentials" not in headers

    def test_a_route_has_origins_of_its_own(self, client, session):
        """They stand in the place of the gate's."""
        for origin, is_allowed in (("https://partner.example", True), (FRIEND, False)):
            answer = client.post("/partners", headers={**session["cookie"], "Origin": origin})
            assert ("Access-Control-Allow-Origin" in answer.headers) is is_allowed
            assert answer.status_code == (200 if is_allowed else 403)
            assert "Origin" in answer.headers.getlist("Vary")
        assert "Accept-Language" in client.post(
            "/partners", headers={**session["cookie"], "Sec-Fetch-Site": "same-origin"}
        ).headers.getlist("Vary")

    def test_a_route_without_origins_says_nothing_of_them(self, client):
        """Its answers are the same for everybody."""
        headers = client.get("/headers-only", headers={"Origin": FRIEND}).headers
        assert "Vary" not in headers
        assert "Access-Control-Allow-Origin" not in headers

    def test_origins_of_a_route_need_none_of_the_gate(self, make_gate):
        """One route may be open to a page where the rest is not."""
        client = make_gate(VOXGATE_CORS_ORIGINS=())
        headers = client.post("/partners", headers={"Origin": "https://partner.example"}).headers
        assert headers["Access-Control-Allow-Origin"] == "https://partner.example"
        assert "Access-Control-Allow-Origin" not in client.get("/me", headers={"Origin": FRIEND}).headers

    def test_preflight_names_the_methods_of_the_route(self, client):
        """Not every method there is."""
        answer = self.ask(client, "/me", FRIEND)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST"
        assert answer.headers["Access-Control-Max-Age"] == "600"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Strict-Transport-Security" not in answer.headers
        asked = {"Origin": FRIEND, "Access-Control-Request-Method": "GET"}
        assert client.options("/me", headers=asked, base_url=HOME).headers["Strict-Transport-Security"]
        partner = self.ask(client, "/partners", "https://partner.example", "DELETE")
        assert partner.headers["Access-Control-Allow-Methods"] == "DELETE, POST"

    @pytest.mark.parametrize(
        ("path", "origin", "method"),
        [("/me", EVIL, "POST"), ("/partners", FRIEND, "POST"), ("/me", FRIEND, "DELETE"), ("/nowhere", FRIEND, "GET")],
    )
    def test_preflight_allows_nothing_else(self, client, path, origin, method):
        """Another page, another route's page, a method or a route that is not there."""
        assert "Access-Control-Allow-Methods" not in self.ask(client, path, origin, method).headers

    @pytest.mark.parametrize(
        "origin",
        ["*", "null", "https://app.example/", "https://APP.example", "https://app.example:443", "app.example"],
    )
    def test_origins_that_no_browser_sends_stop_the_start(self, make_gate, origin):
        """A wildcard would let every page in, another spelling none."""
        with pytest.raises(ConfigurationError, match="VOXGATE_CORS_ORIGINS"):
            make_gate(VOXGATE_CORS_ORIGINS=origin)
        with pytest.raises(ConfigurationError, match="cors"):
            Gate.open(cors=[origin])


class TestBehindTheDoor:
    """A view that the door could not map to its rule is guarded inside, cookies and all."""

    @pytest.fixture
    def client(self, tmp_path):
        app = Flask("hosts", instance_path=str(tmp_path), host_matching=True, static_host="static.example")
        app.config.update(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION="cookies")
        gate = Gate(app, Parts(clock=FakeClock()))

        @app.route("/me", host="shop.example", methods=["GET", "POST"])
        @gate.protect()
        def me():
            return jsonify(subject=gate.principal.subject)

        @app.post("/login", host="shop.example")
        def login():
            return gate.set_cookies(jsonify(), gate.issuer.open_session("ann"))

        return app.test_client(use_cookies=False)

    def test_cookies_and_their_proof_hold_inside(self, client):
        """The same answers as at the door."""
        home = "https://shop.example"
        token = cookies_of(client.post("/login", base_url=home))[ACCESS][0]
        shown = {"Cookie": f"{ACCESS}={token}"}
        assert client.get("/me", base_url=home, headers=shown).get_json() == {"subject": "ann"}
        forged = client.post("/me", base_url=home, headers={**shown, "Origin": EVIL})
        assert forged.get_json()["code"] == "CSRF_FAILED"
        assert client.post("/me", base_url=home, headers={**shown, "Origin": home}).status_code == 200
        assert client.get("/me", base_url=home).status_code == 401
