"""How long request bodies are waited for: one for its time, few at once when many do not come."""

import json
import threading

import pytest
from tests.support.waiting import eventually

from voxgate.cli.bodies import DEADLINE_S, PATIENCE_S, STRICT_S, Bodies, BoundedBody, bound_bodies


class Now:
    """A clock that is set by hand."""

    def __init__(self):
        self.s = 100.0

    def __call__(self):
        return self.s


class Exchange:
    """Stands for the server's own: notes the answer, and ends the reading as a closed connection does."""

    def __init__(self, sent=b"", *, is_whole=True):
        self.sent = [sent] if sent else []
        self.ended = threading.Event()
        self.answer = None
        if is_whole:
            self.ended.set()

    def response_iter(self, status, headers, body):
        """Take the answer."""
        pieces = []
        while (piece := next(body, None)) is not None:
            pieces.append(piece)
        body.close()
        self.answer = (status, dict(headers), b"".join(pieces))
        self.ended.set()

    def read(self, _size=None):
        """Give what was sent, once the client has ended."""
        self.ended.wait()
        return self.sent.pop() if self.sent else b""

    def readline(self, _size=None):
        """Give a line."""
        return self.read()

    def readlines(self, _hint=None):
        """Give all lines."""
        return self.read().splitlines(keepends=True)


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def stalled(now):
    """Begin requests whose bodies do not come, of four threads; gives what was told of each."""
    bodies = Bodies(threads=4, now_s=now)
    # Looked at by the tests alone.
    bodies._watch = lambda: None
    begun, threads = [], []

    def begin():
        exchange, failed = Exchange(is_whole=False), []
        body = BoundedBody(exchange, exchange, bodies=bodies, length="5")

        def read():
            try:
                body.read()
            except OSError as error:
                failed.append(str(error))

        thread = threading.Thread(target=read)
        thread.start()
        eventually(lambda: body in bodies._waiting, "a thread that waits")
        begun.append(exchange)
        threads.append((thread, failed))
        return exchange

    begin.bodies, begin.begun, begin.threads = bodies, begun, threads
    yield begin
    for exchange in begun:
        exchange.ended.set()
    for thread, _ in threads:
        thread.join()


def test_a_body_that_came_is_read_as_it_is(now):
    """Whole, in parts and by lines; nothing is left noted."""
    bodies = Bodies(threads=4, now_s=now)
    bodies._watch = lambda: None

    def of(text, length=None):
        exchange = Exchange(text)
        return BoundedBody(exchange, exchange, bodies=bodies, length=length)

    assert of(b"12345", "5").read() == b"12345"
    assert of(b"12345", "5").read(5) == b"12345"
    assert of(b"12345").read(100) == b"12345"
    assert of(b"a\nb", "3").readlines() == [b"a\n", b"b"]
    assert list(of(b"a\n")) == [b"a\n"]
    assert not bodies._waiting


@pytest.mark.parametrize("size", [None, -1, 10])
def test_a_body_that_is_shorter_than_it_says_is_no_body(now, size):
    """The client has gone: what it meant to send is not guessed."""
    exchange = Exchange(b"123")
    body = BoundedBody(exchange, exchange, bodies=Bodies(threads=4, now_s=now), length="10")
    with pytest.raises(OSError, match="gone"):
        body.read(size)


def test_a_slow_body_has_its_time_and_not_more(stalled, now):
    """Half of the threads may wait so long."""
    first, second = stalled(), stalled()
    now.s += DEADLINE_S - 1
    assert not stalled.bodies.give_up()
    assert first.answer is second.answer is None
    now.s += 1
    assert not stalled.bodies.give_up()
    assert first.answer[0] == second.answer[0] == 408
    for thread, failed in stalled.threads:
        thread.join()
        assert failed == ["the body did not come in time"]


def test_a_process_that_ends_waits_a_second(stalled, now):
    """Or clients that stall would keep it from ending in time."""
    exchange = stalled()
    now.s += PATIENCE_S
    stalled.bodies.give_up()
    assert exchange.answer is None
    stalled.bodies.hurry()
    stalled.bodies.give_up()
    assert exchange.answer[0] == 408


