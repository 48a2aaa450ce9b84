"""What a set of charges means to the decision script: its counters and arguments, made once for each route."""

from collections.abc import Mapping
from dataclasses import dataclass

from voxgate.gate.decision import Charge
from voxgate.gate.limits import LimitKind
from voxgate.gate.stores.redis_keys import Keys

_KINDS = {LimitKind.WINDOW: "w", LimitKind.CALENDAR_DAY: "d", LimitKind.CALENDAR_MONTH: "m", LimitKind.AT_ONCE: "o"}
_MAX_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """The charges of every tier in the form of the script.

    Attributes:
        counters: For each counter its partition, None for the principal's own, and its name.
        arguments: The script's arguments that are the same for every request.
        names: Names of the counters.
    """

    counters: tuple[tuple[str | None, bytes], ...]
    arguments: tuple[str | int, ...]
    names: frozenset[bytes]

    def keys(self, keys: Keys, own: bytes) -> tuple[bytes, ...]:
        """Return the keys of the counters; ``own`` is how those of the principal begin."""
        return tuple(
            [own + name if partition is None else keys.partition(partition) + name for partition, name in self.counters]
        )


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
        # Charges that name a partition are made anew for each request.
        if all(partition is None for partition, _ in plan.counters):
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[id(charges)] = (charges, plan)
        return plan


def make_plan(charges: Mapping[str, tuple[Charge, ...]]) -> Plan:
    """Return the plan of charges."""
    places: dict[tuple[str | None, bytes], int] = {}
    arguments: list[str | int] = []
    for tier, of_tier in charges.items():
        arguments += (tier, len(of_tier))
        for charge in of_tier:
            limit = charge.limit
            place = places.setdefault((charge.partition, limit.counter.encode()), len(places) + 1)
            arguments += (place, _KINDS[limit.kind], limit.quota, limit.window_s * 1000, charge.cost)
    return Plan(tuple(places), tuple(arguments), frozenset(name for _, name in places))
