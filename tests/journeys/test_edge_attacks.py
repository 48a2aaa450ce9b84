"""Requests that no honest client sends: each is refused or answered as what it is, and none comes past the guard."""

import http.client
import json
import socket
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from tests.support.calls import V1
from tests.support.served import WIDE

ME = b"/api/v1/auth/me"
HOST = b"Host: x\r\n"
END = b"Connection: close\r\n\r\n"
LOGIN = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: "


def get(target, headers=b"", *, host=HOST):
    return b"GET " + target + b" HTTP/1.1\r\n" + host + headers + END


# What names the guarded route in any way that a server could understand, without a credential that is one.
UNPROVEN = {
    "absolute form": get(b"http://x" + ME),
    "another host in the absolute form": get(b"https://evil.example" + ME),
    "absolute form alone": get(b"http://evil.example" + ME, host=b""),
    "double slash": get(b"/" + ME),
    "double slash within": get(b"/api//v1/auth/me"),
    "encoded slash": get(b"/api%2fv1/auth/me"),
    "encoded letter": get(b"/api/v1/auth/%6de"),
    "dots": get(b"/api/v1/x/../auth/me"),
    "encoded dots": get(b"/api/v1/%2e%2e/v1/auth/me"),
    "trailing slash": get(ME + b"/"),
    "parameter": get(ME + b";x=y"),
    "fragment": get(ME + b"#/healthz"),
    "capitals": get(b"/API/V1/AUTH/ME"),
    "zero byte": get(ME + b"%00"),
    "backslash": get(b"/api\\v1\\auth\\me"),
    "HTTP/1.0": b"GET " + ME + b" HTTP/1.0\r\n\r\n",
    "HEAD": b"HEAD " + ME + b" HTTP/1.1\r\n" + HOST + END,
    "body": get(ME, b"Content-Length: 5\r\n").removesuffix(b"\r\n") + b"\r\nhello",
    "websocket": b"GET " + ME + b" HTTP/1.1\r\n" + HOST + UPGRADE + b"websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "HTTP/2 by upgrade": b"GET " + ME + b" HTTP/1.1\r\n" + HOST + UPGRADE + b"h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    "two tokens": get(ME, b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"),
    "token and key": get(ME, b"Authorization: Bearer a\r\nX-API-Key: b\r\n"),
    "token of other bytes": get(ME, b"Authorization: Bearer \xff\xfe\r\n"),
    "token after a tab": get(ME, b"Authorization:\tBearer\ta\r\n"),
    "key with underscores": get(ME, b"X_API_Key: sk-vg_x\r\n"),
    "odd cookies": get(ME, b"Cookie: \xff=\xff; ;;; =a; __Host-voxgate=\x80\r\n"),
    "name of the gate": get(ME, b"X-Gate-Subject: admin\r\nX-Gate-Tier: premium\r\n"),
    "another method named": b"POST "
    + ME
    + b" HTTP/1.1\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n"
    + HOST
    + END,
}
# What is no request, or none that is answered with anything but a refusal.
MALFORMED = {
    "authority form": b"CONNECT evil.example:80 HTTP/1.1\r\n" + HOST + END,
    "asterisk": get(b"*"),
    "bad escape": get(b"/api/v1/auth/%zz"),
    "bad UTF-8": get(b"/api/v1/auth/%ff%fe"),
    "raw bytes": get("/api/v1/é".encode()),
    "line end in the path": get(b"/api/v1/x%0d%0aSet-Cookie:a=b"),
    "endless path": get(b"/" + b"y" * 65_000),
    "endless query": get(b"/healthz?" + b"y" * 100_000),
    "unknown method": b"FOO /healthz HTTP/1.1\r\n" + HOST + END,
    "TRACE": b"TRACE /healthz HTTP/1.1\r\nX-Secret: a\r\n" + HOST + END,
    "endless method": b"A" * 5_000 + b" /healthz HTTP/1.1\r\n" + HOST + END,
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/1.2": b"GET /healthz HTTP/1.2\r\n" + HOST + END,
    "HTTP/2 in words": b"GET /healthz HTTP/2.0\r\n" + HOST + END,
    "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50 + b"\r\n\r\n",
    "two hundred headers": get(b"/healthz", b"".join(b"X-%d: y\r\n" % n for n in range(200))),
    "endless header": get(b"/healthz", b"X-A: " + b"y" * 600_000 + b"\r\n"),
    "folded line": get(b"/healthz", b"X-A: b\r\n c\r\n"),
    "header without a name": get(b"/healthz", b": b\r\n"),
    "control character": get(ME, b"Authorization: Bearer a\x01\r\n"),
    "host with a control character": get(b"/healthz", host=b"Host: a\x0bb\r\n"),
    "no host to name": get(b"/.well-known/oauth-authorization-server", host=b"Host: a@evil\r\n"),
    "chunks in HTTP/1.0": LOGIN.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a length with an underscore": LOGIN + b"Content_Length: 100\r\n" + END,
    "chunks with an underscore": LOGIN + b"Transfer_Encoding: chunked\r\nContent-Length: 2\r\n" + END + b"{}",
    "trailers that would be headers": LOGIN
    + b"Transfer-Encoding: chunked\r\n"
    + END
    + b"2\r\n{}\r\n0\r\nX-API-Key: a\r\n\r\n",
    "another charset": LOGIN.replace(b"json", b"json; charset=\xff") + b"Content-Length: 2\r\n" + END + b"{}",
    "an unknown expectation": LOGIN + b"Expect: 999\r\nContent-Length: 2\r\n" + END + b"{}",
}


@pytest.fixture
def send(served):
    """Send bytes; returns each answer that came as its status, its headers and the rest."""

    def send_one(request):
        at, read = urlsplit(served.url), b""
        with closing(socket.create_connection((at.hostname, at.port), timeout=60)) as connection:
            try:
                connection.sendall(request)
                connection.settimeout(5)  # what keeps the connection says no more
                while part := connection.recv(65_536):
                    read += part
            except (ConnectionError, TimeoutError):
                pass
        return [read_answer(each) for each in read.split(b"HTTP/1.")[1:]]

    return send_one


def read_answer(text):
    head, _, body = text.partition(b"\r\n\r\n")
    return int(head[2:5]), head.decode("latin-1").lower(), body


def is_ours(status, head, body):
    """Say whether an answer is a problem of ours, or of the server: an empty one that closes."""
    if "content-type: application/problem+json" in head:
        return "x-content-type-options: nosniff" in head and (not body or json.loads(body)["status"] == status)
    return not body


def test_what_this_file_looks_for_can_be_seen(served, send):
    """With a credential the guarded route is answered, in the absolute form too."""
    token = served.api.join().access.encode()
    shown = b"Authorization: Bearer " + token + b"\r\n"
    assert [answer[0] for answer in send(get(ME, shown))] == [200]
    assert [answer[0] for answer in send(get(b"http://evil.example" + ME, shown))] == [200]


@pytest.mark.parametrize("request_of", UNPROVEN.values(), ids=UNPROVEN.keys())
def test_no_spelling_comes_past_the_guard(send, request_of):
    """One refusal in our form; never a 200, never a 500."""
    (answer,) = send(request_of)
    assert answer[0] in {400, 401, 404, 405}
    assert is_ours(*answer)


@pytest.mark.parametrize("request_of", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_request_is_refused(send, request_of):
    """One refusal at most, or the end of the connection."""
    answers = send(request_of)
    assert len(answers) <= 1
    assert all(400 <= answer[0] < 500 and is_ours(*answer) for answer in answers)
    assert not any("set-cookie" in answer[1] or "x-secret" in answer[1] + str(answer[2]) for answer in answers)


def test_an_expectation_is_met_only_where_the_body_is_read(send):
    """A client learns that its body is not wanted before it sends it."""
    expect = b"Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
    told = send(b"POST /api/v1/auth/logout HTTP/1.1\r\n" + HOST + expect + END)
    assert [answer[0] for answer in told] == [401]
    told = send(LOGIN + b"Content-Length: 2\r\nExpect: 100-continue\r\n" + END + b"{}")
    assert [answer[0] for answer in told] == [100, 400]


INSIDE, OUTSIDE = 200, 403
FORWARDED = [
    ("", ["198.51.100.7"], OUTSIDE),
    ("1", [], OUTSIDE),
    ("1", ["198.51.100.7"], INSIDE),
    ("1", ["203.0.113.9, 198.51.100.7"], INSIDE),
    ("1", ["198.51.100.7, 203.0.113.9"], OUTSIDE),
    ("1", ["198.51.100.7", "203.0.113.9"], OUTSIDE),
    ("1", ["::ffff:198.51.100.7"], INSIDE),
    ("1", ["[::ffff:c633:6407]:443"], INSIDE),
    ("1", ["198.51.100.7:1234"], INSIDE),
    ("1", ["::198.51.100.7"], OUTSIDE),
    ("1", ["198.51.100.007"], OUTSIDE),
    ("1", ["0xc6.0x33.100.7"], OUTSIDE),
    ("1", ["3325256711"], OUTSIDE),
    ("1", ["fe80::1%eth0"], OUTSIDE),
    ("1", ["unknown"], OUTSIDE),
    ("1", ["198.51.100.7, "], INSIDE),
    ("1", ["198.51.100.7" + ", 203.0.113.9" * 2_000], OUTSIDE),
    ("2", ["198.51.100.7"], OUTSIDE),
    ("2", ["198.51.100.7, 10.0.0.1"], INSIDE),
    ("2", ["198.51.100.7", "10.0.0.1"], INSIDE),
    ("2", ["198.51.100.7, 203.0.113.9, 10.0.0.1"], OUTSIDE),
    ("127.0.0.1,10.0.0.0/8", ["198.51.100.7, 10.0.0.1"], INSIDE),
    ("127.0.0.1,10.0.0.0/8", ["198.51.100.7, 203.0.113.9, 10.0.0.1"], OUTSIDE),
    ("10.0.0.0/8", ["198.51.100.7"], OUTSIDE),
]


@pytest.fixture(scope="module")
def behind(serve_one):
    """Services behind none, one and two proxies, with one account; gives each with a key that is bound to a network."""
    found = {}
    for proxies in dict.fromkeys(row[0] for row in FORWARDED):
        settings = {"VOXGATE_TRUSTED_PROXIES": proxies} if proxies else {}
        found[proxies] = serve_one("proxied", **WIDE, **settings)
    member = next(iter(found.values())).api.join()
    made = member.api.post(f"{V1}/auth/api-keys", json={"name": "bound", "allowed_networks": ["198.51.100.0/24"]})
    assert made.status == 201, made.data
    return found, made.json()["api_key"]


@pytest.mark.parametrize(("proxies", "told", "status"), FORWARDED)
def test_an_address_is_what_the_proxies_say(behind, proxies, told, status):
    """A key that is bound to a network shows it: of as many proxies as are set, and in every spelling of an address."""
    services, key = behind
    with closing(http.client.HTTPConnection(urlsplit(services[proxies].url).netloc, timeout=60)) as connection:
        connection.putrequest("GET", f"{V1}/tts/voices")
        connection.putheader("X-API-Key", key)
        for each in told:
            connection.putheader("X-Forwarded-For", each)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
    assert answer.status == status, body
    assert status == INSIDE or json.loads(body)["code"] == "API_KEY_NETWORK"
