"""Where a request ends is read in one way, so nobody hides a second one in it; and slow clients hold nobody up."""

import contextlib
import socket
from urllib.parse import urlsplit

import pytest
from tests.support.waiting import eventually

HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LOGIN = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNK = b"2\r\n{}\r\n0\r\n\r\n"
AMBIGUOUS = {
    "length and chunks": LOGIN + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNK,
    "chunks and length": LOGIN + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n" + CHUNK,
    "two lengths": LOGIN + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
    "a list of lengths": LOGIN + b"Content-Length: 2, 40\r\n\r\n{}",
    "a length with a sign": LOGIN + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": LOGIN + b"Content-Length: -2\r\n\r\n{}",
    "a length in hexadecimal": LOGIN + b"Content-Length: 0x2\r\n\r\n{}",
    "an endless length": LOGIN + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "an unknown coding": LOGIN + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNK,
    "chunks that are not last": LOGIN + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNK,
    "chunked twice": LOGIN + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + CHUNK,
    "a chunk of no size": LOGIN + b"Transfer-Encoding: chunked\r\n\r\nx\r\n{}\r\n0\r\n\r\n",
    "a chunk of a negative size": LOGIN + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk that is longer than it says": LOGIN + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "a space before the colon": LOGIN + b"Content-Length : 2\r\n\r\n{}",
    "a folded line": LOGIN + b"X-A: b\r\n Content-Length: 2\r\nContent-Length: 0\r\n\r\n{}",
    "a bare carriage return": LOGIN + b"X-A: b\rContent-Length: 2\r\n\r\n{}",
    "a zero byte": LOGIN + b"X-A: b\0\r\nContent-Length: 2\r\n\r\n{}",
    "a header without a name": LOGIN + b": 2\r\n\r\n{}",
    "a space in the path": b"GET /healthz /x HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.fixture
def connect(served):
    """Open a connection to the service that is closed after the test."""
    with contextlib.ExitStack() as stack:

        def open_one():
            at = urlsplit(served.url)
            return stack.enter_context(socket.create_connection((at.hostname, at.port), timeout=20))

        yield open_one


def statuses(connection, *, wait_s=2):
    """Read until the server closes or answers nothing more; returns the status of every answer."""
    read = b""
    connection.settimeout(wait_s)
    with contextlib.suppress(TimeoutError, ConnectionError):
        while part := connection.recv(65_536):
            read += part
    return [int(each[:3]) for each in read.split(b"HTTP/1.1 ")[1:]]


def test_two_requests_in_one_connection_are_two_answers(connect):
    """What this file looks for can be seen: the hidden request is answered where it is meant."""
    connection = connect()
    connection.sendall(LOGIN + b"Content-Length: 2\r\n\r\n{}" + HIDDEN)
    assert statuses(connection, wait_s=30) == [400, 200]


@pytest.mark.parametrize("request_of", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_could_be_read_in_two_ways_ends_the_connection(connect, request_of):
    """One refusal at most, never the answer to what was hidden behind it."""
    connection = connect()
    connection.sendall(request_of + HIDDEN)
    told = statuses(connection)
    assert 200 not in told
    assert len(told) <= 1
    assert all(400 <= status < 500 for status in told)


def test_slow_clients_hold_nobody_up(connect, served):
    """A hundred clients that send a letter now and then: everybody else is answered while all of them still do.

    Whoever had to wait for a slow client would have its answer when one of them is let go, never before. On a slow
    machine they may be let go for their own ten seconds in the middle of a request: then it is asked again among new
    ones, which would not help either where somebody waits for them.
    """
    slow = []

    def let_them_drip():
        """Have a hundred slow clients that are at it, and a letter of each."""
        slow[:] = [each for each in slow if goes_on(each)]
        for _ in range(100 - len(slow)):
            slow.append(connect())
            slow[-1].sendall(LOGIN + b"Content-Length: 1000\r\n")

    def is_answered_among_them():
        let_them_drip()
        assert served.api.get("/healthz").status == 200
        return all(goes_on(each) for each in slow)

    for number in range(20):
        assert eventually(is_answered_among_them, f"answer {number} while a hundred slow clients go on")


def goes_on(connection):
    """Send one more letter of a header; says whether the server still waits for the next."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(b"X-A: b\r\n")
        return not is_closed(connection)
    return False


@pytest.mark.parametrize("body", ["Content-Length: 99\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n5\r\n{"])
def test_bodies_that_never_come_hold_nobody_up(connect, served, body):
    """Fifty at once, with no proxy before the service: others are answered, with bodies of their own too."""
    slow = [connect() for _ in range(50)]
    for connection in slow:
        connection.sendall(LOGIN + body.encode())
    assert [served.api.get("/healthz").status for _ in range(20)] == [200] * 20
    assert served.api.join().api.get("/api/v1/auth/me").status == 200

    def are_closed():
        return all(is_closed(connection) for connection in slow)

    assert eventually(are_closed, "the end of all that stall")


def is_closed(connection):
    """Say whether the server has ended a connection; one refusal may have come before."""
    connection.setblocking(False)
    try:
        while told := connection.recv(65_536):
            assert told.startswith(b"HTTP/1.1 408") or b"BODY_TIMEOUT" in told
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def test_a_client_that_never_ends_its_headers_is_let_go(connect):
    """After ten seconds, however many letters it has sent."""
    connection = connect()
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")

    def is_closed():
        try:
            connection.sendall(b"X-A: b\r\n")
        except OSError:
            return True
        return False

    assert eventually(is_closed, "the end of the connection")
