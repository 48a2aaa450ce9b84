"""THE decision: what was shown is verified without I/O, then one store call decides everything else."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from voxgate.gate import events
from voxgate.gate.addresses import partition_of
from voxgate.gate.breaker import Breaker
from voxgate.gate.clock import Clock
from voxgate.gate.decision import Charge, Decision, Query, Reading, State, Trouble, Unknown
from voxgate.gate.errors import Refusal, StoreUnavailableError, VoxgateError
from voxgate.gate.events import EventSink
from voxgate.gate.fallback import Fallback
from voxgate.gate.limits import LimitKind
from voxgate.gate.principal import CredentialKind
from voxgate.gate.reports import Reports
from voxgate.gate.stores.base import Directory, Store
from voxgate.gate.stores.watched import watch
from voxgate.gate.tiers import Rule, Tiers
from voxgate.gate.tokens import Signer
from voxgate.gate.verifying import GuardedRoute, Verifier

BAD_CREDENTIALS = "bad-credentials"
_GUESSES = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})
# Once, and again after a lost credential and a lost account were looked up.
_MAX_ASKED = 3


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
        decision = self._ask(replace(query, lease_id=lease_id) if lease_id else query, route.on_trouble)
        if decision.refusal is not None or query.kind is CredentialKind.API_KEY:
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
        return self._ask(Query(charges={"": tuple(charges)}))

    def usage(self, charges: Sequence[Charge]) -> tuple[Reading, ...]:
        """Read limits without spending; one store call.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        return self.store.usage(charges)

    @property
    def is_degraded(self) -> bool:
        """Whether the store has failed and not answered since."""
        return self._breaker.failures > 0

    def _ask(self, query: Query, trouble: Trouble = Trouble.CLOSED) -> Decision:
        if self._breaker.failures and self._breaker.refuses():
            return self._fallback.decide(query, trouble)
        try:
            decision = self._ask_store(query)
        except VoxgateError as error:
            # The directory may be what does not answer; for the client it is the same.
            if self._breaker.fail():
                self._emit(events.STORE_UNAVAILABLE, {"reason": str(error)})
            return self._fallback.decide(query, trouble)
        if self._breaker.failures and self._breaker.recover():
            self._emit(events.STORE_RECOVERED, {})
        if trouble is not Trouble.CLOSED and decision.principal is not None:
            self._fallback.note(decision.principal, query.digest)
        return decision

    def _ask_store(self, query: Query) -> Decision:
        for _ in range(_MAX_ASKED):
            answer = self.store.decide(query)
            if isinstance(answer, Decision):
                return answer
            if not self._read_through(answer):
                return Decision(refusal=_refuse_unknown(answer))
        raise StoreUnavailableError("the store forgets what it is told")

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
