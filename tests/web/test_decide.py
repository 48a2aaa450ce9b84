"""The gate for other services: what nginx, Traefik and Envoy ask, and what a client can not make them believe."""

import json

import pytest
from tests.support.service import V1, bearer

from voxgate.gate.errors import ConfigurationError
from voxgate.gate.stores import SqliteStore
from voxgate.web.edge import Target, read_target

DECIDE = f"{V1}/gate/decide"
RULES = (
    "/reports = 3 per minute",
    "POST,PUT /reports = 1 per minute",
    "/reports/premium = | tier premium",
    "/speech = 5 per minute | scope tts:generate",
    "/public = 2 per minute | open",
)


@pytest.fixture
def app(make_app):
    return make_app(edge_rules=RULES)


def original(path, method="GET"):
    """What nginx writes of a request."""
    return {"X-Original-Method": method, "X-Original-URI": path}


@pytest.fixture
def ask(client, auth_headers):
    """Ask about a path with Ann's token."""

    def call(path, method="GET", **query):
        return client.get(DECIDE, headers=auth_headers | original(path, method), query_string=query)

    return call


class Test200:
    def test_it_says_who_asks(self, ask, ann):
        """With the tier, the kind, and what is left."""
        answer = ask("/reports/7?page=2")
        assert (answer.status_code, answer.data) == (200, b"")
        assert answer.headers["X-Gate-Subject"] == ann["user"]["id"]
        assert (answer.headers["X-Gate-Tier"], answer.headers["X-Gate-Kind"]) == ("standard", "access")
        assert answer.headers["RateLimit"] == '"edge/reports";r=2;t=60'
        assert answer.headers["Cache-Control"] == "no-store"

    def test_a_key_is_as_good_as_a_token(self, client, ann):
        """With its own kind and scopes."""
        answer = client.get(DECIDE, headers={"X-API-Key": ann["api_key"], **original("/other")})
        assert (answer.status_code, answer.headers["X-Gate-Kind"]) == (200, "api_key")

    @pytest.mark.parametrize(
        "given", [original("/reports"), {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/reports"}]
    )
    def test_nginx_and_traefik_are_understood(self, client, auth_headers, given):
        """Each by the headers that it writes."""
        answer = client.get(DECIDE, headers=auth_headers | given)
        assert answer.headers["RateLimit-Policy"] == '"edge/reports";q=3;w=60'

    @pytest.mark.parametrize(
        ("method", "path", "policy"),
        [
            ("GET", "/reports/7", '"edge/reports"'),
            ("POST", "/reports/7", '"edge-post-put/reports"'),
            ("PUT", "/reports", '"edge-post-put/reports"'),
            ("DELETE", "/reportsx", '"standard"'),
            ("GET", "/", '"standard"'),
        ],
    )
    def test_envoy_is_understood(self, client, auth_headers, method, path, policy):
        """It keeps the method and puts the path behind ours; the nearest rule binds, by whole segments."""
        answer = client.open(f"{DECIDE}/path{path}", method=method, headers=auth_headers)
        assert answer.status_code == 200
        assert answer.headers["RateLimit-Policy"].startswith(policy)

    def test_an_open_path_names_nobody(self, client):
        """It is limited by address alone; an empty variable clears what a client has forged."""
        answer = client.get(DECIDE, headers={"X-Gate-Subject": "admin", **original("/public/logo.png")})
        assert answer.status_code == 200
        assert not [name for name, _ in answer.headers if name.startswith("X-Gate")]


class TestRefusals:
    @pytest.mark.parametrize("path", ["/reports", "/anything"])
    def test_401_without_a_credential(self, client, path):
        """Also where no rule stands."""
        answer = client.get(DECIDE, headers=original(path))
        assert (answer.status_code, answer.get_json()["code"]) == (401, "TOKEN_MISSING")

    def test_401_after_logout(self, client, ask, auth_headers):
        """From the next request on."""
        assert ask("/reports").status_code == 200
        client.post(f"{V1}/auth/logout", headers=auth_headers)
        assert ask("/reports").get_json()["code"] == "TOKEN_REVOKED"

    def test_a_cookie_opens_nothing(self, client, ann):
        """Another service's form could send it; its proof against forgery is not known there."""
        client.set_cookie("__Host-vg_at", ann["access_token"], secure=True)
        answer = client.get(DECIDE, headers=original("/reports"), base_url="https://localhost")
        assert answer.get_json()["code"] == "TOKEN_MISSING"

    def test_403_without_the_tier(self, ask):
        """Premium paths are for premium accounts."""
        answer = ask("/reports/premium/1")
        assert (answer.status_code, answer.get_json()["code"]) == (403, "PREMIUM_REQUIRED")

    def test_403_without_the_scope(self, client, auth_headers):
        """A key that may only read does not generate elsewhere either."""
        made = client.post(f"{V1}/auth/api-keys", headers=auth_headers, json={"name": "r", "scopes": ["tts:read"]})
        headers = {"X-API-Key": made.get_json()["api_key"], **original("/speech")}
        answer = client.get(DECIDE, headers=headers)
        assert (answer.status_code, answer.get_json()["code"]) == (403, "INSUFFICIENT_SCOPE")

    def test_429_says_when_and_spends_no_store_call(self, ask, monkeypatch):
        """Waiting works; until then the answer is remembered."""
        assert [ask("/reports").status_code for _ in range(4)] == [200, 200, 200, 429]
        monkeypatch.setattr(SqliteStore, "decide", lambda *_: pytest.fail("asked the store"))
        answer = ask("/reports")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
        assert answer.headers["RateLimit"].startswith('"edge/reports";r=0')

    def test_429_counts_down_and_ends(self, ask, clock):
        """A remembered refusal is no older than it says."""
        for _ in range(4):
            ask("/reports")
        clock.advance(0.6)
        assert ask("/reports").headers["Retry-After"] == "60"
        clock.advance(59.5)
        assert ask("/reports").status_code == 200

    def test_429_on_an_open_path_is_the_addresses_own(self, client):
        """Another address goes on."""
        statuses = [client.get(DECIDE, headers=original("/public")).status_code for _ in range(4)]
        other = client.get(DECIDE, headers=original("/public"), environ_base={"REMOTE_ADDR": "198.51.100.8"})
        assert (statuses, other.status_code) == ([200, 200, 429, 429], 200)


class TestNginx:
    """nginx takes 2xx, 401 and 403 alone, so everything else travels in headers."""

    @pytest.mark.parametrize(("shown", "status"), [(True, 429), (False, 401)])
    def test_every_refusal_is_403_with_the_true_answer_beside_it(self, client, ask, shown, status):
        """Status, body, challenge and wait; all of it ASCII on one line."""
        for _ in range(4):
            answer = ask("/reports", **{"as": "nginx"})
        if not shown:
            answer = client.get(DECIDE, headers=original("/reports"), query_string={"as": "nginx"})
        assert (answer.status_code, answer.headers["X-Gate-Status"]) == (403, str(status))
        told = json.loads(answer.headers["X-Gate-Problem"])
        assert (told["status"], told["instance"]) == (status, f"urn:request:{answer.headers['X-Request-ID']}")
        assert answer.headers["X-Gate-Problem"].isascii()
        assert answer.headers.get("X-Gate-Retry-After") == ("60" if shown else None)
        assert answer.headers.get("X-Gate-Challenge") == (None if shown else "Bearer")

    def test_what_passes_is_as_ever(self, ask):
        """The form is about refusals."""
        assert ask("/reports", **{"as": "nginx"}).headers["X-Gate-Tier"] == "standard"


class TestForgery:
    def test_the_rule_is_not_the_clients_to_choose(self, client, auth_headers):
        """A second description, of the family that the proxy does not write, is refused and not believed."""
        given = auth_headers | original("/reports/premium") | {"X-Forwarded-Uri": "/public"}
        assert client.get(DECIDE, headers=given).get_json()["code"] == "BAD_REQUEST"

    def test_a_request_that_nobody_describes_is_refused(self, client, auth_headers):
        """A proxy that is set wrong lets nothing through."""
        assert client.get(DECIDE, headers=auth_headers).get_json()["code"] == "BAD_REQUEST"

    @pytest.mark.parametrize(
        "path",
        [
            "/public/../reports",
            "/public/%2e%2e/reports",
            "/public/.%2E/reports",
            "/public%2f..%2freports",
            "/public%2Freports",
            "/public//reports",
            "//reports",
            "/public/./x",
            "/public\\..\\reports",
            "/public%5c..%5creports",
            "/public%00",
            "/public%0a",
            "reports",
            "http://other/reports",
            "",
            "/" + "x" * 5000,
        ],
    )
    def test_a_path_of_two_readings_is_refused(self, ask, path):
        """The edge and the service behind it must see the same path."""
        assert ask(path).get_json()["code"] == "BAD_REQUEST"

    @pytest.mark.parametrize("path", ["/public//x", "/../x", "/public/%2e%2e/x", "/public/%252e%252e/x"])
    def test_a_path_of_two_readings_is_refused_to_envoy_too(self, client, auth_headers, path):
        """Or it is read as the very path that it is."""
        answer = client.get(f"{DECIDE}/path{path}", headers=auth_headers)
        assert answer.status_code in {200, 400, 404}
        assert answer.status_code != 200 or "standard" not in answer.headers["RateLimit-Policy"]

    @pytest.mark.parametrize("method", ["get", "", "GET POST", "G" * 21])
    def test_a_strange_method_is_refused(self, ask, method):
        """Rules are written for methods."""
        assert ask("/reports", method).get_json()["code"] == "BAD_REQUEST"

    def test_other_letters_are_read_as_servers_read_them(self):
        """Percent signs are decoded once."""
        assert read_target("GET", "/a%20b/%C3%A9?x=/../") == Target("GET", "/a b/é")
        assert read_target("GET", "/reports/") == Target("GET", "/reports/")


class TestRules:
    @pytest.mark.parametrize(
        "rule",
        [
            "reports = 3 per minute",
            "/reports",
            "/reports = many",
            "/reports = scope",
            "/reports = scope reports:read",
            "/reports = 2 at once",
            "/a/../b = 3 per minute",
            "/a//b = 3 per minute",
            "get /reports = 3 per minute",
        ],
    )
    def test_what_is_no_rule_stops_the_start(self, make_app, rule):
        """And not the first request."""
        with pytest.raises(ConfigurationError):
            make_app(edge_rules=(rule,))

    def test_two_rules_for_the_same_stop_the_start(self, make_app):
        """One of them would be a mistake."""
        with pytest.raises(ConfigurationError, match="already"):
            make_app(edge_rules=("GET /a = 1 per minute", "GET,POST /a/ = 2 per minute"))

    def test_the_root_rule_binds_what_no_other_names(self, make_app):
        """So everything can be closed or opened at once."""
        client = make_app(edge_rules=("/ = 1 per minute | open", "/private =")).test_client()
        assert client.get(DECIDE, headers=original("/x/y")).status_code == 200
        assert client.get(DECIDE, headers=original("/private")).status_code == 401

    def test_limits_at_once_of_a_tier_are_not_held_here(self, make_app, join):
        """Nobody tells the edge when the other service has answered."""
        app = make_app(ratelimit_standard="5 per minute; 1 at once")
        client = app.test_client()
        assert client.get(DECIDE, headers=original("/x") | bearer("no")).status_code == 401
