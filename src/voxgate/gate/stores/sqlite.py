"""The embedded store: one decision is one SQLite transaction, exact across every process of the machine."""

import hmac
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voxgate.gate.clock import Clock, SystemClock
from voxgate.gate.decision import AccountState, Charge, Decision, Query, Reading, SessionState, State, Unknown
from voxgate.gate.errors import Refusal
from voxgate.gate.limits import LimitKind
from voxgate.gate.principal import CredentialKind, Principal
from voxgate.gate.stores import sqlite_schema as sql
from voxgate.gate.stores.base import refuse_over_limits
from voxgate.gate.stores.counters import Counter, Leases, open_counter
from voxgate.gate.stores.sqlite_file import SqliteFile
from voxgate.gate.stores.window import Window

_SWEEP_EVERY = 256
_SWEPT_ROWS = 512


class SqliteStore:
    """A store in one SQLite file (WAL), shared by all threads and processes of a machine.

    Args:
        path: The file; its folder must exist.
        clock: Source of time; every process of the machine reads the same clock.
        budget_s: Longest wait for the file before StoreUnavailableError, in seconds.
    """

    def __init__(self, path: Path, *, clock: Clock | None = None, budget_s: float = 1.0) -> None:
        self._file = SqliteFile(path, budget_s=budget_s)
        self._clock = clock or SystemClock()
        self._until_sweep = _SWEEP_EVERY
        self._swept_to = 0

    def decide(self, query: Query) -> Decision | Unknown:
        """Decide one request: credential, account, tier and every limit, all or nothing, in one transaction."""
        with self._file as connection:
            turn = _Turn(connection, self._clock.now_ms())
            found = turn.identify(query, query.kind) if query.kind else None
            if isinstance(found, Unknown):
                return found
            if isinstance(found, Refusal):
                return Decision(refusal=found)
            decision = turn.spend(query, found)
            if decision.refusal is None:
                self._sweep_sometimes(turn)
            return decision

    def put_state(self, state: State) -> None:
        """Record a state; never revives what has ended, never replaces a newer account."""
        row: tuple[object, ...]
        with self._file as connection:
            match state:
                case AccountState():
                    row = (state.subject, state.tier, state.is_active, state.version)
                    connection.execute(sql.PUT_ACCOUNT, row)
                case SessionState():
                    row = (state.session_id, state.subject, state.expires_at_ms, state.is_ended)
                    connection.execute(sql.PUT_SESSION, row)
                case _:
                    scopes = " ".join(sorted(state.scopes))
                    row = (state.key_id, state.subject, state.digest, scopes, state.expires_at_ms, state.is_ended)
                    connection.execute(sql.PUT_KEY, row)

    def end_session(self, session_id: str, *, expires_at_ms: int, subject: str | None = None) -> None:
        """End a session for ever, known or not; holds from the next decision of any process."""
        with self._file as connection:
            connection.execute(sql.END_SESSION, (session_id, subject or "", expires_at_ms))

    def end_key(self, key_id: str, *, subject: str | None = None) -> None:
        """Revoke an API key for ever, known or not; holds from the next decision of any process."""
        with self._file as connection:
            connection.execute(sql.END_KEY, (key_id, subject or ""))

    def usage(self, charges: Sequence[Charge]) -> tuple[Reading, ...]:
        """Read limits without spending; every charge names its partition."""
        with self._file as connection:
            turn = _Turn(connection, self._clock.now_ms())
            counters = [turn.counter(charge, charge.partition or "") for charge in charges]
        return tuple(
            Reading(charge.limit, counter.used, counter.next_free_ms)
            for charge, counter in zip(charges, counters, strict=True)
        )

    def release(self, charges: Sequence[Charge], *, lease_id: str) -> None:
        """Give back what limits ``at once`` hold under a name, and the last unit spent of sliding windows."""
        with self._file as connection:
            turn = _Turn(connection, self._clock.now_ms())
            for charge in charges:
                counter = turn.counter(charge, charge.partition or "")
                if isinstance(counter, Leases | Window):
                    row = (charge.partition, charge.limit.counter, counter.release(lease_id), counter.ends_at_ms)
                    connection.execute(sql.PUT_WINDOW, row)

    def reset(self, partition: str) -> int:
        """Forget every counter of a partition; returns how many there were."""
        with self._file as connection:
            return connection.execute(sql.RESET_PARTITION, (partition,)).rowcount

    def version(self) -> int:
        """Return a number that changes with every change that another process has made."""
        return self._file.version()

    def ping(self) -> None:
        """Return when the store answers."""
        with self._file as connection:
            connection.execute(sql.PING)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _sweep_sometimes(self, turn: "_Turn") -> None:
        self._until_sweep -= 1
        if self._until_sweep <= 0:
            self._until_sweep = _SWEEP_EVERY
            self._swept_to = turn.sweep(self._swept_to)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One transaction at one moment."""

    connection: sqlite3.Connection
    now_ms: int

    def identify(self, query: Query, kind: CredentialKind) -> Principal | Refusal | Unknown:
        """Prove the credential and its account, or say why not, or say what the store does not know."""
        is_key = kind is CredentialKind.API_KEY
        row = self.connection.execute(sql.FIND_KEY if is_key else sql.FIND_SESSION, (query.credential_id,)).fetchone()
        if row is None:
            return Unknown("key" if is_key else "session", query.credential_id)
        refusal = _refuse_key(row, query, self.now_ms) if is_key else _refuse_session(row, query, self.now_ms)
        if refusal is None and row["tier"] is None:
            return Unknown("account", row["subject"])
        scopes = frozenset(row["scopes"].split()) if is_key else query.granted
        refusal = refusal or _refuse_account(row, query, scopes)
        return refusal or Principal(row["subject"], kind, query.credential_id, tier=row["tier"], scopes=scopes)

    def spend(self, query: Query, principal: Principal | None) -> Decision:
        """Spend every limit that binds, or none of them."""
        own = f"user:{principal.subject}" if principal else ""
        tier = principal.tier if principal else ""
        charges = query.charges.get(tier if tier in query.charges else "", ())
        bound, waits = [], []
        for charge in charges:
            partition = charge.partition or own
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

    def counter(self, charge: Charge, partition: str) -> Counter:
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


def _refuse_session(row: sqlite3.Row, query: Query, now_ms: int) -> Refusal | None:
    if row["is_ended"]:
        return Refusal("TOKEN_REVOKED")
    if row["expires_at_ms"] <= now_ms:
        return Refusal("TOKEN_EXPIRED")
    if query.subject is not None and row["subject"] != query.subject:
        return Refusal("INVALID_TOKEN")
    return None


def _refuse_key(row: sqlite3.Row, query: Query, now_ms: int) -> Refusal | None:
    # The digest first: whoever does not hold the secret learns nothing of the key.
    if not hmac.compare_digest(row["digest"], query.digest) or row["is_ended"]:
        return Refusal("API_KEY_INVALID")
    if row["expires_at_ms"] is not None and row["expires_at_ms"] <= now_ms:
        return Refusal("API_KEY_EXPIRED")
    return None


def _refuse_account(row: sqlite3.Row, query: Query, scopes: frozenset[str]) -> Refusal | None:
    if not row["is_active"]:
        return Refusal("ACCOUNT_DISABLED")
    if scopes and not query.scopes <= scopes:
        return Refusal("INSUFFICIENT_SCOPE", scopes=tuple(sorted(query.scopes)))
    if query.tier is not None and row["tier"] != query.tier:
        return Refusal("PREMIUM_REQUIRED")
    return None
