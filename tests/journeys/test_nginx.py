"""A real nginx under deploy/nginx.conf: the service behind it, and another service that it guards through the gate."""

import contextlib
import json
import secrets
import socket

import pytest
from tests.support.calls import V1
from tests.support.nginx import Nginx, reporting
from tests.support.served import WIDE

LIMIT = 3
FORGED = {
    "X-Gate-Subject": "admin",
    "x-gate-tier": "premium",
    "X-Gate-Kind": "access",
    "X-Gate-Scopes": "everything",
    "X-Gate-Status": "200",
    "X_Gate_Subject": "admin",
    "X-Original-URI": "/public/logo.png",
    "X-Original-Method": "GET",
    "X-Forwarded-Uri": "/public/logo.png",
    "X-Forwarded-For": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;proto=https",
}


@pytest.fixture(scope="module")
def house(serve_one, tmp_path_factory):
    """The service in production, a service that it guards, and nginx before both."""
    rules = [f"/reports = {LIMIT} per minute", "/reports/all = 1000 per minute", "/public = 1000 per minute | open"]
    rules.append("/reports/premium = 1000 per minute | tier premium")
    home = serve_one("production")
    home.run("init")
    home.stop()
    settings = {"VOXGATE_PROFILE": "production", "VOXGATE_TRUSTED_PROXIES": "127.0.0.1"}
    served = serve_one("production", **settings, **WIDE, VOXGATE_EDGE_RULES=json.dumps(rules))
    served.api.get("/healthz")
    with reporting() as reports:
        port = reports.server_address[1]
        folder = tmp_path_factory.mktemp("n")
        nginx = Nginx(folder, gate=int(served.url.rpartition(":")[2]), reports=port)
        nginx.served = served
        try:
            yield nginx
        finally:
            nginx.stop()


@pytest.fixture
def ann(house):
    """A new account; gives its id and the header of its token."""
    name, password = f"u{secrets.token_hex(8)}", "four plain words here"
    made = post(house, f"{V1}/auth/register", username=name, email=f"{name}@example.org", password=password)
    assert made.status == 201, made.data
    told = json.loads(post(house, f"{V1}/auth/login", username=name, password=password).data)
    return {"Authorization": f"Bearer {told['access_token']}", "subject": told["user"]["id"]}


def post(house, path, **body):
    headers = {"Content-Type": "application/json"}
    return house.ask(path, method="POST", headers=headers, body=json.dumps(body).encode())


def shown(ann, **more):
    return {"Authorization": ann["Authorization"], **more}


def test_the_service_is_reached_over_https(house, ann):
    """With HSTS, through the proxy that is named."""
    answer = house.ask(f"{V1}/auth/me", headers=shown(ann))
    assert answer.status == 200
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=63072000")


def test_the_guarded_service_learns_who_asks_and_no_token(house, ann):
    """Whoever is let through has a name that nobody can forge."""
    answer = house.ask("/reports/all/7?x=1", headers=shown(ann, **FORGED))
    told = json.loads(answer.data)
    names = [(name.lower().replace("_", "-"), value) for name, value in told["headers"]]
    gate = {name: value for name, value in names if name.startswith("x-gate")}
    assert (answer.status, told["path"]) == (200, "/reports/all/7?x=1")
    assert gate == {"x-gate-subject": ann["subject"], "x-gate-tier": "standard", "x-gate-kind": "access"}
    assert len([name for name, _ in names if name.startswith("x-gate")]) == 3
    assert not {"authorization", "x-api-key"} & {name for name, _ in names}
    assert dict(names)["x-forwarded-for"] == "127.0.0.1"
    assert '"edge/reports/all"' in answer.headers["RateLimit"]


def test_nobody_gets_through_by_forgery(house):
    """Neither with names of the gate nor with a description of another request."""
    answer = house.ask("/reports/all", headers=FORGED)
    assert (answer.status, json.loads(answer.data)["code"]) == (401, "TOKEN_MISSING")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers.get_content_type() == "application/problem+json"


