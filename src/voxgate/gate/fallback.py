"""What still holds while the store is out of reach: this process decides alone what a policy lets it."""

from collections.abc import Callable
from dataclasses import replace

from voxgate.gate.clock import Clock
from voxgate.gate.decision import DEFAULT_TIER, Decision, Query, Reading, Trouble
from voxgate.gate.errors import Refusal
from voxgate.gate.principal import CredentialKind, Principal
from voxgate.gate.stores.base import refuse_over_limits
from voxgate.gate.stores.counters import open_counter

SEEN_ALIVE_MS = 5000
OUTAGE = Refusal("STORE_UNAVAILABLE", retry_after_s=1)
UNAVAILABLE = Decision(refusal=OUTAGE)
_CAPACITY = 10_000


class Fallback:
    """Decides alone, in this process, what a policy allows to be decided alone.

    Args:
        clock: Source of time for the windows.
        processes: Processes that share a limit; each admits its share.
        has_ended: Tells whether this process has ended a session or key or disabled an account.
    """

    def __init__(self, *, clock: Clock, processes: int, has_ended: Callable[[str], bool]) -> None:
        self._clock = clock
        self._processes = processes
        self._has_ended = has_ended
        self._seen: dict[str, tuple[int, Principal, bytes]] = {}
        self._rows: dict[tuple[str, str], bytes] = {}

    def note(self, principal: Principal, digest: bytes) -> None:
        """Remember that the store has just found a credential alive."""
        if len(self._seen) >= _CAPACITY:
            self._seen.clear()
        self._seen[principal.credential_id] = (self._clock.now_ms(), principal, digest)

    def decide(self, query: Query, trouble: Trouble) -> Decision:
        """Decide a request without the store."""
        # Whether a refresh token is used again, and a key from where it may be, the store alone can tell.
        if trouble is Trouble.CLOSED or query.kind is CredentialKind.REFRESH or query.address:
            return UNAVAILABLE
        principal = self._prove(query, trouble) if query.kind else None
        if query.kind and principal is None:
            return UNAVAILABLE
        if trouble is Trouble.OPEN:
            return Decision(principal, is_degraded=True)
        return self._spend(query, principal)

    def _prove(self, query: Query, trouble: Trouble) -> Principal | None:
        seen_at_ms, principal, digest = self._seen.get(query.credential_id, (0, None, b""))
        age_ms = self._clock.now_ms() - seen_at_ms
        if principal is None or digest != query.digest or not 0 <= age_ms <= SEEN_ALIVE_MS:
            principal = _believe(query) if trouble is Trouble.OPEN else None
        if principal is None or not _may(principal, query):
            return None
        has_ended = self._has_ended(principal.credential_id) or self._has_ended(principal.subject)
        return None if has_ended else principal

    def _spend(self, query: Query, principal: Principal | None) -> Decision:
        own, tier = (f"user:{principal.subject}", principal.tier) if principal else ("", "")
        bound, waits = [], []
        for charge in query.charges.get(tier if tier in query.charges else "", ()):
            share = replace(charge.limit, quota=-(-charge.limit.quota // self._processes))
            key = (charge.partition or own, share.counter)
            counter = open_counter(share, self._rows.get(key), now_ms=self._clock.now_ms())
            wait_ms = counter.wait_for_ms(charge.cost, quota=share.quota)
            if wait_ms:
                waits.append((wait_ms, share))
            bound.append((key, share, charge.cost, counter))
        if len(self._rows) + len(bound) > _CAPACITY:
            self._rows.clear()
        for key, _, cost, counter in bound:
            if not waits or counter.is_mended:
                self._rows[key] = counter.pack() if waits else counter.admit(cost, query.lease_id)
        readings = tuple(Reading(share, counter.used, counter.next_free_ms) for _, share, _, counter in bound)
        return Decision(principal, refuse_over_limits(waits) if waits else None, readings, is_degraded=True)


def _believe(query: Query) -> Principal | None:
    """Return what a token alone says: its signature and its expiry have held; a key proves nothing by itself."""
    if query.kind is not CredentialKind.ACCESS or query.subject is None:
        return None
    return Principal(query.subject, query.kind, query.credential_id, tier=DEFAULT_TIER, scopes=query.granted)


def _may(principal: Principal, query: Query) -> bool:
    has_scopes = not principal.scopes or query.scopes <= principal.scopes
    return has_scopes and query.tier in {None, principal.tier}
