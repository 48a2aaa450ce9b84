"""What this process believes of limits that are set for one account or key, so that a decision stays one store call."""

from collections.abc import Mapping
from dataclasses import replace

from voxgate.gate.decision import Changed, Charge, Query, key_partition
from voxgate.gate.errors import ConfigurationError
from voxgate.gate.networks import address_bits
from voxgate.gate.principal import CredentialKind, Principal
from voxgate.gate.tiers import Rule, Tiers
from voxgate.gate.verifying import GuardedRoute

CAPACITY = 10_000
_MAX_CHARGES = 1024
_USUAL = Changed("")


class Beliefs:
    """Asks for a credential with the limits that the store named the last time; the store says when they have changed.

    Everything here may be forgotten at any time: it costs one store call more.

    Args:
        tiers: Says which limits bind.
    """

    def __init__(self, tiers: Tiers) -> None:
        self._tiers = tiers
        self.known: dict[str, Changed] = {}
        """What differs from the usual, by session or key."""
        self._adapted: dict[tuple[int, str], tuple[Query, Changed, Query]] = {}
        self._charges: dict[tuple[int, str, str], tuple[GuardedRoute, Mapping[str, tuple[Charge, ...]]]] = {}

    def learn(self, query: Query, changed: Changed) -> None:
        """Believe from now on what the store has said of the credential of a query."""
        if changed == Changed(changed.subject):
            self.known.pop(query.credential_id, None)  # the usual again
            return
        if len(self.known) >= CAPACITY:
            self.known.clear()
        self.known[query.credential_id] = changed

    def adapt(self, query: Query, route: GuardedRoute, address: str) -> Query:
        """Return the query as it is asked by what is believed of its credential.

        Args:
            query: What the verifier has made, with the route's own charges.
            route: The prepared rule of the route.
            address: The client's address; told where a key is bound to networks.
        """
        believed = self.known.get(query.credential_id)
        if believed is None:
            return query
        told = address if believed.asks_address else ""
        kept = self._adapted.get((id(query), told))
        # The query is held as well, so that its id cannot become another's.
        if kept is not None and kept[0] is query and kept[1] is believed:
            return kept[2]
        adapted = replace(
            query,
            charges=self._charges_of(route, query, believed),
            account_limits=believed.account_limits,
            key_limits=believed.key_limits,
            address=address_bits(told) if believed.asks_address else "",
        )
        if len(self._adapted) >= CAPACITY:
            self._adapted.clear()
        self._adapted[id(query), told] = (query, believed, adapted)
        return adapted

    def charges_for(self, rule: Rule, principal: Principal, *, name: str) -> tuple[Charge, ...]:
        """Return what a request of a principal spends under a rule, each charge with its partition."""
        believed = self.known.get(principal.credential_id, _USUAL)
        partition = key_partition(principal.credential_id, principal.subject)
        charges = self._tiers.charges_of(rule, name=name, account_limits=believed.account_limits)
        own = charges.get(principal.tier, charges[""])
        if principal.kind is CredentialKind.API_KEY:
            own += self._tiers.key_charges(rule, believed.key_limits, name=name, partition=partition)
        return tuple(replace(each, partition=each.partition or f"user:{principal.subject}") for each in own)

    def _charges_of(self, route: GuardedRoute, query: Query, believed: Changed) -> Mapping[str, tuple[Charge, ...]]:
        partition = key_partition(query.credential_id, believed.subject) if believed.key_limits else ""
        key = (id(route), believed.account_limits, f"{partition}\n{believed.key_limits}")
        kept = self._charges.get(key)
        if kept is not None and kept[0] is route:
            return kept[1]
        try:
            charges = self._tiers.charges_of(route.rule, name=route.name, account_limits=believed.account_limits)
            added = self._tiers.key_charges(route.rule, believed.key_limits, name=route.name, partition=partition)
        except ConfigurationError:
            # Whoever wrote this text did not write it by format_overrides; the usual limits bind.
            charges, added = route.charges, ()
        if added:
            charges = {tier: of_tier + added for tier, of_tier in charges.items()}
        if len(self._charges) >= _MAX_CHARGES:
            self._charges.clear()
        self._charges[key] = (route, charges)
        return charges
