"""Security events as a table that can be asked: written by a thread of its own, bounded in memory and in age."""

import contextlib
import json
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Select, Table, delete, func, insert, select

from voxgate.accounts.database import Database, DatabaseUnavailableError
from voxgate.accounts.forgetting import forget_strays, subject_of, without_person
from voxgate.accounts.models import SecurityEvent
from voxgate.accounts.names import clean_label, fold
from voxgate.gate.clock import Clock
from voxgate.gate.events import EventSink, Quiet

KEPT_S = 7_776_000  # 90 days
MAX_WAITING = 10_000
MAX_FIELDS_CHARACTERS = 8_000

_WRITE_EVERY_S = 0.5
_BATCH = 500
_SWEEP_EVERY_MS = 600_000
_WHO_CHARACTERS = 254
_MAX_FORGOTTEN = 1_000
_JSON = json.JSONEncoder(default=str)
# Rows that nobody reads back are spared the mapper, which takes longer than the rest.
_TABLE = cast("Table", SecurityEvent.__table__)
# How far back a process looks at first for events that others have written about accounts which are gone.
_STRAYS = 10_000

Clean = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Gives the fields of an event without secrets, each bounded."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event as it was written down.

    Attributes:
        event_id: Grows with every event that is written down.
        at_ms: When it happened, milliseconds since the epoch, UTC.
        name: Its name, of the closed vocabulary.
        fields: Who, where and how.
    """

    event_id: int
    at_ms: int
    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are asked for; what is not given lets all pass.

    Attributes:
        name: The name of the event.
        who: Ids and names, any of which the event must be about.
        since_ms: The earliest time, milliseconds since the epoch, UTC.
        but: Names of events that are left out.
        before_id: Only what was written down before this event.
    """

    name: str | None = None
    who: tuple[str, ...] = ()
    since_ms: int | None = None
    but: tuple[str, ...] = ()
    before_id: int | None = None

    def applied(self, statement: Select[Any]) -> Select[Any]:
        """Return the statement for these events alone."""
        if self.name is not None:
            statement = statement.where(SecurityEvent.name == self.name)
        if self.who:
            statement = statement.where(SecurityEvent.who.in_([fold(each)[:_WHO_CHARACTERS] for each in self.who]))
        if self.since_ms is not None:
            statement = statement.where(SecurityEvent.at_ms >= self.since_ms)
        if self.but:
            statement = statement.where(SecurityEvent.name.not_in(self.but))
        if self.before_id is not None:
            statement = statement.where(SecurityEvent.id < self.before_id)
        return statement


