"""A few worker processes shared by many threads: a crash or a hang costs one segment one retry, never the service."""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Generator
from queue import SimpleQueue

from voxgate.speech.engines.worker_process import FATAL, Answer, Exchange, WorkerProcess
from voxgate.speech.errors import EngineError

_log = logging.getLogger(__name__)


class _Seat:
    """A place for one worker process, which comes and goes."""

    def __init__(self) -> None:
        self.worker: WorkerProcess | None = None


class WorkerPool:
    """At most ``size`` worker processes, started when first needed.

    Threads are served in the order in which they come. Each exchange of a long request queues anew, so requests
    take turns and a long one does not hold up a short one.

    Attributes:
        restarts: How many workers were replaced because they crashed or hung.
    """

    def __init__(self, start: Callable[[], WorkerProcess], *, size: int) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._seats = tuple(_Seat() for _ in range(size))
        self._free = deque(self._seats)
        self._waiting: deque[SimpleQueue[_Seat | None]] = deque()
        self._is_closed = False
        self.restarts = 0

    def ask(self, exchange: Exchange) -> Answer:
        """Have one exchange answered by some worker.

        A worker that crashes or exceeds the deadline is replaced, and the exchange is tried once more on the
        fresh one: crashes often come from what a worker did before.

        Raises:
            EngineError: It failed on a fresh worker too, the program refused it, or the pool is closed.
        """
        answer, *rest = self.ask_in_parts(exchange)
        if rest:
            raise EngineError("engine_crashed", "a broken answer")
        return answer

    def ask_in_parts(self, exchange: Exchange) -> Generator[Answer, None, None]:
        """Have one exchange answered by some worker, and give the answer in the parts in which it comes.

        When the second try is needed in the midst of it, what the first has given is left out of what the second
        gives. The worker is nobody else's until the last part is read or the parts are closed.

        Raises:
            EngineError: As `ask` says.
        """
        seat = self._take()
        given = 0
        try:
            for is_last_try in (False, True):
                try:
                    with contextlib.closing(self._ask(seat, exchange)) as answers:
                        at = 0
                        for answer in answers:
                            fresh = answer.pcm[max(0, given - at) :]
                            at += len(answer.pcm)
                            given = max(given, at)
                            yield Answer(answer.header, fresh)
                except EngineError as error:
                    if error.reason not in FATAL or is_last_try:
                        raise
                else:
                    return
        finally:
            self._give_back(seat)

    def pids(self) -> list[int]:
        """Give the process ids of the running workers."""
        workers = [seat.worker for seat in self._seats]
        return [worker.pid for worker in workers if worker is not None and worker.is_alive()]

    @property
    def waiting(self) -> int:
        """How many exchanges wait for a worker."""
        return len(self._waiting)

    def close(self) -> None:
        """End every worker process; exchanges under way and to come fail."""
        with self._lock:
            self._is_closed = True
            waiting, self._waiting = self._waiting, deque()
            free, self._free = self._free, deque()
        for ticket in waiting:
            ticket.put(None)
        for seat in self._seats:
            # A busy worker is only killed: its thread notices and frees the pipes it is reading.
            if worker := seat.worker:
                worker.kill()
        for seat in free:
            self._vacate(seat)

    def _take(self) -> _Seat:
        with self._lock:
            if self._is_closed:
                raise _closed()
            if self._free:
                return self._free.popleft()
            ticket: SimpleQueue[_Seat | None] = SimpleQueue()
            self._waiting.append(ticket)
        # The seat is handed from thread to thread, so that nobody overtakes.
        seat = ticket.get()
        if seat is None:
            raise _closed()
        return seat

    def _give_back(self, seat: _Seat) -> None:
        with self._lock:
            if not self._is_closed:
                if self._waiting:
                    self._waiting.popleft().put(seat)
                else:
                    self._free.append(seat)
                return
        self._vacate(seat)

    def _ask(self, seat: _Seat, exchange: Exchange) -> Generator[Answer, None, None]:
        worker = seat.worker
        if worker is None or not worker.is_alive():
            self._vacate(seat)
            worker = self._occupy(seat)
        try:
            yield from worker.ask_in_parts(exchange)
        except EngineError as error:
            if error.reason in FATAL:
                self._vacate(seat)
                with self._lock:
                    self.restarts += 1
                # What was to be spoken is the caller's and never stands in a log.
                _log.warning("An engine worker is replaced: %s", error)
            raise

    def _occupy(self, seat: _Seat) -> WorkerProcess:
        worker = seat.worker = self._start()
        if self._is_closed:  # while it started
            raise _closed()
        return worker

    @staticmethod
    def _vacate(seat: _Seat) -> None:
        worker, seat.worker = seat.worker, None
        if worker is not None:
            worker.end()


def _closed() -> EngineError:
    return EngineError("engine_unavailable", "the pool is closed")
