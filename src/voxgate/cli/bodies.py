"""Request bodies that are waited for: each for a bounded time, and few at once when many do not come."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

DEADLINE_S = 10.0
"""Longest time that one read of a body waits, as long as its client may take for its headers."""

PATIENCE_S = 1.0
"""How long more than half of the threads may wait for bodies before the oldest of them are given up."""

STRICT_S = 60.0
"""How long it is then taken for an attack, in which the oldest are given up at once."""

_STRICT_PATIENCE_S = 0.005
_LOOK_S = 0.1
_LOOK_STRICT_S = 0.005
_BODY = "wsgi.input"

_log = logging.getLogger("voxgate.server")


class Exchange(Protocol):
    """One request and its answer, as the HTTP server's own glue names it."""

    def response_iter(self, status: int, headers: list[tuple[str, str]], body: object) -> object:
        """Answer piece by piece; the first answer to a request counts."""


class Input(Protocol):
    """A request body (PEP 3333, ``wsgi.input``)."""

    def read(self, size: int | None = None) -> bytes:
        """Return so many bytes, fewer at the end only; waits for them."""

    def readline(self, size: int | None = None) -> bytes:
        """Return a line."""

    def readlines(self, hint: int | None = None) -> list[bytes]:
        """Return all lines."""


class Bodies:
    """The bodies that threads of this process wait for right now.

    The server has no deadline for bodies and gives no way to leave off reading one, so a client that stalls would hold
    a thread as long as it likes. What it does give is the end of a connection: an answer that is shorter than it says.

    Args:
        threads: How many threads answer requests; half of them may wait for bodies for long.
        now_s: Seconds of a clock that is never set.
    """

    def __init__(self, *, threads: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._many = threads // 2
        self._now_s = now_s
        self._waiting: dict[BoundedBody, float] = {}  # the oldest first; single steps on it are whole in every thread
        self._has_waiting = threading.Event()
        self._strict_until_s = 0.0
        self._deadline_s = DEADLINE_S
        self._watcher: threading.Thread | None = None

    def enter(self, body: "BoundedBody") -> None:
        """Note that a thread begins to wait."""
        self._waiting[body] = self._now_s()
        if not self._has_waiting.is_set():
            self._has_waiting.set()
            self._watch()

    def leave(self, body: "BoundedBody") -> None:
        """Note that it waits no more."""
        self._waiting.pop(body, None)

    def hurry(self) -> None:
        """Wait a second for each from now on, because the process is about to end."""
        self._deadline_s = PATIENCE_S

    def give_up(self) -> bool:
        """Give up what has been waited for too long; returns whether this is an attack."""
        now_s = self._now_s()
        waiting = list(self._waiting.items())
        is_strict = now_s < self._strict_until_s
        patience_s = _STRICT_PATIENCE_S if is_strict else PATIENCE_S
        for place, (body, since_s) in enumerate(waiting):
            waited_s = now_s - since_s
            is_one_too_many = place < len(waiting) - self._many and waited_s >= patience_s
            if is_one_too_many:
                self._strict_until_s = now_s + STRICT_S
            if is_one_too_many or waited_s >= self._deadline_s:
                self._waiting.pop(body, None)
                body.give_up()
        if not is_strict and self._strict_until_s > now_s:
            _log.warning("request bodies that do not come hold most threads; the oldest are given up")
        return self._strict_until_s > now_s

    def _watch(self) -> None:
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._keep_looking, name="bodies", daemon=True)
            self._watcher.start()

    def _keep_looking(self) -> None:
        while self._has_waiting.wait():
            time.sleep(_LOOK_STRICT_S if self.give_up() else _LOOK_S)
            if not self._waiting:
                self._has_waiting.clear()
                if self._waiting:  # since the look, by a thread that found it set
                    self._has_waiting.set()


