"""Rules and tiers: what a route demands, and which limits bind it for each tier."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from voxgate.gate.decision import Charge, Trouble
from voxgate.gate.errors import ConfigurationError
from voxgate.gate.limits import MAX_COST, Limit, LimitKind, parse_limits
from voxgate.gate.overrides import EVERY, parse_overrides
from voxgate.gate.principal import CredentialKind

BOTH = frozenset({CredentialKind.ACCESS, CredentialKind.API_KEY})


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route demands of a request.

    Attributes:
        credentials: Kinds of credential that open it; empty opens it to everybody, limited by address.
        scopes: Scopes that the credential must hold.
        tier: Tier that the account must have, or None.
        policy: Name of the limits that bind this route instead of the tier's own.
        limits: The limits of the policy as a limit string; None reads them from the settings.
        cost: Units that a request weighs.
        is_exempt: True for a route that is neither guarded nor limited.
        cookies: Whether browsers may show the credential in a cookie; None for what the gate is set to.
        cors: Origins whose pages may read the answers; None for those of the gate.
    """

    credentials: frozenset[CredentialKind] = BOTH
    scopes: frozenset[str] = frozenset()
    tier: str | None = None
    policy: str | None = None
    limits: str | None = None
    cost: int = 1
    is_exempt: bool = False
    cookies: bool | None = None
    cors: frozenset[str] | None = None

    def __post_init__(self) -> None:
        """Refuse a cost that no window can hold.

        Raises:
            ConfigurationError: The cost is out of bounds.
        """
        if not 1 <= self.cost <= MAX_COST:
            raise ConfigurationError("cost", f"must be 1 to {MAX_COST}")


class Tiers:
    """The limits of every tier and of every named policy.

    Args:
        tiers: For each tier the limit string of everything that has no policy of its own.
        default: The limit string of requests without a credential, and of tiers that are not named.
        policies: For each named policy its limit string.
        on_trouble: For each policy what it does while the store is out of reach; ``default`` names the routes that
            have no policy of their own; what is not named is closed.
        processes: Processes that share every limit; each keeps to its share while the store is out of reach.

    Raises:
        ConfigurationError: A text is not a limit string.
    """

    def __init__(
        self,
        tiers: Mapping[str, str],
        *,
        default: str,
        policies: Mapping[str, str],
        on_trouble: Mapping[str, str] = MappingProxyType({}),
        processes: int = 1,
    ) -> None:
        self.processes = processes
        self._on_trouble = {name: Trouble(mode) for name, mode in on_trouble.items()}
        self._tiers = {name: parse_limits(text, name=name) for name, text in tiers.items()}
        self._default = parse_limits(default, name="default")
        self._policies = {name: parse_limits(text, name=name) for name, text in policies.items()}

    def policy(self, name: str) -> tuple[Limit, ...]:
        """Return the limits of a named policy.

        Raises:
            ConfigurationError: No such policy is set.
        """
        if name not in self._policies:
            setting = "RATELIMIT_" + name.upper().replace("-", "_")
            raise ConfigurationError(setting, f"the policy {name!r} is used by a route and not set")
        return self._policies[name]

    def on_trouble(self, rule: Rule, *, name: str) -> Trouble:
        """Return what a route does while the store is out of reach."""
        own = rule.policy or (name if rule.limits is not None else "default")
        return self._on_trouble.get(own, Trouble.CLOSED)

    def charges_of(self, rule: Rule, *, name: str, account_limits: str = "") -> Mapping[str, tuple[Charge, ...]]:
        """Return what a request under the rule spends, for each tier; computed once per route and text.

        Args:
            rule: The rule.
            name: Name of the counters when the rule has limits without a policy's name.
            account_limits: What is set for an account instead; what may run at once stays as it is.

        Raises:
            ConfigurationError: The rule names a policy that is not set, its limits are not a limit string, or its cost
                is more than they ever admit.
        """
        overrides = parse_overrides(account_limits)
        if rule.limits is not None:
            own = parse_limits(rule.limits, name=rule.policy or name)
        elif rule.policy is not None:
            own = self.policy(rule.policy)
        else:
            every = {**self._tiers, "": self._default}
            text = overrides.get(EVERY)
            return {
                tier: _charges(_instead(text, limits, name=tier or "default"), rule) for tier, limits in every.items()
            }
        policy = rule.policy or name
        if not account_limits:
            _refuse_what_never_passes(own, rule, name=policy)
        return {"": _charges(_instead(overrides.get(policy), own, name=policy), rule)}

    @staticmethod
    def key_charges(rule: Rule, key_limits: str, *, name: str, partition: str) -> tuple[Charge, ...]:
        """Return what a request by a key spends beneath the limits of its account; nothing when none are set for it.

        Args:
            rule: The rule.
            key_limits: What is set for the key; ``*`` is every route that it does not name.
            name: Name of the route, when the rule has limits without a policy's name.
            partition: The key's own partition.

        Raises:
            ConfigurationError: The text is not one of ``format_overrides``.
        """
        limits = parse_overrides(key_limits)
        policy = rule.policy or (name if rule.limits is not None else EVERY)
        own = f"key-{policy}" if policy in limits and policy != EVERY else "key"
        parsed = parse_limits(limits.get(policy, limits.get(EVERY, "")), name=own)
        return tuple(Charge(limit, partition, rule.cost) for limit in parsed if limit.kind is not LimitKind.AT_ONCE)


def _refuse_what_never_passes(limits: tuple[Limit, ...], rule: Rule, *, name: str) -> None:
    for limit in limits:
        if limit.quota < rule.cost:
            raise ConfigurationError(name, f"a cost of {rule.cost} never fits into {limit}")


def _instead(text: str | None, limits: tuple[Limit, ...], *, name: str) -> tuple[Limit, ...]:
    if text is None:
        return limits
    # What runs at once stays as the settings say, because a route must know before its decision what it gives back.
    at_once = tuple(limit for limit in limits if limit.kind is LimitKind.AT_ONCE)
    return tuple(limit for limit in parse_limits(text, name=name) if limit.kind is not LimitKind.AT_ONCE) + at_once


def _charges(limits: tuple[Limit, ...], rule: Rule) -> tuple[Charge, ...]:
    return tuple(Charge(limit, cost=rule.cost) for limit in limits)
