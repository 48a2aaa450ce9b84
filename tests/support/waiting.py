"""Waiting for what another process does: asked again until a generous deadline, never a fixed pause."""

import time

DEADLINE_S = 90.0
_PAUSE_S = 0.05


def eventually(find, what, *, deadline_s=DEADLINE_S):
    """Ask until the answer is true and return it; fail after the deadline, naming what was waited for."""
    until = time.monotonic() + deadline_s
    while not (found := find()):
        if time.monotonic() > until:
            raise AssertionError(f"waited {deadline_s:g} s in vain for {what}")
        time.sleep(_PAUSE_S)
    return found


def wait_as_told(answer):
    """Wait as long as an answer's Retry-After says, as a client should."""
    time.sleep(int(answer.headers["Retry-After"]))
