"""Sessions in cookies over HTTP: asked for at login, answered without a token, cleared at the end."""

import pytest
from tests.support.service import ANN, V1

HOME = "https://api.example"
TOKENS = {"__Host-voxgate", "__Secure-voxgate-refresh"}
LOGIN = {"username": ANN["username"], "password": ANN["password"]}


@pytest.fixture
def browser(client, ann):
    """A client that keeps cookies and says where its requests come from, as browsers do."""

    def ask(method, path, **how):
        headers = how.pop("headers", {"Sec-Fetch-Site": "same-origin"})
        return client.open(f"{V1}/auth/{path}", method=method, base_url=HOME, headers=headers, **how)

    assert ask("POST", "login", json={**LOGIN, "cookies": True}).status_code == 200
    return ask


def names_of(answer):
    """Return the names of the cookies that an answer sets."""
    return {line.partition("=")[0] for line in answer.headers.getlist("Set-Cookie")}


def test_a_login_with_cookies_has_no_token_in_its_body(browser):
    """What scripts can read opens nothing; nobody may store the answer."""
    answer = browser("POST", "login", json={**LOGIN, "cookies": True})
    assert answer.get_json().keys() == {"expires_in", "user"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert names_of(answer) >= TOKENS


def test_other_logins_have_tokens_and_no_cookie(browser):
    """Programs go on as before."""
    for body in (LOGIN, {**LOGIN, "cookies": False}):
        answer = browser("POST", "login", json=body)
        assert "access_token" in answer.get_json()
        assert not names_of(answer) & TOKENS


def test_a_session_in_cookies_is_a_session(browser):
    """Read, refresh, and log out; afterwards nothing opens anything."""
    assert browser("GET", "me").get_json()["username"] == ANN["username"]
    renewed = browser("POST", "refresh")
    assert renewed.get_json().keys() == {"expires_in"}
    assert names_of(renewed) == TOKENS
    assert [each["is_current"] for each in browser("GET", "sessions").get_json()["sessions"]].count(True) == 1
    ended = browser("POST", "logout")
    assert ended.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert all("Max-Age=0" in line for line in ended.headers.getlist("Set-Cookie"))
    assert browser("GET", "me").get_json()["code"] == "TOKEN_MISSING"


def test_logout_with_a_token_sets_no_cookie(client, auth_headers):
    """It clears what the browser keeps all the same."""
    answer = client.post(f"{V1}/auth/logout", headers=auth_headers)
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Clear-Site-Data"]


def test_forged_requests_are_refused_and_told(browser, events):
    """403 before anything is done; the security log says so once."""
    events.clear()
    for path in ("logout", "api-key"):
        for _ in range(2):
            answer = browser("POST", path, headers={"Sec-Fetch-Site": "cross-site"})
            assert (answer.status_code, answer.get_json()["code"]) == (403, "CSRF_FAILED")
    assert [(name, fields["endpoint"], fields["code"]) for name, fields in events] == [
        ("authz_fail", f"{V1}/auth/{path}", "CSRF_FAILED") for path in ("logout", "api-key")
    ]
    assert browser("GET", "me").status_code == 200


def test_a_program_shows_the_token_instead(browser):
    """What has neither Sec-Fetch-Site nor Origin asks for a CSRF token first."""
    token = browser("GET", "csrf").get_json()["csrf_token"]
    for shown, status in ((token, 200), (token + "x", 403)):
        assert browser("POST", "api-key", headers={"X-CSRF-Token": shown}).status_code == status


def test_no_page_of_another_origin_gets_cookies_set(client, ann):
    """Login CSRF is refused before the password is looked at; a login without cookies changes nothing there."""
    evil = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = client.post(f"{V1}/auth/login", json={**LOGIN, "cookies": True}, headers=evil)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "CSRF_FAILED")
    assert client.post(f"{V1}/auth/login", json=LOGIN, headers=evil).status_code == 200


def test_the_root_routes_know_no_cookies(browser, client):
    """The first document shows tokens in headers alone."""
    assert client.get("/protected", base_url=HOME).get_json()["code"] == "TOKEN_MISSING"
    assert client.post("/login", json={**LOGIN, "cookies": True}, base_url=HOME).status_code == 422


def test_an_operator_can_do_without(make_app):
    """Off, a login that asks for cookies is told, and none opens anything."""
    client = make_app(cookies=False).test_client()
    client.post(f"{V1}/auth/register", json=ANN)
    answer = client.post(f"{V1}/auth/login", json={**LOGIN, "cookies": True})
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, "/cookies")
    token = client.post(f"{V1}/auth/login", json=LOGIN).get_json()["access_token"]
    shown = {"Cookie": f"__Host-voxgate={token}"}
    assert client.get(f"{V1}/auth/me", headers=shown).get_json()["code"] == "TOKEN_MISSING"


@pytest.mark.parametrize("wish", ["true", 1, None, []])
def test_the_wish_is_true_or_false(client, ann, wish):
    """Strict types, as everywhere."""
    answer = client.post(f"{V1}/auth/login", json={**LOGIN, "cookies": wish})
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, "/cookies")


def test_lax_is_a_setting(make_app):
    """Where links of other sites must find the reader logged in."""
    client = make_app(cookies_same_site="Lax").test_client()
    client.post(f"{V1}/auth/register", json=ANN)
    answer = client.post(f"{V1}/auth/login", json={**LOGIN, "cookies": True})
    lines = [line for line in answer.headers.getlist("Set-Cookie") if line.partition("=")[0] in TOKENS]
    assert ["SameSite=Lax" in line for line in lines] == [True, True]
