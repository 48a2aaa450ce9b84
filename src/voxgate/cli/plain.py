"""A port beside the one that speaks TLS: it tells plain HTTP where to ask instead, and looks at no credential."""

import asyncio
import multiprocessing
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess

from voxgate.gate.errors import Refusal
from voxgate.gate.flask import headers
from voxgate.gate.flask.https import advise, https_address

CONNECTIONS_MAX = 128
CONNECTION_S = 5.0
HEAD_BYTES = 16_384
"""Longest request line with its headers; longer ones are refused like the others, without being read."""

_DRAINED_BYTES = 1 << 20
_PAGES = ("/", "/docs", "/console")
_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"cookie"})
_END = b"\r\n\r\n"


def serve_plain(held: socket.socket, *, tls_port: int, hold: Callable[[], None]) -> BaseProcess:
    """Answer on a port in a process of its own, so that nothing of it disturbs those that serve.

    Args:
        held: A socket that is bound to the port.
        tls_port: The port where https is spoken.
        hold: Called in that process: it ends with its parent.
    """
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_run, args=(held, tls_port, hold), name="voxgate-plain", daemon=True)
    process.start()
    return process


def answer(request: bytes, *, tls_port: int) -> bytes:
    """Return the answer to a request whose headers these bytes are: 308 to a page over https, or 403.

    An API is not redirected: its client would go on sending its credential in clear (ASVS 5.0, 4.1.2).

    Args:
        request: The request line and the headers; anything else is answered too.
        tls_port: The port where https is spoken.
    """
    line, *fields = request.split(b"\r\n")
    method, _, rest = line.partition(b" ")
    target = rest.partition(b" ")[0].decode("latin-1")
    named = [field.partition(b":") for field in fields]
    hosts = [value.strip().decode("latin-1") for name, _, value in named if name.lower() == b"host"]
    host = hosts[0] if len(hosts) == 1 else ""
    path = target.partition("?")[0] if target.startswith("/") and not target.startswith("//") else ""
    is_bare = target == path and not any(name.strip().lower() in _CREDENTIALS for name, _, _ in named)
    address = https_address(host, path, port=tls_port)
    if method in {b"GET", b"HEAD"} and is_bare and address is not None and _is_page(path):
        return _write("308 Permanent Redirect", [("Location", address), ("Cache-Control", "no-store")])
    refusal, request_id = Refusal("HTTPS_REQUIRED", message=advise(host, path, port=tls_port)), headers.request_id({})
    body = headers.write_body(headers.problem_body(refusal, request_id=request_id))
    own = [*headers.problem_headers(refusal), ("X-Request-ID", request_id)]
    return _write("403 Forbidden", own, body, is_sent=method != b"HEAD")


def _is_page(path: str) -> bool:
    return any(path == page or path.startswith(f"{page}/") for page in _PAGES) and ".." not in path


def _write(status: str, own: list[headers.Header], body: bytes = b"", *, is_sent: bool = True) -> bytes:
    every = [*own, *headers.SECURITY_HEADERS, ("Content-Length", str(len(body))), ("Connection", "close")]
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in every)]
    return "\r\n".join(lines).encode("latin-1") + _END + (body if is_sent else b"")


def _run(held: socket.socket, tls_port: int, hold: Callable[[], None]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches this process too; its parent ends it
    hold()
    asyncio.run(_serve(held, tls_port))


async def _serve(held: socket.socket, tls_port: int) -> None:
    places = asyncio.Semaphore(CONNECTIONS_MAX)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not places.locked():
            async with places:
                with suppress(OSError, TimeoutError):
                    await asyncio.wait_for(_converse(reader, writer, tls_port), CONNECTION_S)
        writer.transport.abort()  # what has been answered is gone already, and nobody is waited for

    server = await asyncio.start_server(take, sock=held, limit=HEAD_BYTES, backlog=CONNECTIONS_MAX)
    await server.serve_forever()


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls_port: int) -> None:
    """Answer one request, and read what is left of it, so that its client gets to read the answer."""
    try:
        request = await reader.readuntil(_END)
    except asyncio.IncompleteReadError:
        return
    except asyncio.LimitOverrunError:
        request = b""
    writer.write(answer(request.removesuffix(_END), tls_port=tls_port))
    await writer.drain()
    writer.write_eof()
    left_bytes = _DRAINED_BYTES
    while left_bytes > 0 and (data := await reader.read(HEAD_BYTES)):
        left_bytes -= len(data)
