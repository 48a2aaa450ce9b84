"""The embedded store: one decision is one SQLite transaction, exact across every process of the machine."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voxgate.gate.clock import Clock, SystemClock
from voxgate.gate.decision import Changed, Charge, Decision, Query, Reading, SessionState, State, Unknown
from voxgate.gate.errors import Refusal
from voxgate.gate.limits import LimitKind
from voxgate.gate.principal import CredentialKind, Principal
from voxgate.gate.stores import sqlite_records as records
from voxgate.gate.stores import sqlite_schema as sql
from voxgate.gate.stores.base import HOLD_KEPT_S, refuse_over_limits
from voxgate.gate.stores.counters import CalendarQuota, Counter, Leases, open_counter
from voxgate.gate.stores.sqlite_file import SqliteFile
from voxgate.gate.stores.window import Window

_SWEEP_EVERY = 256
_SWEPT_ROWS = 512
# The partition of what is held; it is nobody's, so that no reset forgets it.
_HELD = "held"


class SqliteStore:
    """A store in one SQLite file (WAL), shared by all threads and processes of a machine.

    Args:
        path: The file; its folder must exist.
        clock: Source of time; every process of the machine reads the same clock.
        budget_s: Longest wait for the file before StoreUnavailableError, in seconds.
    """

    def __init__(self, path: Path, *, clock: Clock | None = None, budget_s: float = 1.0) -> None:
        self._file = SqliteFile(path, budget_s=budget_s)
        self.version = self._file.version
        """Returns what differs after every change that may lift a refusal, whichever process has made it."""
        self._clock = clock or SystemClock()
        self._until_sweep = _SWEEP_EVERY
        self._swept_to = 0

    def decide(self, query: Query) -> Decision | Unknown | Changed:
        """Decide one request: credential, account, tier and every limit, all or nothing, in one transaction."""
        with self._file as connection:
            turn = _Turn(connection, self._clock.now_ms())
            found = turn.identify(query, query.kind) if query.kind else None
            if found is not None and not isinstance(found, Principal):
                return found
            decision = turn.spend(query, found)
            if decision.refusal is None:
                if turn.is_behind or query.kind is CredentialKind.REFRESH:
                    records.keep_generation(connection, query, turn.now_ms)
                self._until_sweep -= 1
                if self._until_sweep <= 0:
                    self._until_sweep, self._swept_to = _SWEEP_EVERY, turn.sweep(self._swept_to)
            return decision

    def put_state(self, state: State) -> None:
        """Record a state; never revives what has ended, never replaces a newer account."""
        with self._file as connection:
            records.put_record(connection, state)
            if not isinstance(state, SessionState):  # which lifts no refusal
                self._file.note_change()

    def end_session(self, session_id: str, *, expires_at_ms: int, subject: str | None = None) -> None:
        """End a session for ever, known or not; holds from the next decision of any process."""
        with self._file as connection:
            connection.execute(
                sql.END_SESSION, (records.to_sql(session_id), records.to_sql(subject or ""), expires_at_ms)
            )
            self._file.note_change()

    def end_key(self, key_id: str, *, subject: str | None = None) -> None:
        """Revoke an API key for ever, known or not; holds from the next decision of any process."""
        with self._file as connection:
            connection.execute(sql.END_KEY, (records.to_sql(key_id), records.to_sql(subject or "")))
            self._file.note_change()

    def usage(self, charges: Sequence[Charge]) -> tuple[Reading, ...]:
        """Read limits without spending; every charge names its partition."""
        with self._file as connection:
            turn = _Turn(connection, self._clock.now_ms())
            counters = [turn.counter(charge, records.to_sql(charge.partition or "")) for charge in charges]
        return tuple(
            Reading(charge.limit, counter.used, counter.next_free_ms)
            for charge, counter in zip(charges, counters, strict=True)
        )

    def release(self, charges: Sequence[Charge], *, lease_id: str) -> None:
        """Give back what limits ``at once`` hold under a name, and the last unit spent of sliding windows."""
        with self._file as connection:
            turn = _Turn(connection, self._clock.now_ms())
            for charge in charges:
                partition = records.to_sql(charge.partition or "")
                counter = turn.counter(charge, partition)
                if isinstance(counter, Leases | Window):
                    row = (partition, charge.limit.counter, counter.release(lease_id), counter.ends_at_ms)
                    connection.execute(sql.PUT_WINDOW, row)
                    self._file.note_change()

    def hold(self, charges: Sequence[Charge], *, hold_id: str) -> Decision:
        """Spend windows and quotas of one account under a name, all or nothing, so that they can be given back once."""
        with self._file as connection:
            turn = _Turn(connection, self._clock.now_ms())
            decision = turn.spend(Query(charges={"": tuple(charges)}), None)
            if decision.refusal is None:
                ends_at_ms = turn.now_ms + HOLD_KEPT_S * 1000
                connection.execute(sql.PUT_WINDOW, (_HELD, hold_id, str(turn.now_ms).encode(), ends_at_ms))
            return decision

    def refund(self, charges: Sequence[Charge], *, hold_id: str) -> bool:
        """Give back what ``hold`` has spent under a name: the very units, if they still count, and once only."""
        with self._file as connection:
            turn = _Turn(connection, self._clock.now_ms())
            held = connection.execute(sql.FIND_WINDOW, (_HELD, hold_id)).fetchone()
            if held is None:
                return False
            connection.execute(sql.DROP_WINDOW, (_HELD, hold_id))
            for charge in charges:
                partition = records.to_sql(charge.partition or "")
                counter = turn.counter(charge, partition)
                if isinstance(counter, CalendarQuota | Window):
                    packed = counter.take_back(charge.cost, spent_at_ms=int(held["entries"]))
                    connection.execute(sql.PUT_WINDOW, (partition, charge.limit.counter, packed, counter.ends_at_ms))
            self._file.note_change()
            return True

    def reset(self, partition: str) -> int:
        """Forget every counter of a partition; returns how many there were."""
        with self._file as connection:
            self._file.note_change()
            return connection.execute(sql.RESET_PARTITION, (records.to_sql(partition),)).rowcount

    def ping(self) -> None:
        """Return when the store answers."""
        with self._file as connection:
            connection.execute(sql.PING)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(slots=True)
class _Turn:
    """One transaction at one moment; ``is_behind`` once a token has shown that its session has gone on."""

    connection: sqlite3.Connection
    now_ms: int
    is_behind: bool = False

    def identify(self, query: Query, kind: CredentialKind) -> Principal | Decision | Unknown | Changed:
        """Prove the credential and its account, or say why not, or what the store or the query does not know."""
        is_key = kind is CredentialKind.API_KEY
        id_ = query.credential_id if query.credential_id.isascii() else records.to_sql(query.credential_id)
        row = self.connection.execute(sql.FIND_KEY if is_key else sql.FIND_SESSION, (id_,)).fetchone()
        if row is None:
            return Unknown("key" if is_key else "session", query.credential_id)
        refusal = (records.refuse_key if is_key else records.refuse_session)(row, query, self.now_ms)
        subject = row["subject"] if row["subject"].__class__ is str else records.from_sql(row["subject"])
        scopes = frozenset(row["scopes"].split()) if is_key else query.granted
        if refusal is not None:
            return self._refuse(refusal, query, subject)
        if row["tier"] is None:
            return Unknown("account", subject)
        refusal = records.refuse_account(row, query, scopes)
        if refusal is not None:
            return Decision(refusal=refusal)
        if row["limits"] != query.account_limits or (
            is_key and (row["networks"] or row["key_limits"] != query.key_limits)
        ):
            terms = records.check_terms(row, query, subject)
            if terms is not None:
                return terms
        self.is_behind = not is_key and query.generation > row["generation"]
        return Principal(
            subject, kind, query.credential_id, tier=row["tier"], scopes=scopes, generation=query.generation
        )

    def spend(self, query: Query, principal: Principal | None) -> Decision:
        """Spend every limit that binds, or none of them."""
        user = f"user:{principal.subject}" if principal else ""
        tier = principal.tier if principal else ""
        charges = query.charges.get(tier if tier in query.charges else "", ())
        bound, waits = [], []
        for charge in charges:
            partition: records.Text = charge.partition or user
            if not partition.isascii():
                partition = records.to_sql(charge.partition or user)
            counter = self.counter(charge, partition)
            wait_ms = counter.wait_for_ms(charge.cost, quota=charge.limit.quota)
            if wait_ms:
                waits.append((wait_ms, charge.limit))
            bound.append((charge, partition, counter))
        readings = []
        for charge, partition, counter in bound:
            if not waits or counter.is_mended:
                packed = counter.pack() if waits else counter.admit(charge.cost, query.lease_id)
                row = (partition, charge.limit.counter, packed, counter.ends_at_ms)
                self.connection.execute(sql.PUT_WINDOW, row)
            readings.append(Reading(charge.limit, counter.used, counter.next_free_ms))
        return Decision(principal, refuse_over_limits(waits) if waits else None, tuple(readings))

    def counter(self, charge: Charge, partition: records.Text) -> Counter:
        """Return a counter as it stands now."""
        row = self.connection.execute(sql.FIND_WINDOW, (partition, charge.limit.counter)).fetchone()
        packed = row["entries"] if row else None
        if charge.limit.kind is LimitKind.WINDOW:  # Nearly every counter is one, and every decision asks for it.
            return Window(packed, now_ms=self.now_ms, window_ms=charge.limit.window_s * 1000)
        return open_counter(charge.limit, packed, now_ms=self.now_ms)

    def sweep(self, begin: int) -> int:
        """Remove what nothing can ask for any more from the next few rows; return where to go on."""
        end = begin + _SWEPT_ROWS
        self.connection.execute(sql.SWEEP_WINDOWS, (begin, end, self.now_ms))
        self.connection.execute(sql.SWEEP_SESSIONS, (self.now_ms,))
        (last,) = self.connection.execute(sql.LAST_WINDOW).fetchone()
        return end if last is not None and end < last else 0

    def _refuse(self, refusal: Refusal, query: Query, subject: str) -> Decision:
        if refusal.code != "TOKEN_REUSED":
            return Decision(refusal=refusal)
        # Whoever uses a token that was followed by another may have stolen it, or the other.
        self.connection.execute(sql.END_SESSION, (records.to_sql(query.credential_id), "", self.now_ms))
        return Decision(Principal(subject, CredentialKind.REFRESH, query.credential_id, tier=""), refusal)
