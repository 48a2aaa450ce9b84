"""The values of a job, what a dispatcher promises, and what can break."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, Self

from voxgate.speech.errors import SpeechError

LEASE_S = 15
"""Seconds for which a claimed job belongs to its worker without a sign of life."""

MAX_ATTEMPTS = 3
"""Times a job is begun before it is given up."""

QUEUE_MAX = 10_000
"""Jobs that may wait at once, all owners together."""

MAX_WAIT_S = 86_400
"""Seconds after which a job that could not be finished is given up, however often it was handed back."""

REPEAT_WITHIN_S = 86_400
"""Seconds for which the name that a client gave to a request is known."""

ROW_KEEP_S = 604_800
"""Seconds for which the row of a job stays readable after its audio expired."""


class JobState(StrEnum):
    """Where a job stands; the last three never change again."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE_STATES = (JobState.QUEUED, JobState.RUNNING)
"""The states of a job that has not ended."""


class FailureCode(StrEnum):
    """Why a job failed, or was not its owner's to cancel, for a program to read."""

    SYNTHESIS_FAILED = "SYNTHESIS_FAILED"
    AUDIO_TOO_LARGE = "AUDIO_TOO_LARGE"
    ATTEMPTS_EXHAUSTED = "ATTEMPTS_EXHAUSTED"
    WAITED_TOO_LONG = "WAITED_TOO_LONG"
    ACCOUNT_DISABLED = "ACCOUNT_DISABLED"


@dataclass(frozen=True, slots=True)
class Job:
    """One request to speak, as its row says.

    Attributes:
        id: 32 hexadecimal digits nobody can guess.
        owner: Subject of the account that asked.
        state: Where it stands.
        text: What is to be spoken; private, hence not shown, and empty once the job has ended.
        voice_name: Name of the voice.
        output_format: Format of the audio, such as ``wav``.
        speed_ratio: Speed; 1.0 is the voice's own.
        pitch_semitones: Shift of the pitch.
        fingerprint: SHA-256 in hexadecimal of all that decides the sound.
        characters: How many are spoken.
        segments_done: Segments spoken so far.
        segments_total: Segments in all; 0 before the first one is spoken.
        attempts: Times it was begun.
        fence: Number of its last change of hands.
        lease_by: The worker that has it.
        lease_until_ms: When it can be claimed (again).
        artifact: Name of the audio artifact.
        media_type: Media type of the audio.
        size_bytes: Size of the audio.
        duration_s: Length of the audio in seconds.
        error_code: A `FailureCode`.
        error_detail: What failed, for people.
        created_at_ms: When it was asked for.
        started_at_ms: When it was first begun.
        finished_at_ms: When it ended.
        expires_at_ms: While it is active, when it is given up; afterwards, when its audio is gone.
        sample_rate_hz: Sample rate that was asked for; None for the voice's or the format's own.
        language: BCP 47 language that was asked for; None to guess it.
        input_format: ``text`` or ``ssml``; None is ``text``.
        at_once: Jobs of its owner that may run at once; None for any number.
        reserved: What was reserved for it and may have to be given back; None when nothing is (any more).
        idempotency_key: The name that its owner gave to the request.
        has_equal: Whether an equal job had given its audio when this one was claimed; True where nobody has looked.
    """

    id: str
    owner: str
    state: JobState
    text: str = field(repr=False)
    voice_name: str
    output_format: str
    speed_ratio: float
    pitch_semitones: float
    fingerprint: str
    characters: int
    segments_done: int
    segments_total: int
    attempts: int
    fence: int
    lease_by: str | None
    lease_until_ms: int
    artifact: str | None
    media_type: str | None
    size_bytes: int | None
    duration_s: float | None
    error_code: str | None
    error_detail: str | None
    created_at_ms: int
    started_at_ms: int | None
    finished_at_ms: int | None
    expires_at_ms: int
    sample_rate_hz: int | None
    language: str | None
    input_format: str | None
    at_once: int | None
    reserved: str | None = field(repr=False)
    idempotency_key: str | None
    has_equal: bool = True

    @property
    def progress_ratio(self) -> float:
        """Say how much is spoken, 0.0 to 1.0; 1.0 only once the audio can be fetched."""
        if self.state is JobState.DONE:
            return 1.0
        if self.segments_total <= 0:
            return 0.0
        return min(self.segments_done / self.segments_total, 0.99)

    @property
    def is_active(self) -> bool:
        """Tell whether the job has not ended yet."""
        return self.state in ACTIVE_STATES

    def is_expired(self, now_ms: int) -> bool:
        """Tell whether the audio of a finished job is gone for good (HTTP 410)."""
        return not self.is_active and self.expires_at_ms <= now_ms


@dataclass(frozen=True, slots=True)
class SpokenAudio:
    """The audio of a finished job.

    Attributes:
        artifact: Its name among the artifacts.
        media_type: Media type.
        size_bytes: Size.
        duration_s: Length in seconds.
        segments: Number of segments it was spoken in.
        expires_at_ms: When it may be removed.
    """

    artifact: str
    media_type: str
    size_bytes: int
    duration_s: float
    segments: int
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class QueueFull:
    """An expected no: too many jobs wait already. Nothing was written.

    Attributes:
        queue_max: The number that may wait.
    """

    queue_max: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list of jobs that stays right while jobs come and go.

    Attributes:
        created_at_ms: Birth of the last job that was seen.
        job_id: Its id.
    """

    created_at_ms: int
    job_id: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a cursor from `text` as a client sends it; None if it is none."""
        created, _, job_id = text.partition("-")
        is_number = created.isascii() and created.isdigit() and len(created) <= 15  # noqa: PLR2004 -- epoch ms, year 33658
        if not is_number or not is_job_id(job_id):
            return None
        return cls(int(created), job_id)

    def __str__(self) -> str:
        """Write the cursor for a client, safe in a URL."""
        return f"{self.created_at_ms}-{self.job_id}"


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs of one owner, newest first.

    Attributes:
        jobs: The jobs.
        next: Where the next page begins; None on the last.
    """

    jobs: tuple[Job, ...]
    next: Cursor | None


def is_job_id(text: str) -> bool:
    """Tell whether `text` has the form of a job's id."""
    return len(text) == 32 and not text.strip("0123456789abcdef")  # noqa: PLR2004 -- 16 bytes in hexadecimal


class JobsUnavailableError(SpeechError):
    """The database of the jobs did not answer or refused to write."""


EventSink = Callable[[str, Mapping[str, object]], None]
"""Takes the name of an event and its fields: ids and numbers, never the text."""

TTS_JOB_SUBMITTED = "tts_job_submitted"
TTS_JOB_FINISHED = "tts_job_finished"
TTS_JOB_FAILED = "tts_job_failed"


def ignore_event(name: str, fields: Mapping[str, object]) -> None:
    """Take an event and forget it."""


IsStopping = Callable[[], bool]
"""Tells a running job that it has to stop at its next segment."""

JobHandler = Callable[[Job, IsStopping], None]
"""Does the work of one claimed job and writes its end to the queue. What it raises is trouble of the whole service
(database, disk), not of the job."""


class Dispatcher(Protocol):
    """Brings waiting jobs to workers. The row is the truth: a lost or doubled message does no harm."""

    def send(self, job_id: str) -> None:
        """Say that the job waits; returns at once."""
        ...

    def run(self, handler: JobHandler) -> None:
        """Begin to claim jobs and give each to `handler`; returns once that is under way."""
        ...

    def stop(self, timeout_s: float) -> None:
        """Claim no more; within `timeout_s` every running job is finished or handed back."""
        ...
