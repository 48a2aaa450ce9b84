"""A pipe between the server and its workers: when its writing end is closed, every worker knows at once."""

import os
import threading
from collections.abc import Callable


class Lifeline:
    """A pipe whose writing end only the parent keeps: its end tells workers that the parent was killed, or lets go."""

    def __init__(self) -> None:
        """Make nothing yet."""
        self._ends: tuple[int, int] | None = None

    def make(self) -> None:
        """Make the pipe, before workers are forked."""
        self._ends = os.pipe()

    def drop(self) -> None:
        """Close the pipe in the parent; again is no error."""
        ends, self._ends = self._ends, None
        for end in ends or ():
            os.close(end)

    def hold(self, then: Callable[[], object]) -> None:
        """Call something in this worker, from a thread of its own, as soon as the parent has dropped the pipe."""
        if self._ends is not None:  # None where workers are not forked
            reading, writing = self._ends
            os.close(writing)
            threading.Thread(target=_wait, args=(reading, then), daemon=True).start()


def _wait(reading: int, then: Callable[[], object]) -> None:
    os.read(reading, 1)
    then()
