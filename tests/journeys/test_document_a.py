"""The first requirements document, call by call: its six tests and every body that it promises."""

import pytest
from tests.support.service import ANN, bearer

from voxgate.gate.api_keys import new_key

LIFE_S = 15 * 60
LOGIN = {"username": "testuser", "password": "password123"}


@pytest.fixture
def registered(client):
    """The document's one user; the account exists and nothing else has happened."""
    assert client.post("/api/v1/auth/register", json=ANN).status_code == 201


@pytest.fixture
def tokens(client, registered):
    """What the document's login answers."""
    return client.post("/login", json=LOGIN).get_json()


@pytest.fixture
def visit(client, tokens):
    """Ask for the protected page with the session's access token."""
    return lambda token=tokens["access_token"]: client.get("/protected", headers=bearer(token))


def test_1_login_gives_both_tokens(client, registered):
    """The document's user name and password open a session."""
    answer = client.post("/login", json=LOGIN)
    assert answer.status_code == 200
    assert answer.get_json()["access_token"]
    assert answer.get_json()["refresh_token"]


def test_2_protected_page_tells_who_is_logged_in(visit):
    """The access token opens the page, which shows the user's name and nothing else."""
    assert visit().status_code == 200
    assert visit().get_json() == {"logged_in_as": "testuser"}


def test_3_sixth_visit_within_a_minute_is_too_many(visit, clock):
    """Five visits pass; the sixth says when to come back, and then it passes."""
    assert [visit().status_code for _ in range(5)] == [200] * 5
    refused = visit()
    assert refused.status_code == 429
    assert refused.get_json()["message"] == "Too Many Requests"
    assert refused.headers["Retry-After"] == "60"
    clock.advance(60)
    assert visit().status_code == 200


def test_3_fourth_login_within_a_minute_is_too_many(client, registered):
    """Three logins pass, right or wrong; the fourth is refused even with the right password."""
    wrong = LOGIN | {"password": "password124"}
    assert [client.post("/login", json=body).status_code for body in (wrong, LOGIN, wrong)] == [401, 200, 401]
    refused = client.post("/login", json=LOGIN)
    assert refused.status_code == 429
    assert refused.get_json()["message"] == "Too Many Requests"


def test_4_token_expires_after_fifteen_minutes(visit, clock):
    """One second before it is good; then it has expired, and the answer says so."""
    clock.advance(LIFE_S - 1)
    assert visit().status_code == 200
    clock.advance(1)
    assert visit().status_code == 401
    assert visit().get_json()["msg"] == "Token has expired"


def test_5_refresh_token_gives_a_new_access_token(client, tokens, visit, clock):
    """The refresh token outlives the access token and replaces it."""
    clock.advance(LIFE_S)
    answer = client.post("/refresh", headers=bearer(tokens["refresh_token"]))
    assert answer.status_code == 200
    assert visit(answer.get_json()["access_token"]).get_json() == {"logged_in_as": "testuser"}


def test_5_refresh_takes_no_access_token(client, tokens):
    """The two kinds of token cannot stand in for each other."""
    assert client.post("/refresh", headers=bearer(tokens["access_token"])).status_code == 401


def test_6_logged_out_token_has_been_revoked(client, tokens, visit):
    """The call that the document shows: logout answers its text, and the token is dead at once."""
    answer = client.post("/logout", headers=bearer(tokens["access_token"]))
    assert answer.status_code == 200
    assert answer.get_json()["msg"] == "Successfully logged out"
    assert visit().status_code == 401
    assert visit().get_json()["msg"] == "Token has been revoked"


def test_logout_ends_the_refresh_token_too(client, tokens):
    """Nothing of an ended session can be refreshed."""
    client.post("/logout", headers=bearer(tokens["access_token"]))
    answer = client.post("/refresh", headers=bearer(tokens["refresh_token"]))
    assert (answer.status_code, answer.get_json()["msg"]) == (401, "Token has been revoked")


@pytest.mark.parametrize("who", ["testuser", "nobody"])
def test_wrong_credentials_are_told_in_the_documents_words(client, registered, who):
    """A wrong password and an unknown user get the same text."""
    answer = client.post("/login", json={"username": who, "password": "wrong"})
    assert answer.status_code == 401
    assert answer.get_json()["msg"] == "Invalid credentials"


@pytest.mark.parametrize(("method", "path"), [("GET", "/protected"), ("POST", "/refresh"), ("POST", "/logout")])
def test_missing_token_is_told_in_the_documents_words(client, method, path):
    """Without a header the answer names it, and challenges without an error code (RFC 6750, section 3.1)."""
    answer = client.open(path, method=method)
    assert answer.status_code == 401
    assert answer.get_json()["msg"] == "Missing Authorization Header"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("body", ["null", "[]", '"x"', '{"username": ["a"], "password": "b"}', "{", ""])
def test_login_never_breaks_on_a_body(client, registered, body):
    """What the document's code answered with 500 is a client's error."""
    answer = client.post("/login", data=body, content_type="application/json")
    assert answer.status_code in {400, 422}


def test_guesses_are_limited_by_address(client, visit):
    """Keys that could exist are guessed sixty times a minute at most, and nobody's own budget pays for it."""
    headers = ({"X-API-Key": new_key().text} for _ in range(61))
    assert [client.get("/api/v1/tts/", headers=each).status_code for each in headers] == [401] * 60 + [429]
    assert visit().status_code == 200


def test_visits_are_counted_by_user_and_not_by_address(client, visit, bob_headers):
    """One user's visits leave another's alone, though both sit at one address."""
    while visit().status_code == 200:
        pass
    assert client.get("/protected", headers=bob_headers).status_code == 200


def test_both_logins_share_one_limit(client, registered):
    """Attempts on either path are attempts on the same account."""
    paths = ("/login", "/api/v1/auth/login", "/login", "/api/v1/auth/login")
    assert [client.post(path, json=LOGIN).status_code for path in paths] == [200, 200, 200, 429]


@pytest.mark.parametrize(("typed", "shown"), [("bob", "bob"), ("bob\nlogin: admin", "[not a name]")])
def test_failed_login_is_recorded_with_name_and_address(client, registered, events, typed, shown):
    """The document's log line, as fields; what can be no name may be a password, or a forged line."""
    client.post("/login", json={"username": typed, "password": "wrong"})
    name, fields = events[-1]
    assert name == "login"
    assert fields["username"] == shown
    assert (fields["ip_address"], fields["success"]) == ("127.0.0.1", False)


def test_only_the_front_end_that_is_named_may_read_answers(make_app):
    """The document's origin may call and sees the limit headers; another origin is told nothing."""
    client = make_app(cors_origins=("https://your-frontend.com",)).test_client()
    named = client.get("/protected", headers={"Origin": "https://your-frontend.com"})
    assert named.headers["Access-Control-Allow-Origin"] == "https://your-frontend.com"
    assert {"Retry-After", "RateLimit"} <= set(named.headers["Access-Control-Expose-Headers"].split(", "))
    other = client.get("/protected", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other.headers
    assert "Origin" in other.headers["Vary"]


def test_root_routes_have_one_switch(make_app):
    """An operator who wants the API alone switches the four paths off together."""
    client = make_app(root_routes=False).test_client()
    assert client.get("/protected").status_code == 404
    assert [client.post(path, json=LOGIN).status_code for path in ("/login", "/refresh", "/logout")] == [404] * 3
