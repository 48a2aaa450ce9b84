"""A real nginx under the project's own configuration, and a small service behind it that tells what it was asked."""

import contextlib
import http.server
import json
import ssl
import subprocess
import threading
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from tests.support.debian import program
from tests.support.servers import free_port
from tests.support.waiting import eventually

from voxgate.cli.certificates import make_certificate

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx.conf"
_MAIN = """\
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  include {folder}/site.conf;
}}
"""


def put_in(configuration, own):
    """Return the text of a deployed configuration with what is the test's own in place of what stands there once."""
    text = configuration.read_text()
    for written, instead in own.items():
        assert text.count(written) == 1, written
        text = text.replace(written, instead)
    return text


class Nginx:
    """nginx with the deployed configuration, whose addresses and files alone are the test's.

    Args:
        folder: Where its files are.
        gate: Port of voxgate.
        reports: Port of the service that it guards.
    """

    def __init__(self, folder, *, gate, reports):
        self.folder = folder
        self.port, self.plain_port = free_port(), free_port()
        tls = make_certificate(folder / "tls", ("127.0.0.1",), now=datetime.now(UTC))
        self.context = ssl.create_default_context(cafile=tls.authority)
        own = {
            "127.0.0.1:5000": f"127.0.0.1:{gate}",
            "127.0.0.1:8000": f"127.0.0.1:{reports}",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "/etc/ssl/voice.example.pem": str(tls.certificate),
            "/etc/ssl/private/voice.example.key": str(tls.key),
        }
        (folder / "site.conf").write_text(put_in(CONFIGURATION, own))
        (folder / "nginx.conf").write_text(_MAIN.format(folder=folder))
        command = [program("nginx", "nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        self.process = subprocess.Popen([*command, "-e", str(folder / "errors")])
        eventually(self.answers, f"an answer of nginx: {folder / 'errors'}")

    def answers(self):
        """Say whether it listens."""
        assert self.process.poll() is None, (self.folder / "errors").read_text()
        return self.ask("/", plain=True).status == 403 if self._listens() else False

    def ask(self, path, *, method="GET", headers=(), plain=False, body=None):
        """Send one request; returns the answer with its body as ``data``."""
        port, scheme = (self.plain_port, "http") if plain else (self.port, "https")
        url = f"{scheme}://127.0.0.1:{port}{path}"
        return ask(url, method=method, headers=headers, body=body, context=self.context)

    def stop(self):
        """End it."""
        self.process.terminate()
        self.process.wait(timeout=30)

    def _listens(self):
        with contextlib.suppress(OSError):
            self.ask("/", plain=True)
            return True
        return False


def ask(url, *, method, headers, body, context):
    """Send one request, whatever its answer is; returns the answer with its body as ``data``."""
    request = urllib.request.Request(url, data=body, method=method)  # noqa: S310 -- a test's own address
    for name, value in dict(headers).items():
        request.add_header(name, value)
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), _EveryStatus, urllib.request.ProxyHandler({})
    )
    with opener.open(request, timeout=60) as answer:
        answer.data = answer.read()
        return answer


class _EveryStatus(urllib.request.HTTPErrorProcessor):
    def http_response(self, _request, response):
        return response

    https_response = http_response


@contextlib.contextmanager
def reporting():
    """Run a service that knows nothing of tokens, and answers with the headers that reached it; gives its server."""

    class Reports(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.endswith("/forbidden"):
                return self.tell(403, {"own": "refusal"})
            return self.tell(200, {"path": self.path, "method": self.command, "headers": self.headers.items()})

        do_POST = do_GET  # noqa: N815 -- the library's name

        def tell(self, status, told):
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reports) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
