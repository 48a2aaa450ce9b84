"""Waiting for the end of a job within a request: few at once, because each holds a thread of the server."""

import time
from collections.abc import Callable

from flask import Flask, current_app

from voxgate.speech.jobs.base import Job
from voxgate.web.places import Places
from voxgate.web.speech_streams import stream_places

EXTENSION = "voxgate.waiters"
LONGEST_WAIT_S = 30.0
LOOK_EVERY_S = 0.2


def limit_waiters(app: Flask, waiters_max: int) -> None:
    """Bound how many requests of one process wait at once."""
    app.extensions[EXTENSION] = Places(waiters_max)


def wait_for_end(look: Callable[[], Job | None], *, wait_s: float) -> Job | None:
    """Look at a job until it has ended, and return how it stands then.

    Where too many wait already, it is looked at once; and when streams need the threads of those who wait, nobody waits
    on: who is answered early asks again, but a stream would be refused.

    Args:
        look: Reads the job; None when there is none (any more).
        wait_s: Longest time to wait, in seconds of the machine's own clock.
    """
    job = look()
    places: Places = current_app.extensions[EXTENSION]
    if job is None or not job.is_active or wait_s <= 0 or not places.take():
        return job
    try:
        until = time.monotonic() + wait_s
        while job is not None and job.is_active and time.monotonic() < until and not _is_crowded(places):
            time.sleep(min(LOOK_EVERY_S, max(0.0, until - time.monotonic())))
            job = look()
    finally:
        places.give_back()
    return job


def _is_crowded(waiters: Places) -> bool:
    """Tell whether streams and those who wait hold more threads together than either may alone."""
    streams = stream_places()
    return streams.taken > 0 and streams.taken + waiters.taken > max(streams.most, waiters.most)
