"""Requests over plain HTTP where https is meant: refused with what to do instead, before a credential is looked at."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from voxgate.gate.errors import PROBLEMS, Refusal
from voxgate.gate.flask import headers
from voxgate.gate.flask.refusals import BodyFilter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

PLAIN_PATHS = frozenset({"/healthz", "/readyz"})
"""What is asked by programs on the same machine or network, without any credential."""

_STATUS = f"{PROBLEMS['HTTPS_REQUIRED'].status} Forbidden"
_MAX_PATH_CHARACTERS = 200
_HOST_NAME = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")


class HttpsOnly:
    """Stands before the door and refuses what has come over plain HTTP.

    It refuses and does not redirect: a client that is redirected would go on showing its credential to everybody on
    the way and never learn of it (ASVS 5.0, 4.1.2).

    Args:
        inner: The application.
        plain_paths: Paths that are answered over plain HTTP too.
        body_filter: Changes the body of the refusal, for routes that promise a form of their own.
    """

    def __init__(
        self, inner: "WSGIApplication", *, plain_paths: frozenset[str], body_filter: BodyFilter | None = None
    ) -> None:
        self._inner = inner
        self._plain_paths = plain_paths
        self._body_filter = body_filter

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request on that came over https; refuse any other without reading what it shows."""
        path = environ.get("PATH_INFO", "")
        if environ.get("wsgi.url_scheme") == "https" or path in self._plain_paths:
            return self._inner(environ, start_response)
        request_id = headers.request_id(environ)
        refusal = Refusal("HTTPS_REQUIRED", message=advise(environ.get("HTTP_HOST", ""), path))
        told = headers.problem_body(refusal, request_id=request_id)
        told = self._body_filter(path, told) if self._body_filter else told
        body = headers.write_body(told)
        own = [*headers.problem_headers(refusal, media_type=headers.media_type_of(told)), *headers.SECURITY_HEADERS]
        own += [("X-Request-ID", request_id), ("Content-Length", str(len(body)))]
        start_response(_STATUS, own)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (body,)


def advise(host: str, path: str, *, port: int | None = None) -> str:
    """Return what to do instead; never the query, in which some put their tokens.

    Args:
        host: The host that was asked, as the client writes it.
        path: The path that was asked, each byte as one character.
        port: Port of https; None takes the usual one.
    """
    return (
        f"Ask {https_address(host, path, port=port) or 'the same address with https'} instead. "
        "A credential that was sent over plain HTTP may have been read: end it and get another."
    )


def https_address(host: str, path: str, *, port: int | None = None) -> str | None:
    """Return the address of a path over https, or None when the host is no host or the path is very long.

    Args:
        host: The host that was asked; a port in it is that of plain HTTP and not that of https.
        path: The path, each byte as one character.
        port: Port of https; None takes the usual one.
    """
    named = _HOST_NAME.fullmatch(host)
    if named is None or len(path) > _MAX_PATH_CHARACTERS:
        return None
    at = "" if port in {None, 443} else f":{port}"
    return f"https://{named[1]}{at}{quote(path.encode('latin-1'))}"
