"""What the charges of a route mean to the decision script: its counters and arguments, made once for each route."""

from collections.abc import Mapping
from dataclasses import dataclass

from voxgate.gate.decision import Charge
from voxgate.gate.limits import LimitKind
from voxgate.gate.stores.redis_keys import Keys, suffix

LETTERS = {LimitKind.WINDOW: "w", LimitKind.CALENDAR_DAY: "d", LimitKind.CALENDAR_MONTH: "m", LimitKind.AT_ONCE: "o"}
_MAX_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """The charges of every tier in the form of the script.

    Attributes:
        counters: For each counter its partition, None for the principal's own, and its name.
        tiers: The script's arguments for the tiers.
        names: Names of the counters.
        own: How the keys of the counters go on after those of the principal begin; None when some are not its own.
    """

    counters: tuple[tuple[str | None, bytes], ...]
    tiers: tuple[str, ...]
    names: frozenset[bytes]
    own: tuple[bytes, ...] | None

    def keys(self, keys: Keys, subject: str | None) -> tuple[bytes, ...]:
        """Return the keys of the counters, whosever they are."""
        own = "" if subject is None else f"user:{subject}"
        return tuple([keys.partition(own if each is None else each) + name for each, name in self.counters])


class Plans:
    """The plans of the routes, kept as long as the charges are the same object; bounded."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Mapping[str, tuple[Charge, ...]], Plan]] = {}

    def plan(self, charges: Mapping[str, tuple[Charge, ...]]) -> Plan:
        """Return the plan of charges."""
        kept = self._kept.get(id(charges))
        # The charges are held as well, so that their id cannot become another's.
        if kept is not None and kept[0] is charges:
            return kept[1]
        plan = make_plan(charges)
        if plan.own is not None:  # Charges that name a partition are made anew for each request.
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[id(charges)] = (charges, plan)
        return plan


def make_plan(charges: Mapping[str, tuple[Charge, ...]]) -> Plan:
    """Return the plan of charges."""
    places: dict[tuple[str | None, bytes], int] = {}
    tiers = []
    for tier, of_tier in charges.items():
        lines = [f"{tier}\n"]
        for charge in of_tier:
            limit = charge.limit
            place = places.setdefault((charge.partition, limit.counter.encode()), len(places) + 1)
            lines.append(f"\n{place} {LETTERS[limit.kind]} {limit.quota} {limit.window_s * 1000} {charge.cost}")
        tiers.append("".join(lines))
    suffixes = [suffix(partition) for partition, _ in places]
    return Plan(
        counters=tuple(places),
        tiers=tuple(tiers),
        names=frozenset(name for _, name in places),
        own=None
        if None in suffixes
        else tuple((begin or b"") + name for begin, (_, name) in zip(suffixes, places, strict=True)),
    )
