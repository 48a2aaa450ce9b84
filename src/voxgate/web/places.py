"""Places for answers that hold a thread of the server for long, few enough that some threads are always free."""

import threading


class Places:
    """So many places; whoever has one gives it back once.

    Attributes:
        most: How many there are.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._free = threading.Semaphore(most)
        self._lock = threading.Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        """How many are taken now."""
        return self._taken

    def take(self, *, wait_s: float = 0.0) -> bool:
        """Take a place, and tell whether there was one within so many seconds."""
        if not self._free.acquire(timeout=wait_s):
            return False
        with self._lock:
            self._taken += 1
        return True

    def give_back(self) -> None:
        """Give a place to the next."""
        with self._lock:
            self._taken -= 1
        self._free.release()
