"""Serving https: real handshakes with the development certificate, and what becomes of plain HTTP."""

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess

import pytest
from tests.support.calls import Answer, check
from tests.support.served import Served, serve  # noqa: F401 -- a fixture is found by its name
from tests.support.waiting import eventually

from voxgate.cli.plain import CONNECTIONS_MAX, answer
from voxgate.cli.server import check_edge
from voxgate.gate.errors import ConfigurationError
from voxgate.settings import Settings

LISTENING = re.compile(r"listening on https://127\.0\.0\.1:(\d+)")
BEHIND = {"X-Forwarded-For": "198.51.100.7"}


def port_of(served, pattern=LISTENING):
    found = eventually(lambda: pattern.search(served.output), "the address of the service")
    return int(found[1])


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """A service with a development certificate."""
    served = Served(
        tmp_path_factory.mktemp("tls") / "data", settings={"VOXGATE_TLS": "true", "VOXGATE_PLAIN_PORT": "0"}
    )
    try:
        served.port = port_of(served)
        served.plain_port = port_of(served, re.compile(r"plain HTTP to port (\d+) is told to ask https://127"))
        served.authority = served.data / "tls" / "authority.pem"
        yield served
        assert "Traceback" not in served.output
    finally:
        served.kill()


def curl(*arguments):
    """Ask as the docs tell people to."""
    done = subprocess.run(
        [shutil.which("curl"), "-sS", "-i", "--max-time", "30", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    return done.returncode, done.stdout + done.stderr


def trusting(secure, **bounds):
    context = ssl.create_default_context(cafile=secure.authority)
    for name, value in bounds.items():
        setattr(context, name, value)
    return context


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is what this is about")
class TestCurl:
    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
    def test_whoever_trusts_the_authority_is_answered(self, secure, name):
        """By every name, with HSTS, and without a word about versions."""
        status, told = curl("--cacert", str(secure.authority), f"https://{name}:{secure.port}/healthz")
        assert status == 0
        assert told.startswith("HTTP/1.1 200")
        assert "strict-transport-security: max-age=63072000; includesubdomains" in told.lower()
        assert not re.search(r"(?im)^(server|x-powered-by|via):.*\d", told)

    def test_whoever_does_not_trust_it_is_warned(self, secure):
        """A development certificate convinces nobody else."""
        status, told = curl(f"https://127.0.0.1:{secure.port}/healthz")
        assert status == 60
        assert "HTTP/" not in told

    def test_the_line_that_the_start_prints_works(self, secure):
        """A reader copies it."""
        line = re.search(r"trust it: curl (--cacert \S+) (https://\S+/healthz)", secure.output)
        assert curl(*line[1].split(), line[2])[0] == 0

    def test_plain_http_to_the_port_reaches_no_application(self, secure):
        """No answer of HTTP, so a token that is sent so opens nothing."""
        status, told = curl("-H", "X-API-Key: sk-vg_x", f"http://127.0.0.1:{secure.port}/api/v1/auth/me")
        assert status != 0
        assert "HTTP/1" not in told


class TestHandshake:
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_modern_versions_are_spoken(self, secure, version):
        """With ciphers that keep what was said secret later too."""
        context = trusting(secure, minimum_version=version, maximum_version=version)
        with (
            socket.create_connection(("127.0.0.1", secure.port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            name = connection.cipher()[0]
        assert name.startswith(("TLS_", "ECDHE-"))
        assert "GCM" in name or "CHACHA20" in name

    def test_old_versions_are_refused(self, secure):
        """TLS 1.1 is spoken to nobody."""
        context = trusting(secure)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="deprecated"):
            context.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="deprecated"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", secure.port), timeout=30) as plain, pytest.raises(OSError):  # noqa: PT011
            context.wrap_socket(plain, server_hostname="localhost")

    def test_the_application_knows_that_it_is_https(self, secure):
        """A wrong token is a wrong token, and not a matter of the scheme."""
        connection = http.client.HTTPSConnection("localhost", secure.port, context=trusting(secure), timeout=30)
        connection.request("GET", "/api/v1/auth/me", headers={"Authorization": "Bearer x"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status == 401
        assert b"INVALID_TOKEN" in body


class TestPlainPort:
    @pytest.fixture
    def ask(self, secure):
        """Send plain HTTP to the port that is for it."""

        def ask_one(path="/api/v1/auth/me", *, method="GET", body=None, **headers):
            connection = http.client.HTTPConnection("127.0.0.1", secure.plain_port, timeout=30)
            with contextlib.closing(connection):
                connection.request(method, path, body=body, headers=headers)
                answer = connection.getresponse()
                return answer, answer.read()

        return ask_one

    def test_an_api_is_refused_with_the_way_to_it(self, secure, ask):
        """With the code and the address, without a word of what was shown, and without a way to be used twice."""
        answer, body = ask("/api/v1/auth/me?token=secret-secret", Authorization="Bearer secret-secret")
        told = json.loads(body)
        assert (answer.status, told["code"]) == (403, "HTTPS_REQUIRED")
        assert f"https://127.0.0.1:{secure.port}/api/v1/auth/me instead" in told["detail"]
        assert b"secret-secret" not in body
        assert answer.headers["Location"] is answer.headers["Strict-Transport-Security"] is None
        assert answer.will_close
        check(Answer(answer.status, answer.headers, body))

    def test_a_page_is_redirected_to_the_port_that_speaks_tls(self, secure, ask):
        """Where it is answered."""
        answer, body = ask("/docs")
        assert (answer.status, body) == (308, b"")
        assert answer.headers["Location"] == f"https://127.0.0.1:{secure.port}/docs"
        connection = http.client.HTTPSConnection("127.0.0.1", secure.port, context=trusting(secure), timeout=30)
        connection.request("GET", "/docs")
        assert connection.getresponse().status == 200
        connection.close()

    @pytest.mark.parametrize("size", [10, 500_000])
    def test_a_body_is_not_read_and_disturbs_no_answer(self, ask, size):
        """A client that has sent much still reads why it was in vain."""
        answer, body = ask("/api/v1/auth/login", method="POST", body=b"x" * size)
        assert (answer.status, json.loads(body)["code"]) == (403, "HTTPS_REQUIRED")

    @pytest.mark.parametrize(
        "sent", [b"", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET /" + b"x" * 50_000]
    )
    def test_who_ends_nothing_is_let_go(self, secure, ask, sent):
        """Slow clients, clients that speak TLS, and endless lines; others are answered meanwhile."""
        with socket.create_connection(("127.0.0.1", secure.plain_port), timeout=60) as connection:
            connection.sendall(sent)
            assert ask()[0].status == 403
            with contextlib.suppress(ConnectionError):
                assert not [part for part in iter(lambda: connection.recv(65_536), b"") if b"HTTP/1.1 403" not in part]

    def test_more_than_it_takes_are_closed_at_once(self, secure, ask):
        """And their places are free again."""
        with contextlib.ExitStack() as stack:
            for _ in range(CONNECTIONS_MAX):
                at = ("127.0.0.1", secure.plain_port)
                stack.enter_context(socket.create_connection(at, timeout=60)).sendall(b"GET")
            surplus = stack.enter_context(socket.create_connection(("127.0.0.1", secure.plain_port), timeout=60))
            with contextlib.suppress(ConnectionError):
                assert surplus.recv(100) == b""

        def is_answered():
            with contextlib.suppress(ConnectionError, http.client.HTTPException):
                return ask()[0].status == 403

        assert eventually(is_answered, "an answer")


HOST = "Host: voice.example:80"


@pytest.mark.parametrize(
    ("request_of", "location"),
    [
        (f"GET /docs HTTP/1.1\r\n{HOST}", "https://voice.example/docs"),
        (f"HEAD / HTTP/1.1\r\n{HOST}", "https://voice.example/"),
        (f"GET /console/keys HTTP/1.0\r\n{HOST}", "https://voice.example/console/keys"),
        ("GET /docs HTTP/1.1\r\nHost: [::1]:80", "https://[::1]/docs"),
        (f"GET /docs?access_token=x HTTP/1.1\r\n{HOST}", None),
        (f"GET /docs HTTP/1.1\r\n{HOST}\r\nCookie: a=b", None),
        (f"GET /docs HTTP/1.1\r\n{HOST}\r\nAUTHORIZATION : Bearer x", None),
        (f"POST /docs HTTP/1.1\r\n{HOST}", None),
        (f"GET /docsx HTTP/1.1\r\n{HOST}", None),
        (f"GET //evil.example/docs HTTP/1.1\r\n{HOST}", None),
        (f"GET /docs/../api HTTP/1.1\r\n{HOST}", None),
        (f"GET http://voice.example/docs HTTP/1.1\r\n{HOST}", None),
        ("GET /docs HTTP/1.1\r\nHost: a@evil.example", None),
        (f"GET /docs HTTP/1.1\r\n{HOST}\r\nHost: evil.example", None),
        ("GET /docs HTTP/1.1", None),
        ("", None),
        ("\x16\x03\x01", None),
    ],
)
def test_pages_alone_are_redirected(request_of, location):
    """Without anything that is secret or has two readings; whatever else is sent is told the rule."""
    head, _, body = answer(request_of.encode("latin-1"), tls_port=443).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert f"Content-Length: {len(body)}" in lines
    if location is None:
        assert lines[0] == "HTTP/1.1 403 Forbidden"
        assert json.loads(body)["code"] == "HTTPS_REQUIRED"
        assert "evil" not in head.decode()
    else:
        assert lines[0] == "HTTP/1.1 308 Permanent Redirect"
        assert f"Location: {location}" in lines
        assert "Cache-Control: no-store" in lines


def test_a_head_is_told_without_a_body():
    """As HTTP wants it."""
    assert answer(b"HEAD /api/v1/auth/me HTTP/1.1\r\nHost: x", tls_port=443).endswith(b"\r\n\r\n")


def test_a_port_for_plain_http_needs_one_for_https():
    """One line says what is missing."""
    with pytest.raises(ConfigurationError, match="VOXGATE_TLS"):
        check_edge(Settings(plain_port=8080))
    check_edge(Settings(plain_port=8080, tls=True))


def test_production_behind_a_named_proxy_takes_no_token_over_plain_http(serve):  # noqa: F811 -- the fixture
    """The proxy says what the client has spoken; what comes past it is plain."""
    serve("home").run("init")
    served = serve("home", VOXGATE_PROFILE="production", VOXGATE_TRUSTED_PROXIES="127.0.0.1")
    token = {"Authorization": "Bearer secret-secret"}
    plain = served.api.get("/api/v1/auth/me", headers={**token, **BEHIND, "X-Forwarded-Proto": "http"})
    assert (plain.status, plain.code) == (403, "HTTPS_REQUIRED")
    assert b"secret-secret" not in plain.data
    assert served.api.get("/api/v1/auth/me", headers=token).code == "HTTPS_REQUIRED"
    secure = served.api.get("/api/v1/auth/me", headers={**token, **BEHIND, "X-Forwarded-Proto": "https"})
    assert (secure.status, secure.code) == (401, "INVALID_TOKEN")
    assert served.api.get("/healthz").status == 200
