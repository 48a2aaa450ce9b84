"""What binds a job beside its request, and why one is not taken."""

from dataclasses import dataclass

from voxgate.speech.jobs.base import Job


@dataclass(frozen=True, slots=True)
class Terms:
    """What binds a job beside its request.

    Attributes:
        job_id: Its id, when something was reserved under it already; None for a new one.
        reserved: What was reserved, as whoever has reserved it reads it; None when nothing was.
        at_once: Jobs of its owner that may run while this one is begun, itself counted; None for any number.
        unfinished_max: Jobs of its owner that may wait and run, itself counted; None for any number.
        idempotency_key: The name that its owner gave to the request.
    """

    job_id: str | None = None
    reserved: str | None = None
    at_once: int | None = None
    unfinished_max: int | None = None
    idempotency_key: str | None = None


NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Repeated:
    """Nothing was written: the owner has given the request's name to this job before.

    Attributes:
        job: The job.
    """

    job: Job


@dataclass(frozen=True, slots=True)
class OwnerFull:
    """An expected no: the owner has too many jobs that wait or run. Nothing was written.

    Attributes:
        unfinished_max: The number that the owner may have.
    """

    unfinished_max: int


@dataclass(frozen=True, slots=True)
class OwnerClosed:
    """An expected no: nothing is spoken for this owner any more. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Load:
    """How much is to be spoken.

    Attributes:
        unfinished: Jobs that wait or run.
        running: Those that run.
        characters: Characters of them all.
    """

    unfinished: int
    running: int
    characters: int
