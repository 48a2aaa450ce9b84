"""THE decision: what was shown is verified without I/O, then one store call decides everything else."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from voxgate.gate import events
from voxgate.gate.addresses import partition_of
from voxgate.gate.beliefs import Beliefs
from voxgate.gate.breaker import Breaker
from voxgate.gate.clock import Clock
from voxgate.gate.decision import Changed, Charge, Decision, Query, Reading, State, Trouble, Unknown
from voxgate.gate.errors import Refusal, StoreUnavailableError, VoxgateError
from voxgate.gate.events import EventSink
from voxgate.gate.fallback import Fallback
from voxgate.gate.limits import LimitKind
from voxgate.gate.principal import CredentialKind, Principal
from voxgate.gate.reports import Reports
from voxgate.gate.stores.base import Directory, Store
from voxgate.gate.stores.watched import watch
from voxgate.gate.tiers import Rule, Tiers
from voxgate.gate.tokens import Signer
from voxgate.gate.verifying import GuardedRoute, Verifier

BAD_CREDENTIALS = "bad-credentials"
_GUESSES = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})
# Once, and again after a lost credential and a lost account were looked up.
# Once more when what is believed of the limits is not so, and a few times for what changes meanwhile.
_MAX_ASKED = 6
_MAX_SEEN = 100_000


class Admission:
    """Decides requests. Knows no framework: values in, a Decision out.

    Args:
        store: The shared facts.
        signer: Verifies tokens.
        tiers: Says which limits bind.
        clock: Source of time for the expiry of tokens.
        directory: Where a session, key or account is looked up that the store does not know; without one,
            what the store does not know is refused.
        emit: Takes security events.
    """

    def __init__(
        self,
        *,
        store: Store,
        signer: Signer,
        tiers: Tiers,
        clock: Clock,
        directory: Directory | None = None,
        emit: EventSink = events.log_event,
    ) -> None:
        self.store = watch(store)
        self.signer = signer
        self.verifier = Verifier(signer, clock=clock)
        self.tiers = tiers
        self._clock = clock
        self._directory = directory
        self._emit = emit
        self.reports = Reports(emit, clock=clock)
        self._breaker = Breaker(clock)
        self._beliefs = Beliefs(tiers)
        self._seen: dict[str, int] = {}
        self._fallback = Fallback(clock=clock, processes=tiers.processes, has_ended=self.store.has_ended)

    def prepare(self, rule: Rule, *, name: str) -> GuardedRoute:
        """Return the rule with its limits resolved; ``name`` tells the counters of unnamed limits apart.

        Raises:
            ConfigurationError: The rule's limits cannot be resolved.
        """
        charges = self.tiers.charges_of(rule, name=name)
        return GuardedRoute(
            rule=rule,
            charges=charges,
            on_trouble=self.tiers.on_trouble(rule, name=name),
            holds=any(each.limit.kind is LimitKind.AT_ONCE for tier in charges.values() for each in tier),
            name=name,
        )

    def decide(
        self,
        route: GuardedRoute,
        query: Query | Refusal | None,
        *,
        address: str,
        endpoint: str,
        request_id: str = "",
        lease_id: str = "",
    ) -> Decision:
        """Decide one request; one store call, none when the credential was refused by its form or signature.

        Args:
            route: The prepared rule of the route.
            query: What the verifier has made of the credential; None on a route that asks for none.
            address: The client's address.
            endpoint: What is asked for; told in events.
            request_id: The id of the request; told in events.
            lease_id: Names what limits ``at once`` hold for this request, until ``release``.

        Returns:
            The decision; a store that does not answer is a refusal too.
        """
        if isinstance(query, Refusal):
            decision = Decision(refusal=query)
            self.reports.tell(decision, route.rule, address=address, endpoint=endpoint, request_id=request_id)
            return decision
        if query is None:
            if route.rule.credentials:
                return Decision(refusal=Refusal("TOKEN_MISSING"))
            query = Query(charges=at_address(route.charges, address))
        decision = self._ask(query, route, address=address, lease_id=lease_id)
        if decision.refusal is None:
            if query.credential_id and len(self._seen) < _MAX_SEEN:
                self._seen[query.credential_id] = self._clock.now_ms()
            if query.kind is not CredentialKind.API_KEY:
                return decision
        elif decision.refusal.code == "TOKEN_REUSED" and decision.principal:
            self._end_reused(decision.principal, address=address, endpoint=endpoint, request_id=request_id)
        decision = self._charge_guess(decision, address)
        self.reports.tell(decision, route.rule, address=address, endpoint=endpoint, request_id=request_id)
        return decision

    def release(self, route: GuardedRoute, decision: Decision, *, address: str, lease_id: str) -> None:
        """Give back what limits ``at once`` hold for a request that has ended; one store call."""
        principal = decision.principal
        tier, partition = (principal.tier, f"user:{principal.subject}") if principal else ("", partition_of(address))
        charges = route.charges[tier if tier in route.charges else ""]
        held = [replace(each, partition=partition) for each in charges if each.limit.kind is LimitKind.AT_ONCE]
        # What cannot be given back now is free when its time is over.
        with contextlib.suppress(StoreUnavailableError):
            self.store.release(held, lease_id=lease_id)

    def spend(self, charges: Sequence[Charge]) -> Decision:
        """Spend limits alone, all or nothing; one store call. Every charge names its partition."""
        return self._ask(Query(charges={"": tuple(charges)}), None)

    def usage(self, charges: Sequence[Charge]) -> tuple[Reading, ...]:
        """Read limits without spending; one store call.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        return self.store.usage(charges)

    def charges_for(self, rule: Rule, principal: Principal, *, name: str) -> tuple[Charge, ...]:
        """Return what a request of a principal spends under a rule, as its last decision in this process has shown it.

        Every charge names its partition, so that ``usage`` can read it. No store call.

        Args:
            rule: The rule.
            principal: Who asks, from the decision of the same request.
            name: Name of the counters when the rule has limits without a policy's name.
        """
        return self._beliefs.charges_for(rule, principal, name=name)

    def take_seen(self) -> dict[str, int]:
        """Return when each session and key was last let in since this was asked, in milliseconds, and forget it."""
        seen, self._seen = self._seen, {}
        return seen

    @property
    def is_degraded(self) -> bool:
        """Whether the store has failed and not answered since."""
        return self._breaker.failures > 0

    def _ask(self, query: Query, route: GuardedRoute | None, *, address: str = "", lease_id: str = "") -> Decision:
        """Ask the store, or decide without it; without a route only limits are spent."""
        trouble = route.on_trouble if route else Trouble.CLOSED
        if self._breaker.failures and self._breaker.refuses():
            return self._fallback.decide(self._as_believed(query, route, address=address, lease_id=lease_id), trouble)
        try:
            decision = self._ask_store(query, route, address=address, lease_id=lease_id)
        except VoxgateError as error:
            # The directory may be what does not answer; for the client it is the same.
            if self._breaker.fail():
                self._emit(events.STORE_UNAVAILABLE, {"reason": str(error)})
            return self._fallback.decide(self._as_believed(query, route, address=address, lease_id=lease_id), trouble)
        if self._breaker.failures and self._breaker.recover():
            self._emit(events.STORE_RECOVERED, {})
        if trouble is not Trouble.CLOSED and decision.principal is not None:
            self._fallback.note(decision.principal, query.digest)
        return decision

    def _ask_store(self, query: Query, route: GuardedRoute | None, *, address: str, lease_id: str) -> Decision:
        for _ in range(_MAX_ASKED):
            is_usual = not lease_id and query.credential_id not in self._beliefs.known
            answer = self.store.decide(
                query if is_usual else self._as_believed(query, route, address=address, lease_id=lease_id)
            )
            if isinstance(answer, Decision):
                return answer
            if isinstance(answer, Changed):
                self._beliefs.learn(query, answer)
            elif not self._read_through(answer):
                return Decision(refusal=_refuse_unknown(answer))
        raise StoreUnavailableError("the store forgets what it is told")

    def _as_believed(self, query: Query, route: GuardedRoute | None, *, address: str, lease_id: str) -> Query:
        adapted = self._beliefs.adapt(query, route, address) if route else query
        return replace(adapted, lease_id=lease_id) if lease_id else adapted

    def _end_reused(self, principal: Principal, *, address: str, endpoint: str, request_id: str) -> None:
        """Complete the end of a session whose refresh token was used again; the store has decided it already."""
        session_id, subject, now_ms = principal.credential_id, principal.subject, self._clock.now_ms()
        with contextlib.suppress(VoxgateError):
            self.store.end_session(session_id, expires_at_ms=now_ms, subject=subject)
        with contextlib.suppress(VoxgateError):
            if self._directory is not None:
                self._directory.end_session(session_id, now_ms=now_ms)
        fields = {"user_id": subject, "session_id": session_id, "endpoint": endpoint, "ip_address": address}
        self._emit(events.AUTHN_TOKEN_REUSE, fields | ({"request_id": request_id} if request_id else {}))

    def _read_through(self, unknown: Unknown) -> bool:
        """Look up in the directory what the store has lost; False when it is nowhere."""
        if self._directory is None:
            return False
        find: dict[str, Callable[[str], State | None]] = {
            "account": self._directory.find_account,
            "session": self._directory.find_session,
            "key": self._directory.find_key,
        }
        state = find[unknown.kind](unknown.record_id)
        if state is not None:
            self.store.put_state(state)
        return state is not None

    def _charge_guess(self, decision: Decision, address: str) -> Decision:
        """Charge a key that does not exist to the address that has tried it."""
        if decision.refusal is None or decision.refusal.code not in _GUESSES:
            return decision
        charges = [Charge(limit, partition_of(address)) for limit in self.tiers.policy(BAD_CREDENTIALS)]
        guess = self.spend(charges)
        return decision if guess.is_allowed else guess


def at_address(charges: Mapping[str, tuple[Charge, ...]], address: str) -> Mapping[str, tuple[Charge, ...]]:
    """Return what a request without a credential spends: the default charges, on the address' own counters."""
    partition = partition_of(address)
    return {"": tuple(replace(charge, partition=partition) for charge in charges[""])}


def _refuse_unknown(unknown: Unknown) -> Refusal:
    return Refusal("API_KEY_INVALID" if unknown.kind == "key" else "TOKEN_REVOKED")
