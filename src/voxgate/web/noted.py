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
"""Gives what was noted since it was last asked: for each credential a number that only grows."""
Write = Callable[[Mapping[str, int]], None]


class Noted:
    """Writes down what only grows, such as when a credential was last accepted; safe to share between threads.

    Args:
        writes: For each kind of note what writes many of them at once.
    """

    def __init__(self, **writes: Write) -> None:
        self._writes = writes
        self._takes: list[tuple[str, Take]] = []
        self._kept: dict[str, dict[str, int]] = {kind: {} for kind in writes}
        self._lock = threading.Lock()
        self._is_closing = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, **takes: Take) -> None:
        """Ask one gate more for what it notes, by kind."""
        self._takes.extend(takes.items())

    def start(self) -> None:
        """Write every half a minute from now on; a served process does it at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="voxgate-noted", daemon=True)
            self._thread.start()

    def flush(self) -> None:
        """Write down what is noted; what cannot be written now is kept for the next time."""
        with self._lock:
            for kind, take in self._takes:
                kept = self._kept[kind]
                for credential_id, number in take().items():
                    kept[credential_id] = max(number, kept.get(credential_id, 0))
            for kind, kept in self._kept.items():
                if kept and self._is_done_with(kind, kept):
                    self._kept[kind] = {}

    def close(self) -> None:
        """Write once more and stop; closing again is no error."""
        self._is_closing.set()
        if self._thread is not None:
            self._thread.join(WRITE_EVERY_S)
        self.flush()
        self._takes = []

    def _is_done_with(self, kind: str, kept: Mapping[str, int]) -> bool:
        """Write notes down; False when they are to be kept for the next time."""
        try:
            self._writes[kind](kept)
        except VoxgateError as error:
            _log.warning("%s: not written: %s", kind, error)
            return len(kept) > _KEPT
        return True

    def _run(self) -> None:
        while not self._is_closing.wait(WRITE_EVERY_S):
            self.flush()
