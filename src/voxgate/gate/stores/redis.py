"""The store that several machines share: one decision is one script, run once inside Redis or Valkey."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from voxgate.gate.clock import Clock, SystemClock
from voxgate.gate.decision import (
    AccountState,
    Changed,
    Charge,
    Decision,
    KeyState,
    Query,
    Reading,
    SessionState,
    State,
    Unknown,
)
from voxgate.gate.errors import StoreUnavailableError
from voxgate.gate.limits import LimitKind
from voxgate.gate.networks import network_bits
from voxgate.gate.principal import CredentialKind
from voxgate.gate.stores import redis_scripts as scripts
from voxgate.gate.stores.base import HOLD_KEPT_S, refuse_over_limits
from voxgate.gate.stores.redis_answers import ENDED, MISREAD, read_figures, read_pointer, read_readings
from voxgate.gate.stores.redis_commands import Commands, arguments_of
from voxgate.gate.stores.redis_health import HealthFinding, examine
from voxgate.gate.stores.redis_keys import Keys, to_bytes
from voxgate.gate.stores.redis_links import Link
from voxgate.gate.stores.redis_plans import LETTERS, Plan, Plans, make_plan
from voxgate.gate.stores.redis_scripts import Call

DEFAULT_PREFIX = "vg:"
_MAX_REMEMBERED = 65_536
_NOTE_EVERY_S = 60.0
_BATCH = 512
_NOTHING = Query(charges={})

T = TypeVar("T")


class RedisStore:
    """A store in Redis or Valkey, shared by every process of every machine.

    Args:
        link: The way to the server.
        prefix: What the names of all keys begin with.
        clock: Replaces the server's clock; for tests only, because the clocks of machines differ.
    """

    def __init__(self, link: Link, *, prefix: str = DEFAULT_PREFIX, clock: Clock | None = None) -> None:
        self._link = link
        self._keys = Keys(prefix)
        self._clock = clock
        self._plans = Plans()
        self._commands = Commands(self._keys, is_cluster=link.is_cluster)
        # Whose a session or key is never changes.
        self._subjects: dict[tuple[str, str], str] = {}
        self.version: Callable[[], object] | None = None
        """What other machines change is not seen without a call."""
        self._noted: frozenset[bytes] = frozenset()
        self._note_again_at_s = 0.0

    def decide(self, query: Query) -> Decision | Unknown | Changed:
        """Decide one request: credential, account, tier and every limit, all or nothing, in one call.

        A key or refresh token that this process has not seen yet costs one call more, to learn whose it is.
        """
        if query.kind is None:
            return self._decide(query, "", "")
        kind = "key" if query.kind is CredentialKind.API_KEY else "session"
        subject = query.subject or self._subjects.get((kind, query.credential_id))
        if subject is None:
            found = self._find_subject(kind, query.credential_id)
            if not isinstance(found, str):
                return found
            subject = found
        answer = self._decide(query, kind, subject)
        if query.subject is not None and isinstance(answer, Unknown) and answer.kind == "session":
            return self._decide_elsewhere(query, subject, answer)
        return answer

    def put_state(self, state: State) -> None:
        """Record a state; never revives what has ended, never replaces a newer account."""
        if isinstance(state, AccountState):
            arguments = (str(state.version), int(state.is_active), state.tier, state.limits)
            self._link.run(scripts.PUT_ACCOUNT, (self._keys.principal(state.subject) + b"account",), arguments)
            if not state.is_active:
                self._link.confirm()
        elif isinstance(state, SessionState):
            idle = "" if state.idle_ends_at_ms is None else state.idle_ends_at_ms
            self._put_record(state, "session", state.session_id, rest=f":{state.generation}:{idle}")
        else:
            bits = " ".join(map(network_bits, state.networks))
            rest = f":{state.digest.hex()}:{' '.join(sorted(state.scopes))}\n{state.version}\n{bits}\n{state.limits}"
            self._put_record(state, "key", state.key_id, rest=rest)

    def end_session(self, session_id: str, *, expires_at_ms: int, subject: str | None = None) -> None:
        """End a session for ever, known or not; holds from the next decision of any process.

        Args:
            session_id: Id of the session.
            expires_at_ms: Its end.
            subject: The account that it belongs to, when that is known. In a cluster whose node has lost the pointer to
                the account, only so is the session found.
        """
        self._end("session", session_id, expires_at_ms, subject=subject)

    def end_key(self, key_id: str, *, subject: str | None = None) -> None:
        """Revoke an API key for ever, known or not; holds from the next decision of any process."""
        self._end("key", key_id, "", subject=subject)

    def usage(self, charges: Sequence[Charge]) -> tuple[Reading, ...]:
        """Read limits without spending; every charge names its partition."""
        query = Query(charges={"": tuple(charges)})
        answer = self._ask(query, self._plans.plan(query.charges), looks=True)
        return self._understand(lambda: read_readings(answer, charges)[0])

    def release(self, charges: Sequence[Charge], *, lease_id: str) -> None:
        """Give back what limits ``at once`` hold under a name, and the last unit spent of sliding windows."""
        for charge in charges:
            if charge.limit.kind is LimitKind.AT_ONCE:
                self._link.call("ZREM", self._counter(charge), lease_id)
            elif charge.limit.kind is LimitKind.WINDOW:
                self._link.call("LPOP", self._counter(charge))  # the newest request stands first in the list

    def hold(self, charges: Sequence[Charge], *, hold_id: str) -> Decision:
        """Spend windows and quotas of one account under a name, all or nothing, so that they can be given back once."""
        charged = {"": tuple(charges)}
        plan = make_plan(charged)
        figures = [
            f"{LETTERS[each.limit.kind]} {each.limit.quota} {each.limit.window_s * 1000} {each.cost}"
            for each in charges
        ]
        arguments = (self._given_time(), HOLD_KEPT_S * 1000, *figures)
        answer = self._link.run(scripts.HOLD, self._held(charges, hold_id), arguments)
        readings, waits = self._understand(lambda: read_readings(answer, charges))
        if not plan.names <= self._noted:
            self._note(plan)
        return Decision(None, refuse_over_limits(waits) if waits else None, readings)

    def refund(self, charges: Sequence[Charge], *, hold_id: str) -> bool:
        """Give back what ``hold`` has spent under a name: the very units, if they still count, and once only."""
        what = [f"{LETTERS[each.limit.kind]} {each.cost} 0" for each in charges]
        return self._link.run(scripts.REFUND, self._held(charges, hold_id), ("", "", *what)) == 1

    def reset(self, partition: str) -> int:
        """Forget every counter of a partition; returns how many there were."""
        answer: Any = self._link.call("SMEMBERS", self._keys.counters)
        own = self._keys.partition(partition)
        names = self._understand(lambda: [own + name for name in answer])
        counts: list[Any] = [
            self._link.call("UNLINK", *names[first : first + _BATCH]) for first in range(0, len(names), _BATCH)
        ]
        return self._understand(lambda: int(sum(counts)))

    def ping(self) -> None:
        """Return when the store can decide: a replica, or a server that cannot write, answers and is of no use."""
        answer = self._ask(_NOTHING, self._plans.plan(_NOTHING.charges), looks=True)
        self._understand(lambda: read_figures(answer))

    def check_health(self) -> list[HealthFinding]:
        """Look at what an operator should know of the servers: version, eviction, clock, latency.

        Raises:
            StoreUnavailableError: A server does not answer.
        """
        return self._understand(lambda: list(examine(self._link, now_ms=SystemClock().now_ms())))

    def close(self) -> None:
        """Close the connections."""
        self._link.close()

    def _decide(
        self, query: Query, kind: str, subject: str, *, is_of_another: bool = False
    ) -> Decision | Unknown | Changed:
        asked = None if is_of_another else self._commands.recall(query)
        if asked is None:
            plan = self._plans.plan(query.charges)
            asked = self._commands.write(query, plan, kind=kind, subject=subject, is_of_another=is_of_another)
        answer = self._link.run_call(asked.call if self._clock is None else self._at_given_time(asked.call))
        try:
            decision = asked.read(answer)
        except MISREAD as error:
            raise self._misread(error) from error
        if not asked.plan.names <= self._noted or time.monotonic() >= self._note_again_at_s:
            self._note(asked.plan)
        return decision

    def _decide_elsewhere(self, query: Query, subject: str, unknown: Unknown) -> Decision | Unknown | Changed:
        """Decide a token whose account has no such session: it is unknown, ended, or another account's."""
        found = self._find_subject(unknown.kind, unknown.record_id)
        if not isinstance(found, str) or found == subject:
            return found if isinstance(found, Decision) else unknown
        return self._decide(query, unknown.kind, found, is_of_another=True)

    def _ask(self, query: Query, plan: Plan, *, kind: str = "", subject: str = "", looks: bool = False) -> object:
        keys = self._commands.keys(query, plan, kind=kind, subject=subject)
        call = Call(scripts.DECIDE, keys, arguments_of(query, plan, kind=kind, looks=looks))
        return self._link.run_call(call if self._clock is None else self._at_given_time(call))

    def _at_given_time(self, call: Call) -> Call:
        return Call(call.script, call.keys, (self._given_time(), *call.arguments[1:]))

    def _find_subject(self, kind: str, record_id: str) -> str | Decision | Unknown:
        answer = self._link.call("GET", self._pointer(kind, record_id))
        if answer is None:
            return Unknown(kind, record_id)
        is_ended, subject = self._understand(lambda: read_pointer(answer))
        if is_ended:
            return Decision(refusal=ENDED[kind])
        self._remember(kind, record_id, subject)
        return subject

    def _put_record(self, state: SessionState | KeyState, kind: str, record_id: str, *, rest: str) -> None:
        expires_at_ms = "" if state.expires_at_ms is None else state.expires_at_ms
        arguments = (self._given_time(), to_bytes(state.subject), expires_at_ms, int(state.is_ended))
        answer = self._link.run(scripts.PUT_POINTER, (self._pointer(kind, record_id),), arguments)
        is_ended, _ = self._understand(lambda: read_pointer(answer))
        self._remember(kind, record_id, state.subject)
        self._link.run(
            scripts.PUT_RECORD,
            (self._record(kind, record_id, state.subject),),
            (self._given_time(), int(is_ended), expires_at_ms, rest, kind),
        )

    def _end(self, kind: str, record_id: str, expires_at_ms: int | str, *, subject: str | None) -> None:
        known = subject or self._subjects.get((kind, record_id), "")
        arguments = (self._given_time(), to_bytes(known), expires_at_ms, 1)
        answer = self._link.run(scripts.PUT_POINTER, (self._pointer(kind, record_id),), arguments)
        _, owner = self._understand(lambda: read_pointer(answer))
        if owner:
            self._link.run(
                scripts.PUT_RECORD,
                (self._record(kind, record_id, owner),),
                (self._given_time(), 1, expires_at_ms, "", kind),
            )
        # A master that dies now must not be followed by one that takes the ended for alive.
        self._link.confirm()

    def _given_time(self) -> int | str:
        return self._clock.now_ms() if self._clock else ""

    def _counter(self, charge: Charge) -> bytes:
        return self._keys.partition(charge.partition or "") + charge.limit.counter.encode()

    def _held(self, charges: Sequence[Charge], hold_id: str) -> tuple[bytes, ...]:
        """Return the keys of counters of one account, and last that of the name under which they are held."""
        return *map(self._counter, charges), self._keys.node(charges[0].partition or "") + b"hold:" + hold_id.encode()

    def _pointer(self, kind: str, record_id: str) -> bytes:
        return self._keys.pointers[kind] + to_bytes(record_id)

    def _record(self, kind: str, record_id: str, subject: str) -> bytes:
        return b"%b%b:%b" % (self._keys.principal(subject), kind.encode(), to_bytes(record_id))

    def _remember(self, kind: str, record_id: str, subject: str) -> None:
        if len(self._subjects) >= _MAX_REMEMBERED:
            self._subjects.clear()
        self._subjects[kind, record_id] = subject

    def _note(self, plan: Plan) -> None:
        """Note the names of counters in use, every minute anew, because Redis may have been emptied meanwhile."""
        now_s = time.monotonic()
        if now_s >= self._note_again_at_s:
            self._noted, self._note_again_at_s = frozenset(), now_s + _NOTE_EVERY_S
        if not plan.names:
            return
        self._noted |= plan.names
        try:
            self._link.run(scripts.NOTE_COUNTERS, (self._keys.counters,), tuple(plan.names))
        except StoreUnavailableError:
            # The decision stands; in a cluster the names are on another node. A minute later they are noted.
            return

    def _understand(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except MISREAD as error:
            raise self._misread(error) from error

    def _misread(self, error: Exception) -> StoreUnavailableError:
        """Let go of a connection that answered something else than was asked; return what to raise."""
        self._link.drop()
        return StoreUnavailableError(f"an answer of Redis cannot be understood: {error!r}")
