"""An S3-compatible store for the tests: moto's server on loopback, in a process of its own, so that it can be away."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from tests.support.servers import free_port
from tests.support.waiting import eventually

BUCKET = "audio"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "nothing-is-guarded-by-it"}


class BucketServer:
    """One server with one bucket, started at once."""

    def __init__(self):
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- as long as the server
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=os.environ | CREDENTIALS)
        eventually(self._makes_bucket, "an answer of moto's server")

    def url(self, prefix="prefix"):
        """Return the address of a part of the bucket."""
        return f"s3://{BUCKET}/{prefix}?endpoint={self.endpoint}&region=us-east-1"

    def pause(self):
        """Let it hang."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        """End what ``pause`` began."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        """End it."""
        with contextlib.suppress(ProcessLookupError):
            self.resume()
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _makes_bucket(self):
        assert self._process.poll() is None, self._log
        request = urllib.request.Request(f"{self.endpoint}/{BUCKET}", method="PUT")  # noqa: S310 -- loopback
        try:
            with urllib.request.urlopen(request, timeout=10):  # noqa: S310 -- loopback
                return True
        except (urllib.error.URLError, ConnectionError):
            return False


@contextlib.contextmanager
def running_bucket():
    """Run a server for as long as the block lasts."""
    server = BucketServer()
    try:
        yield server
    finally:
        server.kill()
