"""A real browser, and what it visits: the service, a friend's page on another port, an attacker's on another site."""

import json
import threading

import pytest
from flask import Flask, Response
from playwright.sync_api import sync_playwright
from tests.support import chromium
from tests.support.service import (  # noqa: F401 -- fixtures are found by their names
    ANN,
    V1,
    clock,
    engines,
    events,
    hasher,
    make_app,
)
from werkzeug.serving import make_server

TIMEOUT_MS = 60_000  # generous: a busy machine is no failure


class Site:
    """A web server of a thread, with an origin of its own.

    Args:
        app: The application.
        host: ``127.0.0.1`` and ``localhost`` are different sites to a browser.
    """

    def __init__(self, app, host="127.0.0.1"):
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.origin = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self):
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Pages:
    """An application that serves the pages that a test puts there, as they are, without any header."""

    def __init__(self):
        self.texts = {"/": "<!doctype html><title>page</title>"}
        self.app = Flask("pages", static_folder=None)
        self.app.add_url_rule("/", view_func=self.show, defaults={"path": ""})
        self.app.add_url_rule("/<path:path>", view_func=self.show)

    def show(self, path):
        """Send one page."""
        text = self.texts.get(f"/{path}")
        return Response(status=204) if text is None else Response(text, mimetype="text/html")


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        started = chromium.launch(playwright)
        yield started
        started.close()


@pytest.fixture
def open_site():
    """Serve applications until the test ends."""
    sites = []

    def start(app, host="127.0.0.1"):
        sites.append(Site(app, host))
        return sites[-1].origin

    yield start
    for site in sites:
        site.close()


@pytest.fixture
def friend_pages():
    return Pages()


@pytest.fixture
def friend(open_site, friend_pages):
    """The origin of pages that CORS names: another port of the same host, so another origin of the same site."""
    return open_site(friend_pages.app)


@pytest.fixture
def evil_pages():
    return Pages()


@pytest.fixture
def evil(open_site, evil_pages):
    """The origin of an attacker's pages: another site."""
    return open_site(evil_pages.app, "localhost")


@pytest.fixture
def neighbour(open_site):
    """The origin of a page that CORS does not name, on the same site."""
    return open_site(Pages().app)


@pytest.fixture
def app(make_app, friend):  # noqa: F811 -- a fixture takes another by its name
    return make_app(cors_origins=(friend,), ratelimit_standard="5 per minute", ratelimit_account="50 per minute")


@pytest.fixture
def home(app, open_site):
    """The service's own origin, with one account."""
    app.extensions["voxgate.services"].accounts.register(**ANN)
    return open_site(app)


@pytest.fixture
def context(browser):
    opened = browser.new_context()
    opened.set_default_timeout(TIMEOUT_MS)
    yield opened
    opened.close()


@pytest.fixture
def visit(context):
    """Open an address in a new tab of the same browser; gives the page."""

    def call(url):
        page = context.new_page()
        page.told = []
        page.on("console", lambda message: page.told.append(message.text))
        page.on("pageerror", lambda error: page.told.append(str(error)))
        page.goto(url)
        return page

    return call


@pytest.fixture
def ask():
    """Fetch from within a page, as its script would; gives what the script can see of the answer."""
    script = """async ([url, how]) => {
        try {
            const answer = await fetch(url, how);
            const text = await answer.text();
            return {status: answer.status, headers: Object.fromEntries(answer.headers), text,
                    body: text.startsWith("{") ? JSON.parse(text) : null};
        } catch (error) {
            return {status: 0, error: String(error)};
        }
    }"""

    def call(page, url, **how):
        if "json" in how:
            how["body"] = json.dumps(how.pop("json"))
            how["headers"] = {"Content-Type": "application/json", **how.get("headers", {})}
        return page.evaluate(script, [url, how])

    return call


@pytest.fixture
def log_in(ask):
    """Log in from within a page, with cookies; gives the answer."""

    def call(page, home=""):
        body = {"username": ANN["username"], "password": ANN["password"], "cookies": True}
        answer = ask(page, f"{home}{V1}/auth/login", method="POST", json=body, credentials="include")
        assert answer["status"] == 200, answer
        return answer

    return call
