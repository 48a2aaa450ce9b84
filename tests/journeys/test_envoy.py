"""A real Envoy under deploy/envoy.yaml: another service that it guards through the gate."""

import json
import secrets

import pytest
from tests.support.calls import V1, Api
from tests.support.envoy import Envoy
from tests.support.nginx import reporting
from tests.support.served import WIDE

LIMIT = 3
FORGED = {
    "X-Gate-Subject": "admin",
    "x-gate-tier": "premium",
    "X-Gate-Kind": "access",
    "X-Gate-Scopes": "everything",
    "X-Original-URI": "/reports/open",
    "X-Original-Method": "GET",
    "X-Forwarded-Uri": "/reports/open",
    "X-Forwarded-For": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;proto=https",
}


@pytest.fixture(scope="module")
def house(serve_one, tmp_path_factory):
    """The service in production, a service that it guards, and Envoy before it."""
    rules = [f"/reports = {LIMIT} per minute", "/reports/all = 1000 per minute", "/reports/open = 2 per minute | open"]
    home = serve_one("production")
    home.run("init")
    home.stop()
    settings = {"VOXGATE_PROFILE": "production", "VOXGATE_TRUSTED_PROXIES": "127.0.0.1"}
    served = serve_one("production", **settings, **WIDE, VOXGATE_EDGE_RULES=json.dumps(rules))
    served.api.get("/healthz")
    with reporting() as reports:
        gate = int(served.url.rpartition(":")[2])
        envoy = Envoy(tmp_path_factory.mktemp("e"), gate=gate, reports=reports.server_address[1])
        # Envoy guards the other service alone; accounts are made as behind a proxy that speaks https.
        envoy.api = Api(served.url, {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"})
        try:
            yield envoy
        finally:
            envoy.stop()


@pytest.fixture
def ann(house):
    """A new account; gives its id and the header of its token."""
    name, password = f"u{secrets.token_hex(8)}", "four plain words here"
    who = {"username": name, "email": f"{name}@example.org", "password": password}
    made = house.api.post(f"{V1}/auth/register", json=who)
    assert made.status == 201, made.data
    token = house.api.login(name, password)["access_token"]
    return {"Authorization": f"Bearer {token}", "subject": made.json()["user_id"]}


def shown(ann, **more):
    return {"Authorization": ann["Authorization"], **more}


def test_the_guarded_service_learns_who_asks_and_no_token(house, ann):
    """Whoever is let through has a name that nobody can forge."""
    answer = house.ask("/reports/all/7?x=1", headers=shown(ann, **FORGED))
    assert answer.status == 200, answer.data
    told = json.loads(answer.data)
    names = [(name.lower(), value) for name, value in told["headers"]]
    assert told["path"] == "/reports/all/7?x=1"
    gate = sorted((name, value) for name, value in names if name.startswith("x-gate"))
    assert [(name, value) for name, value in gate if name != "x-gate-scopes"] == [
        ("x-gate-kind", "access"),
        ("x-gate-subject", ann["subject"]),
        ("x-gate-tier", "standard"),
    ]
    assert "everything" not in dict(gate).get("x-gate-scopes", "")
    assert not {"authorization", "x-api-key"} & {name for name, _ in names}


def test_nobody_gets_through_by_forgery(house):
    """Neither with names of the gate nor with a description of another request."""
    answer = house.ask("/reports/all", headers=FORGED)
    assert (answer.status, json.loads(answer.data)["code"]) == (401, "TOKEN_MISSING")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers.get_content_type() == "application/problem+json"


@pytest.mark.parametrize("name", ["X_Gate_Subject", "X-Gate_Subject", "X_Forwarded_For", "X_API_Key"])
def test_a_name_with_an_underscore_is_refused(house, ann, name):
    """Servers behind would read it as the name with hyphens."""
    assert house.ask("/reports/all", headers=shown(ann, **{name: "admin"})).status == 400


@pytest.mark.parametrize("path", ["/reports/all%2f..%2fopen", "/reports%5c..%5copen", "/reports/open/..%2fall"])
def test_a_path_of_two_readings_is_refused(house, ann, path):
    """Whoever reads it: Envoy or the gate."""
    assert house.ask(path, headers=shown(ann)).status in {400, 404}


def test_a_path_is_decided_as_the_service_reads_it(house, ann):
    """Dots and double slashes are folded before the gate is asked."""
    assert house.ask("/reports/open/../all").status == 401
    answer = house.ask("/reports/open/../all//7", headers=shown(ann))
    assert (answer.status, json.loads(answer.data)["path"]) == (200, "/reports/all/7")


def test_a_limit_is_told_as_the_gate_tells_it(house, ann):
    """429 with the wait and the body."""
    answers = [house.ask("/reports/7", headers=shown(ann)) for _ in range(LIMIT + 2)]
    assert [answer.status for answer in answers] == [200] * LIMIT + [429] * 2
    told = json.loads(answers[-1].data)
    assert told["code"] == "RATE_LIMITED"
    assert int(answers[-1].headers["Retry-After"]) == told["retry_after"] > 50
    assert '"edge/reports";r=0' in answers[-1].headers["RateLimit"]


def test_addresses_are_those_of_connections(house):
    """A client that invents one for each request is limited all the same."""
    told = [house.ask("/reports/open", headers={"X-Forwarded-For": f"203.0.113.{n}"}).status for n in range(4)]
    assert told == [200, 200, 429, 429]


def test_a_post_is_decided_too_and_keeps_its_body(house, ann):
    """The question to the gate goes without it."""
    answer = house.ask("/reports/all", method="POST", headers=shown(ann), body=b"x" * 1000)
    assert (answer.status, json.loads(answer.data)["method"]) == (200, "POST")


def test_a_websocket_is_decided_like_everything(house):
    """An upgrade is no way around the gate."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert house.ask("/reports/all", headers=upgrade).status in {401, 403}


def test_nobody_passes_while_the_gate_is_away(tmp_path):
    """503: closed, and not a 500."""
    with reporting() as reports:
        envoy = Envoy(tmp_path, gate=1, reports=reports.server_address[1])
        try:
            answer = envoy.ask("/reports/all", headers={"Authorization": "Bearer x"})
        finally:
            envoy.stop()
    assert answer.status == 503
