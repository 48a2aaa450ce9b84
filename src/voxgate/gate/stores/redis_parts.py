"""The store in a cluster: limits of one request on several nodes are asked in turn, and given back when one refuses."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from voxgate.gate.decision import Changed, Charge, Decision, Query, Reading, Unknown
from voxgate.gate.errors import Refusal, StoreUnavailableError
from voxgate.gate.limits import Limit
from voxgate.gate.principal import CredentialKind
from voxgate.gate.stores import redis_scripts as scripts
from voxgate.gate.stores.base import refuse_over_limits
from voxgate.gate.stores.redis import RedisStore
from voxgate.gate.stores.redis_answers import read_decision, read_figures
from voxgate.gate.stores.redis_plans import LETTERS, make_plan


@dataclass(slots=True)
class _Part:
    """The limits of one request that are on one node, and the last answer of the node."""

    charges: list[Charge] = field(default_factory=list)
    answer: Any = None
    is_spent: bool = False


class ClusterStore(RedisStore):
    """A store in a cluster.

    Everything of a principal is on one node and is decided in one call. Where a request is limited on other nodes too,
    by its address say, each is asked in turn; the part with the credential first, because it alone says which tier's
    limits bind. Once a part has refused, the others are only looked at, so that the longest wait is told, and what was
    spent before is given back. Meanwhile others may see it spent: too much may be refused, never admitted.
    """

    def usage(self, charges: Sequence[Charge]) -> tuple[Reading, ...]:
        """Read limits without spending; every charge names its partition. One call for each node."""
        parts = self._add_parts({}, charges)
        for part in parts.values():
            self._ask_part(part, "", looks=True)
        return self._merge(charges, parts)[0]

    def _decide(
        self, query: Query, kind: str, subject: str, *, is_of_another: bool = False
    ) -> Decision | Unknown | Changed:
        if is_of_another:  # It is refused before any limit is looked at.
            return super()._decide(replace(query, charges={}), kind, subject, is_of_another=True)
        own = f"user:{subject}" if kind else ""
        named = {
            tier: tuple([each if each.partition is not None else replace(each, partition=own) for each in of_tier])
            for tier, of_tier in query.charges.items()
        }
        nodes = {self._node_of(each) for of_tier in named.values() for each in of_tier}
        if len(nodes | ({self._keys.node(own)} if kind else set())) <= 1:
            return super()._decide(query, kind, subject)
        self._note(make_plan(named))
        return self._decide_in_parts(replace(query, charges=named), kind, subject)

    def _decide_in_parts(self, query: Query, kind: str, subject: str) -> Decision | Unknown | Changed:
        principal, tier = None, ""
        parts: dict[bytes, _Part] = {}
        is_refresh = query.kind is CredentialKind.REFRESH
        if kind:
            own = self._keys.node(f"user:{subject}")
            charges = {
                tier: tuple(each for each in of_tier if self._node_of(each) == own)
                for tier, of_tier in query.charges.items()
            }
            # A refresh token is used once every limit has let it pass, because it cannot be given back.
            first = replace(query, charges=charges, is_strict=False, idle_ms=0)
            answer = self._ask(first, make_plan(charges), kind=kind, subject=subject)
            decision = self._understand(lambda: read_decision(answer, first, subject))
            if not isinstance(decision, Decision) or decision.principal is None or _is_final(decision.refusal):
                return decision
            principal, tier = decision.principal, decision.principal.tier
            parts[own] = _Part(answer=answer)
        bound = query.charges.get(tier, query.charges.get("", ()))
        self._spend(self._add_parts(parts, bound), query.lease_id)
        readings, waits = self._merge(bound, parts)
        if is_refresh and not waits:
            used = super()._decide(replace(query, charges={}), kind, subject)
            if not isinstance(used, Decision) or used.refusal is not None:
                return used
        return Decision(principal, refuse_over_limits(waits) if waits else None, readings)

    def _spend(self, parts: dict[bytes, _Part], lease_id: str) -> None:
        """Ask every part that has not answered yet; leave all of them spent, or none."""
        is_refused = False
        try:
            for part in parts.values():
                if part.answer is None:
                    self._ask_part(part, lease_id, looks=is_refused)
                part.is_spent = not is_refused and not part.answer[0]
                is_refused = is_refused or bool(part.answer[0])
        except StoreUnavailableError:
            with suppress(StoreUnavailableError):
                self._give_back(parts, lease_id)
            raise
        if is_refused:
            self._give_back(parts, lease_id)

    def _give_back(self, parts: dict[bytes, _Part], lease_id: str) -> None:
        """Give back what was spent, and look at what is left."""
        for part in parts.values():
            if part.is_spent and part.charges:
                keys = tuple([self._counter(charge) for charge in part.charges])
                what = [
                    f"{LETTERS[charge.limit.kind]} {charge.cost} {max(0, -wait_ms)}"
                    for charge, (_, _, wait_ms) in zip(part.charges, read_figures(part.answer), strict=True)
                ]
                self._link.run(scripts.REFUND, keys, (part.answer[3], lease_id, *what))
                self._ask_part(part, lease_id, looks=True)

    def _ask_part(self, part: _Part, lease_id: str, *, looks: bool) -> None:
        charges = {"": tuple(part.charges)}
        answer = self._ask(Query(charges=charges, lease_id=lease_id), make_plan(charges), looks=looks)
        self._understand(lambda: read_figures(answer))
        part.answer = answer

    def _add_parts(self, parts: dict[bytes, _Part], charges: Sequence[Charge]) -> dict[bytes, _Part]:
        for charge in charges:
            parts.setdefault(self._node_of(charge), _Part()).charges.append(charge)
        return parts

    def _merge(
        self, charges: Sequence[Charge], parts: dict[bytes, _Part]
    ) -> tuple[tuple[Reading, ...], list[tuple[int, Limit]]]:
        """Return how each limit stands and how long those must be waited for that refuse, in the order of charges."""
        figures = {node: iter(read_figures(part.answer)) for node, part in parts.items()}
        readings, waits = [], []
        for charge in charges:
            used, next_free_ms, wait_ms = next(figures[self._node_of(charge)])
            readings.append(Reading(charge.limit, used, next_free_ms))
            if wait_ms > 0:
                waits.append((wait_ms, charge.limit))
        return tuple(readings), waits

    def _node_of(self, charge: Charge) -> bytes:
        return self._keys.node(charge.partition or "")


def _is_final(refusal: Refusal | None) -> bool:
    return refusal is not None and refusal.code != "RATE_LIMITED"