@pytest.mark.parametrize("path", ["/reports/../reports/all", "/reports//all", "/public/%2e%2e/reports/all"])
def test_a_path_of_two_readings_is_refused(house, ann, path):
    """A proxy decodes and folds paths; the gate decides none that it would fold."""
    answer = house.ask(path, headers=shown(ann))
    assert answer.status in {400, 404}


def test_a_limit_is_told_as_the_gate_tells_it(house, ann):
    """429 with the wait and the body, where plain auth_request makes 500 of it."""
    answers = [house.ask("/reports/7", headers=shown(ann)) for _ in range(LIMIT + 2)]
    assert [answer.status for answer in answers] == [200] * LIMIT + [429] * 2
    refused, told = answers[-1], json.loads(answers[-1].data)
    assert (told["code"], told["status"]) == ("RATE_LIMITED", 429)
    assert int(refused.headers["Retry-After"]) == told["retry_after"] > 50
    assert '"edge/reports";r=0' in refused.headers["RateLimit"]


def test_a_post_is_decided_too_and_keeps_its_body(house, ann):
    """The question to the gate goes without it."""
    answer = house.ask("/reports/all", method="POST", headers=shown(ann), body=b"x" * 1000)
    assert (answer.status, json.loads(answer.data)["method"]) == (200, "POST")


def test_a_refusal_by_tier_and_one_of_the_service_itself_are_told_apart(house, ann):
    """Only the gate's own 403 is written by the gate."""
    premium = house.ask("/reports/premium", headers=shown(ann))
    assert (premium.status, json.loads(premium.data)["code"]) == (403, "PREMIUM_REQUIRED")
    own = house.ask("/reports/all/forbidden", headers=shown(ann))
    assert (own.status, json.loads(own.data)) == (403, {"own": "refusal"})


def test_logout_ends_the_way_to_the_other_service_at_once(house, ann):
    """The gate is asked each time."""
    assert house.ask("/reports/all", headers=shown(ann)).status == 200
    assert house.ask(f"{V1}/auth/logout", method="POST", headers=shown(ann)).status == 200
    refused = house.ask("/reports/all", headers=shown(ann))
    assert (refused.status, json.loads(refused.data)["code"]) == (401, "TOKEN_REVOKED")
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]


def test_plain_http_is_refused_and_not_redirected(house, ann):
    """And a token that came so has opened nothing."""
    answer = house.ask("/reports/all", headers=shown(ann), plain=True)
    assert (answer.status, json.loads(answer.data)["code"]) == (403, "HTTPS_REQUIRED")
    assert "Location" not in answer.headers


def test_slow_bodies_stop_at_nginx(house):
    """It passes a request on once it is whole, so clients that never end theirs hold no thread of the service."""
    begin = (
        f"POST {V1}/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"
    )
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", house.port), timeout=30))
            slow = stack.enter_context(house.context.wrap_socket(plain, server_hostname="127.0.0.1"))
            slow.sendall(f"{begin}Content-Length: 99\r\n\r\n{{".encode())
        assert [house.ask("/healthz").status for _ in range(10)] == [200] * 10
        name = f"u{secrets.token_hex(8)}"
        body = {"username": name, "email": f"{name}@example.org", "password": "four plain words here"}
        assert post(house, f"{V1}/auth/register", **body).status == 201


def test_nobody_passes_while_the_gate_is_away(serve_one, tmp_path):
    """503 with a wait: closed, and not a 500."""
    with reporting() as reports:
        nginx = Nginx(tmp_path, gate=1, reports=reports.server_address[1])
        try:
            answer = nginx.ask("/reports/all", headers={"Authorization": "Bearer x"})
        finally:
            nginx.stop()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert json.loads(answer.data)["code"] == "GATE_UNAVAILABLE"
