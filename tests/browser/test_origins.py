"""Pages of other origins in a real browser: what they may read, what they may do, and what they cannot."""

import pytest
from tests.support.service import ANN, V1
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(900)  # the first test may have to fetch the browser

ME, PASSWORD, SESSIONS = f"{V1}/auth/me", f"{V1}/auth/password", f"{V1}/auth/sessions"


@pytest.fixture
def logged_in(visit, home, log_in):
    """A tab of the service's own origin whose reader is logged in."""
    page = visit(f"{home}/docs")
    log_in(page)
    return page


@pytest.fixture
def asked(app):
    """Every request that has come to the service: method, path and status."""
    seen = []
    inner = app.wsgi_app

    def note(environ, start_response):
        def start(status, *rest):
            seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], int(status[:3])))
            return start_response(status, *rest)

        return inner(environ, start)

    app.wsgi_app = note
    return seen


class TestTheFriendsPage:
    """An origin that CORS names."""

    def test_reads_answers_and_refusals_with_their_limits(self, visit, home, friend, ask):
        """401 and 429 are readable as well, with `Retry-After` and the limit headers."""
        page = visit(friend)
        refused = ask(page, home + ME)
        assert (refused["status"], refused["body"]["code"]) == (401, "TOKEN_MISSING")
        for _ in range(20):
            answer = ask(page, f"{home}{V1}/auth/login", method="POST", json={"username": "x", "password": "y"})
            if answer["status"] == 429:
                break
        assert answer["status"] == 429
        assert int(answer["headers"]["retry-after"]) == answer["body"]["retry_after"]
        assert answer["headers"]["x-request-id"]

    def test_logs_in_and_acts_with_cookies(self, visit, home, friend, ask, log_in):
        """Credentialed requests work from the named origin: read, change, and log out."""
        page = visit(friend)
        log_in(page, home)
        read = ask(page, home + ME, credentials="include")
        assert (read["status"], read["body"]["username"]) == (200, "testuser")
        assert read["headers"]["ratelimit"]
        assert ask(page, home + ME, credentials="omit")["status"] == 401
        assert ask(page, home + SESSIONS, method="DELETE", credentials="include")["status"] == 200
        assert ask(page, f"{home}{V1}/auth/logout", method="POST", credentials="include")["status"] == 200
        assert ask(page, home + ME, credentials="include")["status"] == 401

    def test_is_asked_for_once(self, visit, home, friend, ask, asked):
        """A preflight is answered without a limit, and kept by the browser for the next request."""
        page = visit(friend)
        for _ in range(2):
            answer = ask(page, home + ME, headers={"Authorization": "Bearer x"})
            assert answer["body"]["code"] == "INVALID_TOKEN"
        assert [each for each in asked if each[0] == "OPTIONS"] == [("OPTIONS", ME, 204)]

    def test_cannot_use_a_method_that_the_route_lacks(self, visit, home, friend, ask, asked):
        """The preflight names the methods of the route alone."""
        assert ask(visit(friend), home + ME, method="PUT")["status"] == 0
        assert ("PUT", ME) not in {each[:2] for each in asked}


class TestTheNeighboursPage:
    """Another origin of the same site: it is sent `SameSite` cookies, and must be stopped by more than those."""

    def test_reads_nothing(self, visit, home, neighbour, logged_in, ask, asked):
        """The request is sent with the cookie, and its answer is kept from the page."""
        page = visit(neighbour)
        assert ask(page, home + ME, credentials="include")["status"] == 0
        assert ("GET", ME, 200) in asked
        assert any("CORS" in each for each in page.told)

    def test_changes_nothing(self, visit, home, neighbour, logged_in, ask, asked):
        """A request without a preflight arrives with the cookie and is refused; one with a preflight is not sent."""
        page = visit(neighbour)
        how = {"method": "POST", "credentials": "include", "mode": "no-cors"}
        ask(page, f"{home}{V1}/auth/logout", **how)
        assert ("POST", f"{V1}/auth/logout", 403) in asked
        ask(page, home + SESSIONS, method="DELETE", credentials="include")
        assert "DELETE" not in {each[0] for each in asked}
        assert ask(logged_in, home + ME)["status"] == 200


