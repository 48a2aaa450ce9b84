"""One thread for all the leases of a process, there only while any is held: a thread for each job costs too much."""

import contextlib
import threading
from collections.abc import Callable, Iterator


class _Beat:
    """What is called again and again until it is over."""

    def __init__(self, call: Callable[[], bool]) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._is_over = False

    def tell(self) -> bool:
        """Call it, unless it is over; says whether it wants to be called again."""
        with self._lock:
            if not self._is_over:
                self._is_over = not self._call()
            return not self._is_over

    def end(self) -> None:
        """Call it no more; returns once no call is under way."""
        with self._lock:
            self._is_over = True


class Pulse:
    """Calls all that is given to it, one after the other, every so often; safe to share between threads.

    Args:
        every_s: Seconds between two rounds.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._lock = threading.Lock()
        self._beats: set[_Beat] = set()
        self._thread: threading.Thread | None = None

    @property
    def held(self) -> int:
        """How many are called."""
        return len(self._beats)

    @contextlib.contextmanager
    def calling(self, call: Callable[[], bool]) -> Iterator[None]:
        """Call it every so often while the block runs, until it says False; never after the block."""
        beat = _Beat(call)
        with self._lock:
            self._beats.add(beat)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="voxgate-leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._beats.discard(beat)
            beat.end()

    def _run(self) -> None:
        rest = threading.Event()
        while True:
            rest.wait(self._every_s)
            with self._lock:
                beats = list(self._beats)
                if not beats:
                    self._thread = None  # the next one begins another
                    return
            for beat in beats:
                if not beat.tell():
                    with self._lock:
                        self._beats.discard(beat)
