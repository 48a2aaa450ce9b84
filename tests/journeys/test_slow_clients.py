"""Clients that ask for audio and do not read it, against the real server: nobody else waits for them."""

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from tests.support.calls import V1
from tests.support.served import WIDE

LONG = "The old lighthouse keeper counts the ships that pass in the night, and writes their names into a book. " * 40
CLIENTS = 8  # twice the threads of a server process


@pytest.fixture
def member(serve):
    return serve("data", **WIDE).api.join()


def ask_and_not_read(stack, member, path):
    """Send a request over a connection with the least room for its answer."""
    parts = urlsplit(member.api.url)
    client = stack.enter_context(socket.socket())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((parts.hostname, parts.port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\nX-API-Key: {member.key}\r\n\r\n".encode())
    assert client.recv(12) == b"HTTP/1.1 200"


def test_audio_that_nobody_reads_holds_no_thread(member):
    """Twice as many downloads as there are threads are begun, and each of them and everybody else is answered."""
    job = member.wait_for(member.generate(LONG, output_format="wav").json()["job_id"])
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            ask_and_not_read(stack, member, job["audio_url"])
        assert member.api.get("/healthz").status == 200
        assert member.api.get(f"{V1}/tts/status/{job['job_id']}").status == 200
