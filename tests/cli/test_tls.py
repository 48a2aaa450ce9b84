"""Serving https: real handshakes with the development certificate, and what becomes of plain HTTP."""

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess

import pytest
from tests.support.served import Served, serve  # noqa: F401 -- a fixture is found by its name
from tests.support.waiting import eventually

LISTENING = re.compile(r"listening on https://127\.0\.0\.1:(\d+)")
BEHIND = {"X-Forwarded-For": "198.51.100.7"}


def port_of(served, pattern=LISTENING):
    found = eventually(lambda: pattern.search(served.output), "the address of the service")
    return int(found[1])


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """A service with a development certificate."""
    served = Served(tmp_path_factory.mktemp("tls") / "data", settings={"VOXGATE_TLS": "true"})
    try:
        served.port = port_of(served)
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
