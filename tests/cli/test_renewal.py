"""SIGHUP: new workers take over with what the certificate and the settings are now, and no request is lost."""

import contextlib
import http.client
import os
import re
import signal
import ssl
import threading
from datetime import UTC, datetime

import pytest
from cryptography import x509
from tests.support.served import Served
from tests.support.waiting import eventually

from voxgate.cli.certificates import make_certificate

LISTENING = re.compile(r"listening on https?://127\.0\.0\.1:(\d+)")


@pytest.fixture
def start(tmp_path):
    """Start a service; gives it with its port."""
    started = []

    def begin(*, workers=1, **settings):
        served = Served(tmp_path / "data", workers=workers, settings=settings)
        started.append(served)
        served.port = int(eventually(lambda: LISTENING.search(served.output), "the address of the service")[1])
        return served

    yield begin
    for served in started:
        served.kill()
        assert "Traceback" not in served.output


def renew(served):
    os.kill(served.pid, signal.SIGHUP)


def write_certificate(folder, *, name):
    """Write a new certificate with its key over the old one; returns its serial number."""
    made = make_certificate(folder / name, ["127.0.0.1"], now=datetime.now(UTC))
    (folder / "own.pem").write_bytes(made.certificate.read_bytes())
    (folder / "own.pem").chmod(0o600)
    return x509.load_pem_x509_certificate(made.certificate.read_bytes()).serial_number


def serial_of(served):
    """Return the serial number of the certificate that is shown in a handshake."""
    pem = ssl.get_server_certificate(("127.0.0.1", served.port), timeout=30)
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def test_a_renewed_certificate_is_shown_after_sighup(start, tmp_path):
    """In a real handshake; one that cannot be used is told of, and what runs goes on."""
    own = str(tmp_path / "own.pem")
    first = write_certificate(tmp_path, name="first")
    served = start(VOXGATE_TLS_CERTIFICATE=own, VOXGATE_TLS_KEY=own)
    assert serial_of(served) == first
    second = write_certificate(tmp_path, name="second")
    assert serial_of(served) == first
    old = set(served.workers)
    renew(served)
    eventually(lambda: not old & set(served.workers), "the end of the old worker")
    assert serial_of(served) == second
    (tmp_path / "own.pem").write_text("no certificate")
    renew(served)
    assert eventually(lambda: "what runs goes on as it was" in served.output, "the reason")
    assert "VOXGATE_TLS_CERTIFICATE" in served.output
    assert serial_of(served) == second


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_is_lost_while_workers_are_renewed(start, workers):
    """On connections that a worker has taken: each is answered, and the old workers end."""
    served = start(workers=workers)
    old, is_over, failed, untaken, answered = set(served.workers), threading.Event(), [], [], []

    def keep_asking(headers):
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
        with contextlib.closing(connection):
            while not is_over.is_set():
                is_kept = connection.sock is not None
                try:
                    connection.request("GET", "/healthz", headers=headers)
                    answer = connection.getresponse()
                    answer.read()
                    answered.append(answer.status)
                except (OSError, http.client.HTTPException) as error:
                    # The kernel may reset a connection that the old worker has not taken yet (tcp_migrate_req).
                    (failed if is_kept else untaken).append(repr(error))
                    connection.close()

    kinds = [{}, {}, {}, {"Connection": "close"}]
    clients = [threading.Thread(target=keep_asking, args=(kind,)) for kind in kinds]
    for client in clients:
        client.start()
    try:
        eventually(lambda: len(answered) > 100, "some traffic")
        renew(served)
        eventually(lambda: not old & set(served.workers), "the end of the old workers")
        so_far = len(answered)
        eventually(lambda: len(answered) > so_far + 100, "some more traffic")
    finally:
        is_over.set()
        for client in clients:
            client.join()
    assert failed == []
    assert set(answered) == {200}
    assert len(untaken) <= len(clients) * workers  # of the moment in which each old worker ends, and of no other
    assert len(served.workers) >= workers
    assert served.stop() == 0


def test_settings_that_cannot_be_used_renew_nothing(start):
    """The file is read before any worker is stopped; once it is mended its values hold."""
    served = start()
    old = set(served.workers)
    (served.data / "voxgate.toml").write_text("nonsense = 1\n")
    renew(served)
    assert eventually(lambda: "what runs goes on as it was" in served.output, "the reason")
    assert set(served.workers) >= old
    (served.data / "voxgate.toml").write_text("VOXGATE_DOCS = false\n")
    renew(served)
    assert eventually(lambda: not old & set(served.workers), "the end of the old workers")
    assert eventually(lambda: served.api.get("/docs").status == 404, "a service without docs")
