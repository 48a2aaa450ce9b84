"""The port of the server: held for all its workers, asked whether somebody answers there."""

import socket
import ssl
from pathlib import Path

from voxgate.gate.errors import VoxgateError


class PortTakenError(VoxgateError):
    """Another program listens on the port."""

    def __init__(self, host: str, port: int) -> None:
        """Name the address that is taken."""
        super().__init__(f"port {port} on {host} is taken by another program; choose another one (0: a free one)")
        self.host = host
        self.port = port


def reserve(host: str, port: int) -> socket.socket:
    """Return a socket that holds a port without listening, so that workers can share it and nobody else takes it.

    Args:
        host: Address to listen on.
        port: The port; 0 takes a free one.

    Raises:
        PortTakenError: Another program listens there.
        OSError: The address is not one of this machine.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    if port:
        # Sharing a port is how the workers get theirs; without this question two services would share one silently.
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
                probe.listen()
            except PermissionError:
                raise
            except OSError as error:
                raise PortTakenError(host, port) from error
    held = socket.socket(family, kind, protocol)
    # A chosen port may have connections that are still fading; a free one has none, and is held more firmly without.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(port != 0))
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        held.bind(address)
    except OSError:
        held.close()
        raise
    return held


def answers(host: str, port: int, certificate: Path | None = None) -> bool:
    """Say whether the service on a port answers that it is alive.

    Args:
        host: The address that it listens on.
        port: Its port.
        certificate: PEM file of the very certificate that it shows; None for plain HTTP.
    """
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- nothing is bound here
    try:
        with socket.create_connection((target, port), timeout=1.0) as plain, _secured(plain, certificate) as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return b" 200 " in connection.recv(100)
    except OSError:
        return False


def name_in_url(host: str) -> str:
    """Return a host as a URL of this machine names it."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- nothing is bound here
    return f"[{shown}]" if ":" in shown else shown


def _secured(plain: socket.socket, certificate: Path | None) -> socket.socket:
    """Return the connection under TLS, trusting the one certificate that the server must show, under any name."""
    if certificate is None:
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    return context.wrap_socket(plain)
