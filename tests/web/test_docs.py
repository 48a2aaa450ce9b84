"""The page that shows the interface: everything from here, nothing inline."""

import re

import pytest


def test_page_has_a_strict_policy(client):
    """The page may load our own files and nothing else."""
    answer = client.get("/docs")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert len(answer.headers.getlist("Content-Security-Policy")) == 1


def test_bare_address_leads_to_the_page(client):
    """What a start prints is opened in a browser."""
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs")


def test_lost_readers_are_sent_to_the_page_only_where_it_is(client, make_app):
    """In production it is closed."""
    closed = make_app(docs=False).test_client()
    assert "/docs" in client.get("/nowhere").get_json()["message"]
    assert closed.get("/nowhere").get_json()["message"] == "There is nothing at this address."
    assert {closed.get(path).status_code for path in ("/", "/docs")} == {404}


def test_page_has_nothing_inline_and_nothing_foreign(client):
    """Every script and style of the page is a file of ours that is there."""
    page = client.get("/docs").text
    assert not re.search(r"<style|\son\w+=|style=|javascript:|<script(?! src=)", page)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) == 6
    assert addresses.count("/openapi.json") == 1  # for readers without scripts
    for address in set(addresses) - {"/openapi.json"}:
        assert address.startswith("/docs/assets/")
        answer = client.get(address)
        assert answer.status_code == 200
        assert len(answer.data) > 100


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("start.js", "text/javascript"),
        ("docs.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
        ("swagger.svg", "image/svg+xml"),
    ],
)
def test_assets_are_kept_by_browsers(client, name, media_type):
    """A file has its type and is not sent twice."""
    answer = client.get(f"/docs/assets/{name}")
    assert answer.mimetype == media_type
    assert "max-age=3600" in answer.headers["Cache-Control"]
    again = client.get(f"/docs/assets/{name}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "../app.py", "..%2fapp.py", "docs.html", "swagger-ui.css%00", "css/x"])
def test_404_no_such_file(client, name):
    """A name leads to a file of the table or nowhere."""
    assert client.get(f"/docs/assets/{name}").status_code == 404


def test_start_script_names_our_document(client):
    """Swagger UI reads the document of this service and asks no validator."""
    script = client.get("/docs/assets/start.js").text
    assert 'url: "/openapi.json"' in script
    assert "validatorUrl: null" in script
    assert "http" not in script


PAGES = ("/docs", "/openapi.json", "/docs/assets/start.js")
HTTPS = "https://localhost"


def test_production_shows_no_description(make_app):
    """The production profile does not describe itself to strangers."""
    client = make_app(profile="production").test_client()
    assert [client.get(path, base_url=HTTPS).status_code for path in PAGES] == [404] * 3


@pytest.mark.parametrize(("profile", "docs", "status"), [("production", True, 200), ("development", False, 404)])
def test_a_setting_opens_and_closes_the_description(make_app, profile, docs, status):
    """Whatever the profile would do."""
    client = make_app(profile=profile, docs=docs).test_client()
    assert [client.get(path, base_url=HTTPS).status_code for path in PAGES] == [status] * 3


def test_production_answers_nothing_but_health_over_plain_http(make_app):
    """Neither pages, on which a password would be typed, nor routes."""
    client = make_app(profile="production", docs=True).test_client()
    codes = {
        path: client.get(path).get_json().get("code") for path in ("/docs", "/api/v1/tts/", "/healthz", "/nothing")
    }
    assert codes == {"/docs": "HTTPS_REQUIRED", "/api/v1/tts/": "HTTPS_REQUIRED", "/healthz": None} | {
        "/nothing": "HTTPS_REQUIRED"
    }


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "BREW"])
def test_a_method_that_no_route_has_is_405(client, method):
    """Nothing is echoed, nothing is tried."""
    answer = client.open("/api/v1/auth/me", method=method)
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
