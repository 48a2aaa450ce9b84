"""Trouble of the service as its threads meet it: said once, waited out ever longer, said once when it is over."""

import logging
import threading
import traceback

from voxgate.speech.errors import SpeechError

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 15.0


class Trouble:
    """Remembers which kinds of trouble there are; safe to share between threads.

    Args:
        name: What the threads do, for the log.
        logger: Where it is said.
    """

    def __init__(self, name: str, logger: logging.Logger) -> None:
        self._name = name
        self._logger = logger
        self._lock = threading.Lock()
        self._pauses_s: dict[type[Exception], float] = {}

    def begin(self, error: Exception) -> float:
        """Note that `error` happened; gives the seconds to wait before the next try."""
        kind = type(error)
        with self._lock:
            pause_s = self._pauses_s.get(kind, 0.0)
            self._pauses_s[kind] = min(max(pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            if not pause_s:
                self._logger.error("%s: %s: %s; trying again", self._name, kind.__name__, _describe(error))
            return self._pauses_s[kind]

    def end(self, *kinds: type[Exception]) -> None:
        """Note that trouble of `kinds`, or without any of every kind, is over."""
        if not self._pauses_s:
            return
        with self._lock:
            for kind in kinds or tuple(self._pauses_s):
                if self._pauses_s.pop(kind, 0.0):
                    self._logger.info("%s: no %s any more", self._name, kind.__name__)


def _describe(error: Exception) -> str:
    """Say what happened; of an error that is not ours only the place, as its words could quote the text to speak."""
    if isinstance(error, SpeechError):
        return str(error)
    places = traceback.extract_tb(error.__traceback__)
    return f"{places[-1].filename}:{places[-1].lineno}" if places else "at an unknown place"
