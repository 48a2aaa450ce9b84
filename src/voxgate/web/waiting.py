"""Waiting for the end of a job within a request: few at once, because each holds a thread of the server."""

import threading
import time
from collections.abc import Callable

from flask import Flask, current_app

from voxgate.speech.jobs.base import Job
from voxgate.speech.jobs.ends import Ends
from voxgate.web.places import Places
from voxgate.web.speech_streams import stream_places

EXTENSION = "voxgate.waiters"
LONGEST_WAIT_S = 30.0
LOOK_EVERY_S = 0.2
"""Seconds after which a job is looked at unasked, because other processes end jobs, too."""


def limit_waiters(app: Flask, waiters_max: int) -> None:
    """Bound how many requests of one process wait at once."""
    app.extensions[EXTENSION] = Places(waiters_max)


def wait_for_end(job_id: str, look: Callable[[], Job | None], *, ends: Ends, wait_s: float) -> Job | None:
    """Look at a job until it has ended, and return how it stands then.

    Where too many wait already, it is looked at once; and when streams need the threads of those who wait, nobody waits
    on: who is answered early asks again, but a stream would be refused.

    Args:
        job_id: The job.
        look: Reads it; None when there is none (any more).
        ends: Tells at once of a job that ends in this process.
        wait_s: Longest time to wait, in seconds of the machine's own clock.
    """
    if wait_s <= 0:
        return look()
    with ends.watch(job_id) as ended:
        job = look()
        places: Places = current_app.extensions[EXTENSION]
        if job is None or not job.is_active or not places.take():
            return job
        try:
            until = time.monotonic() + wait_s
            while job is not None and job.is_active and time.monotonic() < until and not _is_crowded(places):
                rest(ended, min(LOOK_EVERY_S, max(0.0, until - time.monotonic())))
                job = ended.job or look()
        finally:
            places.give_back()
    return job


def rest(ended: threading.Event, longest_s: float) -> None:
    """Return once a job has ended in this process, or it is time to look at it."""
    ended.wait(longest_s)


def _is_crowded(waiters: Places) -> bool:
    """Tell whether streams and those who wait hold more threads together than either may alone."""
    streams = stream_places()
    return streams.taken > 0 and streams.taken + waiters.taken > max(streams.most, waiters.most)
