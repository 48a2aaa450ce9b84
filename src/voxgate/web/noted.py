"""What the gate notes in passing, written down by a thread of its own, and at the end once more."""

import logging
import threading
from collections.abc import Callable, Mapping

from voxgate.gate.errors import VoxgateError

WRITE_EVERY_S = 30.0
# More than this is not kept for a database that is away: the times are a convenience.
_KEPT = 10_000

_log = logging.getLogger("voxgate.web")

Take = Callable[[], Mapping[str, int]]
"""Gives what was noted since it was last asked: for each credential when it was last accepted."""


class Noted:
    """Writes down when credentials were last accepted; safe to share between threads.

    Args:
        write: Writes many times at once.
    """

    def __init__(self, write: Callable[[Mapping[str, int]], None]) -> None:
        self._write = write
        self._takes: list[Take] = []
        self._kept: dict[str, int] = {}
        self._lock = threading.Lock()
        self._is_closing = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, take: Take) -> None:
        """Ask one gate more for what it notes."""
        self._takes.append(take)

    def start(self) -> None:
        """Write every half a minute from now on; a served process does it at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="voxgate-noted", daemon=True)
            self._thread.start()

    def flush(self) -> None:
        """Write down what is noted; what cannot be written now is kept for the next time."""
        with self._lock:
            for take in self._takes:
                for credential_id, at_ms in take().items():
                    self._kept[credential_id] = max(at_ms, self._kept.get(credential_id, 0))
            if not self._kept:
                return
            try:
                self._write(self._kept)
            except VoxgateError as error:
                _log.warning("last seen: not written: %s", error)
                if len(self._kept) <= _KEPT:
                    return
            self._kept = {}

    def close(self) -> None:
        """Write once more and stop; closing again is no error."""
        self._is_closing.set()
        if self._thread is not None:
            self._thread.join(WRITE_EVERY_S)
        self.flush()
        self._takes = []

    def _run(self) -> None:
        while not self._is_closing.wait(WRITE_EVERY_S):
            self.flush()
