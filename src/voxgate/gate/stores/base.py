"""What a store of the gate must do: the protocol, and the directory that knows what a store forgot."""

from collections.abc import Callable, Sequence
from typing import Protocol

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
from voxgate.gate.errors import Refusal
from voxgate.gate.limits import Limit, LimitKind

HOLD_KEPT_S = 172_800
"""Seconds for which it is known what was held, and so can be given back."""


class Store(Protocol):
    """The shared facts of the gate. Every method raises StoreUnavailableError when it cannot answer."""

    def decide(self, query: Query) -> Decision | Unknown | Changed:
        """Decide one request in one atomic call: credential, account, tier and every limit, or nothing.

        An allowed token notes in the same call which of its session's tokens has reached the client. A refresh token
        that is older than that has been used again: the session has ended when the call returns.
        """
        ...

    def put_state(self, state: State) -> None:
        """Record a state; never revives what has ended, never replaces a newer account or key."""
        ...

    def end_session(self, session_id: str, *, expires_at_ms: int, subject: str | None = None) -> None:
        """End a session for ever, known or not; holds from the next decision of any process.

        With the subject, when it is known, the end is complete also where a part of the store was lost.
        """
        ...

    def end_key(self, key_id: str, *, subject: str | None = None) -> None:
        """Revoke an API key for ever, known or not; the subject as for a session."""
        ...

    def usage(self, charges: Sequence[Charge]) -> tuple[Reading, ...]:
        """Read limits without spending; every charge names its partition."""
        ...

    def release(self, charges: Sequence[Charge], *, lease_id: str) -> None:
        """Give back what limits ``at once`` hold under a name, and the last unit spent of sliding windows.

        Every charge names its partition; of a window a charge of one unit is given back, and a quota of the calendar
        stays spent.
        """
        ...

    def hold(self, charges: Sequence[Charge], *, hold_id: str) -> Decision:
        """Spend windows and quotas of one account under a name, all or nothing, so that they can be given back once.

        Every charge names its partition, which is the account's or that of one of its keys. A name is used once.
        """
        ...

    def refund(self, charges: Sequence[Charge], *, hold_id: str) -> bool:
        """Give back what ``hold`` has spent under a name: the very units, if they still count, and once only.

        Asking again, after an answer that was lost or in another process, gives back nothing more.

        Args:
            charges: What was held.
            hold_id: The name.

        Returns:
            False when nothing is held under the name any more, or for longer than `HOLD_KEPT_S`.
        """
        ...

    def reset(self, partition: str) -> int:
        """Forget every counter of a partition; returns how many there were."""
        ...

    @property
    def version(self) -> Callable[[], object] | None:
        """Returns what differs as soon as any process has changed something that may lift a refusal.

        It asks nobody, and as cheaply as can be, because refusals that are remembered ask for it; None where it cannot
        be told.
        """
        ...

    def ping(self) -> None:
        """Return when the store answers."""
        ...

    def close(self) -> None:
        """Release what the store holds."""
        ...


class Directory(Protocol):
    """The source of truth behind a store: what is looked up when the store does not know."""

    def find_account(self, subject: str) -> AccountState | None:
        """Return the account, or None when there is none."""
        ...

    def find_session(self, session_id: str) -> SessionState | None:
        """Return the session, or None when there is none."""
        ...

    def find_key(self, key_id: str) -> KeyState | None:
        """Return the API key, or None when there is none."""
        ...

    def end_session(self, session_id: str, *, now_ms: int) -> None:
        """Note that the store has ended a session, because one of its refresh tokens was used again."""
        ...


def refuse_over_limits(waits: Sequence[tuple[int, Limit]]) -> Refusal:
    """Return the refusal of limits that must be waited for, told by the longest wait.

    Args:
        waits: For each limit that refuses the milliseconds until the request fits; at least one.
    """
    wait_ms, limit = max(waits, key=lambda each: each[0])
    # What runs may end at any moment, so the wait for it is the longest and not the exact one.
    is_exact = all(each.kind is not LimitKind.AT_ONCE for _, each in waits)
    return Refusal(
        "RATE_LIMITED",
        message=f"Too many requests. Limit: {limit}",
        retry_after_s=-(-wait_ms // 1000),
        wait_ms=wait_ms if is_exact else 0,
        violated=tuple(limit.name for _, limit in waits),
    )
