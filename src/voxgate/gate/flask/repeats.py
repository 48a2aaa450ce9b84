"""Answers that refused, sent again as they were to requests that show the same credential and ask the same."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxgate.gate.clock import Clock
from voxgate.gate.flask import headers
from voxgate.gate.flask.headers import Header
from voxgate.gate.flask.refusals import WrittenRefusal
from voxgate.gate.memo import Entry

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

CAPACITY = 10_000
# A request with one of these gets an answer of its own; it is made from what the memo knows.
_COOKIE, _ORIGIN, _REQUEST_ID = "HTTP_COOKIE", "HTTP_ORIGIN", "HTTP_X_REQUEST_ID"
_SINGULAR = frozenset({_COOKIE, _ORIGIN, _REQUEST_ID})


@dataclass(frozen=True, slots=True)
class Repeat:
    """One answer, and what a request must be to get it.

    Attributes:
        method: The request's method.
        path: Its path.
        scheme: Its scheme.
        noted_at_ms: When it was refused.
        life_ms: How long every byte of the answer is true; 0 where it was none of those that are sent again.
        version: What the store's version was.
        status: Status line.
        own: Headers but for the id of the request and the length.
        around: What of the body stands around the id.
        length: The header of the length.
    """

    method: str
    path: str
    scheme: str
    noted_at_ms: int
    life_ms: int
    version: object
    status: str
    own: tuple[Header, ...]
    around: list[bytes]
    length: Header


class Repeats:
    """For each credential that a header has shown, the last answer that refused it.

    The memo knows a refusal by its route, whatever path or origin is asked, and an answer must be put together from it;
    this has one ready. Nothing is sent from here for longer than the memo would.

    Args:
        clock: Source of time.
        version: Returns what differs as soon as a refusal may have been lifted.
        capacity: Most credentials; one more, and all are forgotten.
    """

    def __init__(self, *, clock: Clock, version: Callable[[], object], capacity: int = CAPACITY) -> None:
        self.kept: dict[int, Repeat] = {}
        """What is kept, by the hash of the credential; one that is not here is decided anew, whatever the memo has."""
        self._clock = clock
        self._version = version
        self._capacity = capacity

    def send(self, repeat: Repeat, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes] | None:
        """Answer a request as one like it was, but for its id; None when it is another, or the answer too old."""
        if (
            environ.get("PATH_INFO", "") != repeat.path
            or environ["REQUEST_METHOD"] != repeat.method
            or environ["wsgi.url_scheme"] != repeat.scheme
            or not 0 <= self._clock.now_ms() - repeat.noted_at_ms < repeat.life_ms
            or _COOKIE in environ  # one by one: `isdisjoint` would walk through the whole request
            or _ORIGIN in environ
            or _REQUEST_ID in environ
        ):
            return None
        version = self._version  # Python calls a local name faster than what an instance holds.
        if version() != repeat.version:
            return None
        request_id = next(headers.ids.new)
        start_response(repeat.status, [*repeat.own, ("X-Request-ID", request_id), repeat.length])
        return [request_id.encode().join(repeat.around)]

    def keep(
        self,
        shown: int,
        environ: dict[str, Any],
        entry: Entry[WrittenRefusal],
        *,
        also: Iterable[Header],
        age_ms: int,
    ) -> None:
        """Keep the answer to a request whose refusal the memo remembers.

        Args:
            shown: The hash of the credential.
            environ: The request.
            entry: What is remembered.
            also: Headers that the answer has beside those of the refusal.
            age_ms: How long ago the decision was made, in milliseconds.
        """
        is_singular = environ["REQUEST_METHOD"] == "HEAD" or not _SINGULAR.isdisjoint(environ)
        if is_singular and shown in self.kept:
            return
        if len(self.kept) >= self._capacity:
            self.kept.clear()
        (own, around, _, length), due_ms = entry.value.form(age_ms)
        self.kept[shown] = Repeat(
            method=environ["REQUEST_METHOD"],
            path=environ.get("PATH_INFO", ""),
            scheme=environ["wsgi.url_scheme"],
            noted_at_ms=entry.noted_at_ms,
            life_ms=0 if is_singular else min(entry.life_ms, due_ms),
            version=entry.version,
            status=entry.value.status,
            own=(*own, *also),
            around=around,
            length=length,
        )