class TestTheAttackersPage:
    """Another site."""

    def test_forms_change_nothing(self, visit, home, evil, evil_pages, logged_in, ask, asked):
        """The oldest attack: a form that sends itself."""
        evil_pages.texts["/trap"] = f"""<!doctype html><body>
            <form method=post enctype=text/plain action="{home}{V1}/auth/logout"><input name=x value=y></form>
            <script>document.forms[0].submit()</script>"""
        page = visit(f"{evil}/trap")
        eventually(lambda: [each for each in asked if each[:2] == ("POST", f"{V1}/auth/logout")], "the form's request")
        page.wait_for_load_state()
        assert [each[2] for each in asked if each[0] == "POST" and each[1].endswith("logout")] == [401]
        assert ask(logged_in, home + ME)["status"] == 200

    def test_forms_log_nobody_in(self, context, visit, home, evil, evil_pages, asked):
        """Login CSRF: a form cannot send JSON, and JSON in disguise is not read."""
        wanted = '{"username": "%(username)s", "password": "%(password)s", "cookies": true, "x": "' % ANN  # noqa: UP031
        evil_pages.texts["/trap"] = f"""<!doctype html><body>
            <form method=post enctype=text/plain action="{home}{V1}/auth/login">
            <input name='{wanted}' value='"}}'></form>
            <script>document.forms[0].submit()</script>"""
        visit(f"{evil}/trap")
        path = f"{V1}/auth/login"
        assert eventually(lambda: [each for each in asked if each[1] == path], "the form's request")[0][2] == 415
        assert context.cookies(home) == []

    def test_pictures_change_nothing_and_show_nothing(self, visit, home, evil, evil_pages, logged_in, ask, asked):
        """GET changes nothing, the cookie stays at home, and what came is no picture."""
        paths = (ME, f"{V1}/auth/logout", SESSIONS)
        tags = "".join(f'<img src="{home}{path}">' for path in paths)
        evil_pages.texts["/trap"] = f"<!doctype html><body>{tags}"
        page = visit(f"{evil}/trap")
        eventually(lambda: len([each for each in asked if each[1] in paths and each[2] >= 400]) >= 3, "the pictures")
        assert page.evaluate("[...document.images].map(each => each.naturalWidth)") == [0, 0, 0]
        assert {each[2] for each in asked if each[1] in paths} == {401, 405}
        assert ask(logged_in, home + ME)["status"] == 200

    def test_scripts_read_nothing_and_send_no_cookie(self, visit, home, evil, logged_in, ask, asked):
        """Neither with credentials nor without."""
        page = visit(evil)
        assert ask(page, home + ME, credentials="include")["status"] == 0
        assert ask(page, home + ME)["status"] == 0
        assert ask(page, home + PASSWORD, method="POST", json={}, credentials="include")["status"] == 0
        assert {each for each in asked if each[1] in (ME, PASSWORD)} == {("GET", ME, 401), ("OPTIONS", PASSWORD, 200)}

    def test_frames_show_nothing(self, visit, home, evil, evil_pages):
        """No page of the service stands in somebody else's frame."""
        evil_pages.texts["/trap"] = f'<!doctype html><body><iframe src="{home}/docs"></iframe>'
        page = visit(f"{evil}/trap")
        eventually(lambda: page.told or page.wait_for_timeout(20), "the browser's word on the frame")
        assert any("frame-ancestors" in each or "X-Frame-Options" in each for each in page.told)
        eventually(
            lambda: page.frames[1].url.startswith("chrome-error") or page.wait_for_timeout(20), "the frame's end"
        )
