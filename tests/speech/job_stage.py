"""The stage of the tests of jobs: a given clock, a real database, a synthesizer that only pretends."""

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sqlalchemy import Engine, create_engine, event, text

from voxgate.accounts.database import Database
from voxgate.speech.captions import Captions
from voxgate.speech.errors import SynthesisCancelledError
from voxgate.speech.jobs.base import Job, SpokenAudio
from voxgate.speech.jobs.local import LocalDispatcher
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.jobs.run import JobRunner
from voxgate.speech.jobs.table import metadata
from voxgate.speech.jobs.terms import Terms
from voxgate.speech.request import SpeechRequest
from voxgate.speech.storage.folder import FolderArtifacts

START_MS = 1_800_000_000_000
NO_CAPTIONS = Captions(1.5, ())
FINGERPRINT = "ab" * 32
PATIENCE_S = 60  # how long a test waits for another thread or process before it fails


class GivenClock:
    """Time that stands still until it is told to move."""

    def __init__(self, ms: int = START_MS) -> None:
        self.ms = ms

    def now_ms(self) -> int:
        return self.ms

    def advance(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


def open_engine(url: str, *, busy_ms: int = 5000) -> Engine:
    """Open a database as the service does; a file with WAL, and the write lock from the start of each transaction."""
    if not url.startswith("sqlite:"):
        return Database(url, budget_s=busy_ms / 1000).engine
    engine = create_engine(url, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection, _record):
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")

    @event.listens_for(engine, "begin")
    def begin(connection):
        is_reading = connection.get_execution_options().get("is_reading", False)
        connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")

    return engine


def create_database(url: str) -> Engine:
    """Open a database and make the table of jobs, unless it is there."""
    engine = open_engine(url)
    metadata.create_all(engine)
    return engine


@contextlib.contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Let another one hold the table for as long as the block lasts; reading goes on."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE job IN EXCLUSIVE MODE"))
        yield


def submit(
    queue: JobQueue, *, owner: str = "ann", text: str = "hello", fingerprint: str | None = None, **terms: object
) -> Job:
    """Submit a job that must be taken; equal to no other unless its fingerprint says so."""
    fingerprint = fingerprint or secrets.token_hex(32)
    job = queue.submit(SpeechRequest(text), owner=owner, fingerprint=fingerprint, terms=Terms(**terms))
    assert isinstance(job, Job)
    return job


def audio(expires_at_ms: int = START_MS + 600_000) -> SpokenAudio:
    """Give the audio of a finished job."""
    return SpokenAudio(f"{FINGERPRINT}.wav", "audio/wav", 44, 1.5, 2, expires_at_ms)


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a synthesizer says about what it spoke."""

    duration_s: float = 1.5
    segments: int = 3
    media_type: str = "audio/wav"
    size_bytes: int = 0
    captions: Captions = NO_CAPTIONS


class FakeSpeaker:
    """A synthesizer that writes the text itself, one word a segment, and calls `before_segment` before each."""

    def __init__(self, before_segment: Callable[[int], None] = lambda _index: None) -> None:
        self.before_segment = before_segment
        self.texts: list[str] = []
        self._lock = threading.Lock()

    def synthesize(self, request: SpeechRequest, out: BinaryIO, *, on_progress: Callable[[int, int], bool]) -> Spoken:
        with self._lock:
            self.texts.append(request.text)
        words = request.text.split()
        for index, word in enumerate(words):
            self.before_segment(index)
            out.write(word.encode())
            if not on_progress(index + 1, len(words)):
                raise SynthesisCancelledError
        return Spoken(segments=len(words))


class Stage:
    """A queue, a folder and a dispatcher, with a lamp that tells when a job has ended."""

    def __init__(self, folder, url):
        self.clock = GivenClock()
        self.folder = folder
        self.url = url
        self.engine = create_database(url)
        self.events = []
        self.changed = threading.Condition()
        self.queue = JobQueue(self.engine, now_ms=self.clock.now_ms, on_event=self._hear)
        self.artifacts = FolderArtifacts(folder / "audio", now_ms=self.clock.now_ms, ttl_s=600, quota_bytes=10**6)
        self.speaker = FakeSpeaker()
        self.dispatchers = []

    def _hear(self, name, fields):
        with self.changed:
            self.events.append((name, fields["job_id"]))
            self.changed.notify_all()

    def start(self, *, threads=1, poll_s=0.02, **options):
        dispatcher = LocalDispatcher(self.queue, threads=threads, poll_s=poll_s, **options)
        dispatcher.run(JobRunner(self.queue, self.speaker, self.artifacts).run)
        self.dispatchers.append(dispatcher)
        return dispatcher

    def wait_for_ends(self, count):
        """Wait until `count` jobs have finished or failed."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.ends()) >= count, PATIENCE_S), self.events

    def ends(self):
        return [name for name, _ in self.events if name != "tts_job_submitted"]

    def files(self):
        folder = self.folder / "audio"
        return sorted(path.name for path in folder.iterdir() if path.name != ".lock") if folder.exists() else []

    def close(self):
        for dispatcher in self.dispatchers:
            dispatcher.stop(5)
        self.engine.dispose()