class Audit:
    """The table of security events; safe to share between threads.

    Args:
        database: Where it is.
        clock: Source of time.
        clean: Gives the fields as they may be kept.
        kept_s: Seconds after which an event is removed.
        max_waiting: Events that wait to be written; one more is lost, and that is told once on standard error.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        clean: Clean = dict,
        kept_s: int = KEPT_S,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._database = database
        self._clock = clock
        self._clean = clean
        self._kept_ms = kept_s * 1000
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[int, str, Mapping[str, object]]] = deque()
        self._quiets: list[Quiet] = []
        self._forgotten: dict[str, None] = {}
        self._strays_after: int | None = None
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_losing = False
        self._sweep_at_ms = 0

    def note(self, name: str, fields: Mapping[str, object]) -> None:
        """Take an event to be written down soon; never raises and never waits for the database."""
        if len(self._waiting) >= self._max_waiting:
            self._tell_loss("too many wait to be written")
            return
        self._waiting.append((self._clock.now_ms(), name, dict(fields)))
        if self._thread is None:
            self._start()

    def beside(self, sink: EventSink) -> EventSink:
        """Return a sink that gives events to another and notes them here."""

        def emit(name: str, fields: Mapping[str, object]) -> None:
            sink(name, fields)
            self.note(name, fields)

        return emit

    def forget(self, subject: str) -> None:
        """Write down what this process still has to tell of a deleted account as ``forgetting`` leaves it."""
        self._forgotten[subject] = None
        if len(self._forgotten) > _MAX_FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]

    def watch(self, quiet: Quiet) -> None:
        """Tell the counts of what happens again and again when their time is over."""
        self._quiets.append(quiet)

    def flush(self) -> None:
        """Write down what waits; what cannot be written now waits on."""
        with self._writing:
            while self._waiting:
                batch = [self._waiting[index] for index in range(min(_BATCH, len(self._waiting)))]
                try:
                    with self._database.session() as session:
                        session.execute(insert(_TABLE), [self._row(*each) for each in batch])
                except DatabaseUnavailableError as error:
                    self._tell_loss_when_full(error)
                    return
                for _ in batch:
                    self._waiting.popleft()
                self._is_losing = False
            self._sweep_sometimes()

    def read(self, wanted: EventFilter, *, after_id: int = 0, limit: int = _BATCH) -> tuple[EventRecord, ...]:
        """Return events in the order in which they were written down, after one of them.

        Raises:
            DatabaseUnavailableError: The database cannot answer.
        """
        statement = wanted.applied(select(SecurityEvent)).where(SecurityEvent.id > after_id)
        return self._read(statement.order_by(SecurityEvent.id).limit(limit))

    def read_all(self, wanted: EventFilter) -> Iterator[EventRecord]:
        """Give every event, oldest first, a bounded number in memory at once.

        Raises:
            DatabaseUnavailableError: The database cannot answer.
        """
        after_id = 0
        while found := self.read(wanted, after_id=after_id):
            yield from found
            after_id = found[-1].event_id

    def read_last(self, wanted: EventFilter, *, limit: int) -> tuple[EventRecord, ...]:
        """Return the newest events, oldest of them first.

        Raises:
            DatabaseUnavailableError: The database cannot answer.
        """
        statement = wanted.applied(select(SecurityEvent)).order_by(SecurityEvent.id.desc()).limit(limit)
        return self._read(statement)[::-1]

    def close(self) -> None:
        """Tell every count, write down what waits, and stop; closing again is no error."""
        for quiet in self._quiets:
            quiet.flush()
        self._quiets = []
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _read(self, statement: Select[Any]) -> tuple[EventRecord, ...]:
        with self._database.reading() as session:
            rows: Iterable[SecurityEvent] = session.scalars(statement)
            return tuple(EventRecord(row.id, row.at_ms, row.name, json.loads(row.fields)) for row in rows)

    def _row(self, at_ms: int, name: str, fields: Mapping[str, object]) -> dict[str, object]:
        kept = self._clean(fields)
        about = subject_of(kept)
        if about in self._forgotten:
            kept = without_person(kept, about)
        text = _JSON.encode(kept)
        if len(text) > MAX_FIELDS_CHARACTERS:
            text = json.dumps({"cut": text[:MAX_FIELDS_CHARACTERS]})
        who = clean_label(fold(subject_of(kept) or str(kept.get("username") or "")), limit=_WHO_CHARACTERS)
        return {"at_ms": at_ms, "name": name[:64], "who": who or None, "fields": text}

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="voxgate-audit", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closing.wait(_WRITE_EVERY_S):
            for quiet in self._quiets:
                quiet.flush(self._clock.now_ms())
            self.flush()

    def _sweep_sometimes(self) -> None:
        now_ms = self._clock.now_ms()
        if now_ms < self._sweep_at_ms:
            return
        self._sweep_at_ms = now_ms + _SWEEP_EVERY_MS
        with contextlib.suppress(DatabaseUnavailableError):
            self._forget_strays()
        old = select(SecurityEvent.id).where(SecurityEvent.at_ms < now_ms - self._kept_ms).limit(_BATCH)
        with contextlib.suppress(DatabaseUnavailableError), self._database.session() as session:
            found = session.scalars(old).all()
            if found:
                session.execute(delete(SecurityEvent).where(SecurityEvent.id.in_(found)))
                self._sweep_at_ms = now_ms  # there may be more: again at the next writing

    def _forget_strays(self) -> None:
        with self._database.reading() as session:
            newest = session.scalar(select(func.max(SecurityEvent.id))) or 0
        after_id = newest - _STRAYS if self._strays_after is None else self._strays_after
        # From where this look began: another process may give a row a number now and write it down after the next.
        self._strays_after = newest
        forget_strays(self._database, after_id=after_id)

    def _tell_loss_when_full(self, error: Exception) -> None:
        if len(self._waiting) >= self._max_waiting:
            self._tell_loss(str(error))

    def _tell_loss(self, reason: str) -> None:
        if not self._is_losing:
            self._is_losing = True
            print(f"voxgate: rows of security events are being lost: {reason}", file=sys.stderr)  # noqa: T201 -- once