def test_what_its_client_is_told_ends_the_connection(stalled, now):
    """A problem as everywhere, with one byte less than it says, so that the server must close."""
    exchange = stalled()
    now.s += DEADLINE_S
    stalled.bodies.give_up()
    _, headers, body = exchange.answer
    told = json.loads(body)
    assert (told["code"], told["status"]) == ("BODY_TIMEOUT", 408)
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Request-ID"] in told["instance"]
    assert int(headers["Content-Length"]) == len(body) + 1
    assert headers["Connection"] == "close"


def test_the_oldest_go_when_most_threads_wait(stalled, now, caplog):
    """After a second of patience, until half of the threads are free; it is said once."""
    begun = [stalled() for _ in range(4)]
    now.s += PATIENCE_S / 2
    assert not stalled.bodies.give_up()
    now.s += PATIENCE_S / 2
    assert stalled.bodies.give_up()
    assert [exchange.answer is not None for exchange in begun] == [True, True, False, False]
    assert stalled.bodies.give_up()
    assert len(caplog.records) == 1


def test_then_no_patience_is_left_for_a_minute(stalled, now):
    """The next ones go at once, so that good requests are not held up a second time; then there is peace again."""
    for _ in range(4):
        stalled()
    now.s += PATIENCE_S
    stalled.bodies.give_up()
    later = [stalled(), stalled()]
    now.s += PATIENCE_S / 100
    assert stalled.bodies.give_up()
    assert [exchange.answer is None for exchange in (*stalled.begun[2:4], *later)] == [False, False, True, True]
    now.s += STRICT_S
    assert not stalled.bodies.give_up()
    peaceful = [stalled() for _ in range(4)]
    assert not stalled.bodies.give_up()
    assert all(exchange.answer is None for exchange in peaceful)


def test_a_server_that_cannot_be_bounded_is_told_of(monkeypatch, caplog):
    """It serves all the same."""
    from granian.server import mp  # noqa: PLC0415 -- the server's own

    monkeypatch.delattr(mp, "_wsgi_call_wrap")
    bound_bodies(4)
    assert "no way to bound" in caplog.text


def test_bounds_are_set_once(monkeypatch):
    """However often a server is made in one process; a request without a body is left alone."""
    from granian.server import mp  # noqa: PLC0415

    seen = []
    monkeypatch.setattr(mp, "_wsgi_call_wrap", lambda *_: lambda _, scope: seen.append(scope))
    bound_bodies(4)
    glue = mp._wsgi_call_wrap
    bound_bodies(4)
    assert mp._wsgi_call_wrap is glue
    answer, exchange = glue(None, {}, None), Exchange(b"12")
    answer(exchange, {"wsgi.input": exchange})
    answer(exchange, {"wsgi.input": exchange, "CONTENT_LENGTH": "2"})
    answer(exchange, {"wsgi.input": exchange, "HTTP_TRANSFER_ENCODING": "chunked"})
    assert [isinstance(scope["wsgi.input"], BoundedBody) for scope in seen] == [False, True, True]
    assert seen[1]["wsgi.input"].read() == b"12"


def test_a_body_that_begins_while_the_watcher_goes_to_sleep_is_watched(now, monkeypatch):
    """Between its last look and its sleep another thread may have found it awake, and told it nothing."""
    bodies = Bodies(threads=4, now_s=now)
    first, second = (Exchange(is_whole=False) for _ in range(2))
    late = BoundedBody(second, second, bodies=bodies, length="5")
    clear = bodies._has_waiting.clear

    def begin_and_clear():
        monkeypatch.undo()
        bodies.enter(late)
        clear()

    monkeypatch.setattr(bodies._has_waiting, "clear", begin_and_clear)
    gone = BoundedBody(first, first, bodies=bodies, length="5")
    bodies.enter(gone)
    bodies.leave(gone)
    eventually(lambda: late in bodies._waiting, "a body that begins late")
    now.s += DEADLINE_S
    assert second.ended.wait(60)
    assert first.answer is None
