"""A worker that is about to stop: it says that it is not ready, and lets each connection go with its next answer."""

from typing import TYPE_CHECKING, Any

from flask import Flask

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse

EXTENSION = "voxgate.leaving"


def leave(app: Flask) -> None:
    """Begin to leave; requests are answered as before until the server stops."""
    app.extensions[EXTENSION] = True
    let_go(app)


def let_go(app: Flask) -> None:
    """Let each connection go with its next answer, so that its client comes to another worker."""
    inner = app.wsgi_app

    def closing(environ: dict[str, Any], start_response: "StartResponse") -> "Iterable[bytes]":
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:  # noqa: ANN401 -- WSGI's own
            return start_response(status, [*headers, ("Connection", "close")], *more)

        return inner(environ, start)

    # Looked up for each request, so that requests before this pay nothing.
    app.wsgi_app = closing  # type: ignore[method-assign]


def is_leaving(app: Flask) -> bool:
    """Say whether the worker is about to stop."""
    return EXTENSION in app.extensions
