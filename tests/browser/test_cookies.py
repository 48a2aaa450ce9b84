"""A session in a real browser: what it keeps, what scripts see of it, and what ends it."""

import pytest
from tests.support.service import V1

ACCESS, REFRESH = "__Host-voxgate", "__Secure-voxgate-refresh"

pytestmark = pytest.mark.timeout(900)  # the first test may have to fetch the browser


@pytest.fixture
def page(visit, home, log_in):
    """A page of the service's own origin, logged in."""
    page = visit(f"{home}/docs")
    log_in(page)
    return page


def cookies_of(context, url):
    return {each["name"]: each for each in context.cookies(url)}


def test_browser_keeps_both_cookies_with_every_flag(context, page, home):
    """`__Host-` and `__Secure-` are taken on loopback without TLS too, so no weaker form is needed anywhere."""
    found = cookies_of(context, f"{home}{V1}/auth/refresh")
    assert found.keys() >= {ACCESS, REFRESH}
    for name, path in ((ACCESS, "/"), (REFRESH, f"{V1}/auth/refresh")):
        each = found[name]
        assert (each["httpOnly"], each["secure"], each["sameSite"], each["path"]) == (True, True, "Strict", path)
    assert REFRESH not in cookies_of(context, f"{home}{V1}/auth/me")


def test_no_script_can_read_a_token(page, ask):
    """Not from the answer, not from cookies, not from any storage of the page."""
    answer = ask(page, f"{V1}/auth/me")
    assert answer["body"]["username"] == "testuser"
    seen = page.evaluate("""async () => JSON.stringify([document.cookie, Object.entries(localStorage),
        Object.entries(sessionStorage), await indexedDB.databases(), await caches.keys()])""")
    assert seen == '["",[],[],[],[]]'
    assert "set-cookie" not in answer["headers"]


def test_login_answers_no_token(visit, home, log_in):
    """The body says whose session it is and how long, and nothing that opens a door."""
    body = log_in(visit(f"{home}/docs"))["body"]
    assert body.keys() == {"expires_in", "user"}


def test_every_login_has_new_cookies(context, page, home, log_in):
    """What was there before a login opens nothing afterwards."""
    before = cookies_of(context, f"{home}{V1}/auth/refresh")
    log_in(page)
    after = cookies_of(context, f"{home}{V1}/auth/refresh")
    assert all(before[name]["value"] != after[name]["value"] for name in (ACCESS, REFRESH))


def test_refresh_gives_new_cookies_and_no_token(context, page, home, ask):
    """The refresh token goes to its one path by itself, and the session goes on."""
    before = cookies_of(context, home)[ACCESS]["value"]
    context.clear_cookies(name=ACCESS)
    assert ask(page, f"{V1}/auth/me")["body"]["code"] == "TOKEN_MISSING"
    answer = ask(page, f"{V1}/auth/refresh", method="POST")
    assert (answer["status"], answer["body"].keys()) == (200, {"expires_in"})
    assert cookies_of(context, home)[ACCESS]["value"] != before
    assert ask(page, f"{V1}/auth/me")["status"] == 200


@pytest.mark.parametrize("path", ["logout", "revoke"])
def test_logout_leaves_nothing_behind(context, page, home, ask, path):
    """Cookies and storage are cleared, and the old cookie is dead on the server."""
    old = cookies_of(context, f"{home}{V1}/auth/refresh")
    page.evaluate("localStorage.note = 'mine'")
    assert ask(page, f"{V1}/auth/{path}", method="POST")["status"] == 200
    assert cookies_of(context, f"{home}{V1}/auth/refresh").keys() & {ACCESS, REFRESH} == set()
    assert page.evaluate("localStorage.note") is None
    context.add_cookies([old[ACCESS]])
    assert ask(page, f"{V1}/auth/me")["body"]["code"] == "TOKEN_REVOKED"


def test_one_account_has_one_budget_in_every_tab(visit, page, home, ask):
    """Cookies count as the account; `Retry-After` and the limits are readable."""
    other = visit(f"{home}/docs")
    found = [ask(each, f"{V1}/auth/me") for _ in range(3) for each in (page, other)]
    assert sorted(each["status"] for each in found) == [200] * 5 + [429]
    assert found[-1]["headers"]["retry-after"] == str(found[-1]["body"]["retry_after"])
