"""The server around the application: one port held for all workers, one line when it answers, a graceful stop."""

import gc
import importlib
import logging
import os
import signal
import sys
import threading
from functools import partial
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any

import click

from voxgate.cli.bodies import bound_bodies
from voxgate.cli.frame import security_log
from voxgate.cli.importing import importing
from voxgate.cli.lifeline import Lifeline
from voxgate.cli.port import answers, name_in_url, reserve
from voxgate.cli.stalls import drop_stalled
from voxgate.gate.errors import ConfigurationError, VoxgateError
from voxgate.logs import configure_logs
from voxgate.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess
    from wsgiref.types import WSGIApplication

    from granian.server.common import AbstractServer

    from voxgate.cli.certificates import TlsFiles

APPLICATION_ROOM = "voxgate.web.app"
SERVICES = "voxgate.services"
APPLICATION = "voxgate.cli.server:make_application"
BLOCKING_THREADS = 4  # measured: with 8 a worker's slowest answers take half a second
STOP_TIMEOUT_S = 10
SUCCESSION_S = 5.0  # a worker that is renewed answers beside its successor so long, and lets connections go
HEADERS_TIMEOUT_MS = 10_000  # of a client that sends its headers drop by drop, or keeps a connection for nothing
BACKLOG = 1024  # connections that wait to be taken, and that all workers together take at once
_POLL_S = 0.02
_SERVER_LOG = {
    "formatters": {"lines": {"()": "voxgate.logs.JsonLines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}},
    "loggers": {"_granian": {"handlers": ["stderr"], "propagate": False}},
}
_NEXT = """\
Next, make an account (the answer holds its API key):
  curl {trust}-X POST {url}/api/v1/auth/register -H 'Content-Type: application/json' \\
    -d '{{"username": "ann", "email": "ann@example.org", "password": "four plain words here"}}'\
"""


class Server:
    """Serves the application of some settings in worker processes."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing is opened yet."""
        self._settings = settings
        self._is_unused = not settings.gate_database_path.exists()  # made by the first guarded request
        self._is_ending = threading.Event()
        self._has_answered = threading.Event()
        self._is_draining = False
        self._url = ""
        self._plain_port = 0
        self._tls: TlsFiles | None = None

    def run(self) -> int:
        """Serve until a signal ends it; returns the exit status.

        Raises:
            ConfigurationError: A setting cannot be used.
            PortTakenError: Another program listens on the port.
        """
        check_edge(self._settings)
        self._settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._tls = _open_tls(self._settings)
        with reserve(self._settings.host, self._settings.port) as held:
            port = int(held.getsockname()[1])
            self._url = f"{'https' if self._tls else 'http'}://{name_in_url(self._settings.host)}:{port}"
            os.environ |= _environment(self._settings, port)
            _lifeline.make()
            # Imported once, before the workers are forked: they start faster and share the memory.
            with importing():
                importlib.import_module(APPLICATION_ROOM)
            plain = self._serve_plain(port)
            _readiness.make()
            _succession.make()
            granian = _make_granian(self._settings, port, self._tls)
            granian.on_startup(gc.freeze)  # or a worker's first search for garbage would copy what all of them share
            granian.on_startup(partial(self._take_signals, granian))
            granian.on_reload(_renew_succession)
            threading.Thread(target=self._announce, args=(granian, port), daemon=True).start()
            try:
                granian.serve()
            finally:
                self._is_ending.set()
                for line in (_succession, _readiness, _lifeline):
                    line.drop()
                if plain is not None:
                    plain.join()
        return 0 if self._has_answered.is_set() else 1

    def _serve_plain(self, tls_port: int) -> "BaseProcess | None":
        """Begin to answer plain HTTP on a port of its own, where one is set."""
        if self._settings.plain_port is None:
            return None
        from voxgate.cli.plain import serve_plain  # noqa: PLC0415 -- only a server with such a port needs it

        with reserve(self._settings.host, self._settings.plain_port) as held:
            self._plain_port = int(held.getsockname()[1])
            return serve_plain(held, tls_port=tls_port, hold=partial(_lifeline.hold, _stop_worker))

    def _take_signals(self, granian: "AbstractServer[Any]") -> None:
        """Let a stop be told before it comes, and a renewal be looked at first.

        After SIGTERM workers are not ready for a while, and then end; a second one is at once. Called when the server
        has set its own handlers of signals. Ctrl-C stops at once: it reaches the workers too.
        """
        drain_s = self._settings.drain_seconds

        def stop(*_: object) -> None:
            if drain_s and self._has_answered.is_set() and not self._is_draining:
                self._is_draining = True
                _readiness.drop()
                timer = threading.Timer(drain_s, granian.signal_handler_interrupt)
                timer.daemon = True
                timer.start()
            else:
                _readiness.drop()
                granian.signal_handler_interrupt()  # type: ignore[no-untyped-call]

        def renew(*_: object) -> None:
            if self._has_answered.is_set() and not self._is_draining and self._can_renew():
                granian.signal_handler_reload()  # type: ignore[no-untyped-call]

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGHUP, renew)

    def _can_renew(self) -> bool:
        """Say whether new workers could start, so that what is wrong ends nothing that still serves."""
        try:
            settings = load_settings()
            check_edge(settings)
            _open_tls(settings)
        except (VoxgateError, OSError) as error:
            click.echo(f"Error: {error}; what runs goes on as it was", err=True)
            return False
        return True

    def _announce(self, granian: "AbstractServer[Any]", port: int) -> None:
        """Say where the service is, once it really answers."""
        # Workers are forked from this process: until they are, this thread only sleeps and holds no lock.
        certificate = self._tls.certificate if self._tls else None
        while len(granian.wrks) < self._settings.workers or not answers(self._settings.host, port, certificate):
            if self._is_ending.wait(_POLL_S):
                return
        self._has_answered.set()
        click.echo(f"voxgate: listening on {self._url}")
        click.echo(f"voxgate: data in {self._settings.data}")
        authority = self._tls.authority if self._tls else None
        if authority:
            click.echo(
                f"voxgate: https by a development authority; trust it: curl --cacert {authority} {self._url}/healthz"
            )
        if self._plain_port:
            click.echo(f"voxgate: plain HTTP to port {self._plain_port} is told to ask {self._url}")
        if self._is_unused:
            click.echo(_NEXT.format(url=self._url, trust=f"--cacert {authority} " if authority else ""))
        if self._settings.shows_docs:
            click.echo(f"voxgate: documentation at {self._url}/docs")
        sys.stdout.flush()


def _renew_succession() -> None:
    _succession.drop()
    _succession.make()


def _stop_worker() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


_lifeline = Lifeline()
_readiness = Lifeline()  # dropped while the server still answers, so that whoever asks for readiness goes elsewhere
_succession = Lifeline()  # dropped when another worker takes over, so that clients come to it with their next request


def check_edge(settings: Settings) -> None:
    """Return when clients can reach the service by https alone, or the profile does not ask for that.

    Raises:
        ConfigurationError: The production profile has neither TLS nor trusted proxies, or there is a port for plain
            HTTP and none for https.
    """
    if settings.is_production and not settings.is_tls and not settings.trusted_proxies:
        reason = (
            "the production profile needs https: name the proxies that speak it, such as 127.0.0.1, "
            "or set VOXGATE_TLS_CERTIFICATE and VOXGATE_TLS_KEY"
        )
        raise ConfigurationError("VOXGATE_TRUSTED_PROXIES", reason)
    if settings.plain_port is not None and not settings.is_tls:
        raise ConfigurationError("VOXGATE_PLAIN_PORT", "is a port beside the one that speaks TLS; set VOXGATE_TLS too")


def make_application() -> "WSGIApplication":
    """Make the application of one worker; a worker that cannot start says why in one line and ends the server.

    Raises:
        SystemExit: A setting cannot be used, or a part cannot be opened.
    """
    # A forked worker inherits the parent's handlers, which would swallow a stop that comes while it starts.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    _lifeline.hold(_stop_worker)
    # The parent has given the warnings already.
    logging.getLogger("voxgate.settings").setLevel(logging.ERROR)
    try:
        settings = load_settings()
        configure_logs(settings.log_level, security_log=security_log(settings))
        from voxgate.web.app import create_served_app  # noqa: PLC0415 -- only a server needs it
        from voxgate.web.leaving import leave, let_go  # noqa: PLC0415

        app = create_served_app()
    except (VoxgateError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        os.kill(os.getppid(), signal.SIGTERM)  # before the exit, which would be taken for a crash and tried again
        raise SystemExit(1) from error
    _readiness.hold(partial(_leave, partial(leave, app)))
    _succession.hold(partial(let_go, app))
    # A forked worker does not run what is registered with atexit.
    Finalize(app, app.extensions[SERVICES].close, exitpriority=1)
    drop_stalled(settings.port)
    return app


def _leave(then: "Callable[[], None]") -> None:
    bound_bodies(BLOCKING_THREADS).hurry()  # or clients that stall would have the worker killed in the end
    then()


def _open_tls(settings: Settings) -> "TlsFiles | None":
    if not settings.is_tls:
        return None
    from voxgate.cli.certificates import tls_files  # noqa: PLC0415 -- only a server with TLS needs it

    return tls_files(settings)


def _make_granian(settings: Settings, port: int, tls: "TlsFiles | None") -> "AbstractServer[Any]":
    from granian.constants import HTTPModes, Interfaces, SSLProtocols  # noqa: PLC0415 -- only a server needs it
    from granian.http import HTTP1Settings  # noqa: PLC0415
    from granian.log import LogLevels  # noqa: PLC0415
    from granian.server import Server as Granian  # noqa: PLC0415

    bound_bodies(BLOCKING_THREADS)
    return Granian(
        APPLICATION,
        address=settings.host,
        port=port,
        interface=Interfaces.WSGI,
        factory=True,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADERS_TIMEOUT_MS),
        backlog=BACKLOG,
        workers=settings.workers,
        blocking_threads=BLOCKING_THREADS,
        respawn_failed_workers=True,
        respawn_interval=SUCCESSION_S,
        workers_kill_timeout=STOP_TIMEOUT_S,
        log_level=LogLevels.warning,
        log_dictconfig=_SERVER_LOG,
        ssl_cert=tls.certificate if tls else None,
        ssl_key=tls.key if tls else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )


def _environment(settings: Settings, port: int) -> dict[str, str]:
    """Return what workers must know beyond the environment that they inherit."""
    return {
        "VOXGATE_DATA": str(settings.data),
        "VOXGATE_HOST": settings.host,
        "VOXGATE_PORT": str(port),
        "VOXGATE_WORKERS": str(settings.workers),
        "VOXGATE_TLS": str(settings.tls).lower(),
    }
