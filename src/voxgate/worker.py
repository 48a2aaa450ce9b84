"""The worker: takes jobs from the table and speaks them, on any machine that reaches the database and the audio."""

import logging
import threading

from voxgate.accounts.audit import Audit
from voxgate.accounts.database import Database, DatabaseUnavailableError
from voxgate.gate.clock import Clock, SystemClock
from voxgate.gate.events import EventSink, log_event
from voxgate.logs import clean_fields
from voxgate.settings import Settings
from voxgate.speaking import open_synthesizer
from voxgate.speech.jobs.queue import JobQueue
from voxgate.working import open_worker

POLL_S = 0.2
"""Seconds after which a worker with nothing to do looks at the table again."""

STOP_TIMEOUT_S = 8.0
"""Seconds in which a stopped worker finishes its jobs or hands them back; a service manager kills after ten."""

_PAUSE_S = 1.0
_logger = logging.getLogger("voxgate.worker")


class Worker:
    """Speaks jobs until it is told to stop. Any number may work on one database; none needs to know of another.

    Args:
        settings: Where the database and the audio are, and how much is spoken at once.
        clock: Source of time; the machine's own by default.
        events: Takes what becomes of the jobs.
    """

    def __init__(self, settings: Settings, *, clock: Clock | None = None, events: EventSink = log_event) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._events = events
        self._is_stopping = threading.Event()

    def stop(self) -> None:
        """Let ``run`` come to its end; returns at once, and may be called from a signal."""
        self._is_stopping.set()

    def run(self) -> None:
        """Take jobs and speak them until `stop`; then finish what runs, or hand it back for others.

        A database that does not answer is waited for, at the start and later.

        Raises:
            ConfigurationError: A setting cannot be used.
        """
        database = Database(self._settings.database_url)
        try:
            if self._wait_for(database):
                self._work(database)
        finally:
            database.close()

    def _wait_for(self, database: Database) -> bool:
        """Bring the schema to this version as soon as the database answers; False when told to stop before."""
        has_told = False
        while not self._is_stopping.is_set():
            try:
                database.migrate()
            except DatabaseUnavailableError as error:
                if not has_told:
                    _logger.error("no database yet: %s; trying again", error)  # noqa: TRY400 -- no defect of ours
                has_told = True
                self._is_stopping.wait(_PAUSE_S)
            else:
                return True
        return False

    def _work(self, database: Database) -> None:
        kept_s = self._settings.events_kept_s
        audit = Audit(database, clock=self._clock, clean=clean_fields, kept_s=kept_s)
        synthesizer = open_synthesizer(self._settings)
        jobs = JobQueue(database.engine, now_ms=self._clock.now_ms, on_event=audit.beside(self._events))
        dispatcher = open_worker(self._settings, jobs, synthesizer, clock=self._clock, poll_s=POLL_S)
        _logger.info("takes jobs, %d at once", self._settings.engine_workers)
        try:
            self._is_stopping.wait()
        finally:
            dispatcher.stop(STOP_TIMEOUT_S)
            synthesizer.close()
            audit.close()
            _logger.info("has stopped")