class BoundedBody:
    """A request body whose reading ends: it raises OSError when it was given up, or is not as long as it says.

    Args:
        body: The body as the server gives it.
        exchange: The request that it belongs to.
        bodies: All that are waited for.
        length: Its length in bytes as the client tells it, in digits; None when it is not told.
    """

    def __init__(self, body: Input, exchange: Exchange, *, bodies: Bodies, length: str | None) -> None:
        self._body = body
        self._exchange = exchange
        self._bodies = bodies
        self._left_bytes = int(length) if length is not None else 0
        self._is_given_up = False

    def read(self, size: int | None = None) -> bytes:
        """Return so many bytes; all without a size."""
        is_all = size is None or size < 0
        data: bytes = self._wait(self._body.read, None if is_all else size)
        self._left_bytes -= len(data)
        if self._left_bytes > 0 and (is_all or len(data) < (size or 0)):
            raise OSError("the client has gone before the end of its body")
        return data

    def readline(self, size: int | None = None) -> bytes:
        """Return a line."""
        line: bytes = self._wait(self._body.readline, size)
        return line

    def readlines(self, hint: int | None = None) -> list[bytes]:
        """Return all lines."""
        lines: list[bytes] = self._wait(self._body.readlines, hint)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        """Give the lines."""
        while line := self.readline():
            yield line

    def give_up(self) -> None:
        """End the connection, and with it the reading, from another thread."""
        self._is_given_up = True
        status, headers, body = _refuse()
        # One piece, which waits for nobody; whether the client sees it before the connection closes is chance.
        self._exchange.response_iter(status, headers, _Short(body))

    def _wait(self, reads: Callable[[Any], Any], size: int | None) -> Any:  # noqa: ANN401 -- what the reading gives
        self._bodies.enter(self)
        try:
            found = reads(size)
        finally:
            self._bodies.leave(self)
        if self._is_given_up:
            raise OSError("the body did not come in time")
        return found


class _Short:
    """A body of one piece, without the newline that is promised: the server can only close the connection then."""

    def __init__(self, body: bytes) -> None:
        self._pieces = iter((body.removesuffix(b"\n"),))

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """Free nothing."""


def _refuse() -> tuple[int, list[tuple[str, str]], bytes]:
    from voxgate.gate.errors import Refusal  # noqa: PLC0415 -- a command does not need what a worker has imported
    from voxgate.gate.flask import headers  # noqa: PLC0415
    from voxgate.web.problems import problem_for  # noqa: PLC0415

    refusal, row = Refusal("BODY_TIMEOUT"), problem_for("BODY_TIMEOUT")
    request_id = headers.request_id({})
    body = headers.write_body(headers.problem_body(refusal, problem=row, request_id=request_id))
    own = [("X-Request-ID", request_id), ("Connection", "close"), ("Content-Length", str(len(body)))]
    return row.status, [*headers.problem_headers(refusal, problem=row), *headers.SECURITY_HEADERS, *own], body


def bound_bodies(threads: int) -> Bodies:
    """Have every process that the server forks from now on wait for bodies no longer than is said here.

    Args:
        threads: How many threads of a process answer requests.

    Returns:
        The bodies that a process waits for, each process its own.
    """
    from granian.server import mp  # noqa: PLC0415 -- only a server needs it

    # Only the server's own glue meets the exchange; there is no public way to it.
    glue = getattr(mp, "_wsgi_call_wrap", None)
    bodies: Bodies = getattr(glue, "bodies", None) or Bodies(threads=threads)
    if glue is None:
        _log.warning("this version of the server offers no way to bound how long bodies are waited for")
    elif not hasattr(glue, "bodies"):
        mp._wsgi_call_wrap = _bounding(glue, bodies)  # type: ignore[attr-defined]  # noqa: SLF001
    return bodies


def _bounding(glue: Callable[..., Any], bodies: Bodies) -> Callable[..., Any]:
    def make(*given: Any) -> Callable[[Exchange, dict[str, Any]], object]:  # noqa: ANN401 -- passed on as they come
        answer = glue(*given)

        def answer_bounded(exchange: Exchange, scope: dict[str, Any]) -> object:
            length = scope.get("CONTENT_LENGTH")
            if length is not None or "HTTP_TRANSFER_ENCODING" in scope:
                scope[_BODY] = BoundedBody(scope[_BODY], exchange, bodies=bodies, length=length)
            return answer(exchange, scope)

        return answer_bounded

    make.bodies = bodies  # type: ignore[attr-defined]
    return make
