"""The decision as a command of Redis: its keys and arguments, and the bytes of what is asked again, written once."""

from collections.abc import Callable
from functools import partial
from typing import Any

from voxgate.gate.decision import Changed, Decision, Query, Reading, Unknown
from voxgate.gate.limits import Limit
from voxgate.gate.principal import CredentialKind, Principal
from voxgate.gate.stores.redis_answers import FIRST_READING, read_decision
from voxgate.gate.stores.redis_keys import Keys, to_bytes
from voxgate.gate.stores.redis_plans import Plan
from voxgate.gate.stores.redis_scripts import DECIDE, Argument, Call

# What a credential asks on a route is about 2 KiB; beyond this many all are written anew.
_MAX_KEPT = 4096
# Code, tier and scopes.
_HEAD = 3
# Named tuples are made by functions of Python, and one would be called for every limit of every answer.
_make_reading: Callable[[tuple[Limit, int, int]], Reading] = partial(tuple.__new__, Reading)
_make_decision: Callable[[tuple[Principal | None, None, tuple[Reading, ...], bool]], Decision] = partial(
    tuple.__new__, Decision
)


class Asked:
    """A question as the script is called for it, and what of its last answer the next one will repeat.

    Args:
        query: The question.
        subject: The account that it is about.
        plan: Its charges in the form of the script.
        call: The call of the script.
    """

    __slots__ = ("_last", "_subject", "call", "plan", "query")

    def __init__(self, query: Query, subject: str, *, plan: Plan, call: Call) -> None:
        self.query = query
        self.plan = plan
        self.call = call
        self._subject = subject
        # In one piece, because another thread may ask the same.
        self._last: tuple[list[object] | None, int, tuple[Limit, ...], Principal | None] = (None, 0, (), None)

    def read(self, answer: Any) -> Decision | Unknown | Changed:  # noqa: ANN401 -- whatever came
        """Return what an answer says; raises one of MISREAD for what is none."""
        head, length, limits, principal = self._last
        if answer[:_HEAD] == head and len(answer) == length and not any(answer[FIRST_READING + 2 :: 3]):
            # Allowed as before, and nothing must be waited for. What is no number cannot be added up.
            sum(answer[FIRST_READING:])
            used, next_free_ms = answer[FIRST_READING::3], answer[FIRST_READING + 1 :: 3]
            figures = zip(limits, used, next_free_ms)  # noqa: B905 -- as long as the answer; each word costs
            return _make_decision((principal, None, tuple(map(_make_reading, figures)), False))
        decision = read_decision(answer, self.query, self._subject)
        if isinstance(decision, Decision) and decision.refusal is None:
            limits = tuple([reading.limit for reading in decision.readings])
            self._last = answer[:_HEAD], FIRST_READING + 3 * len(limits), limits, decision.principal
        return decision


class Commands:
    """Writes decisions as calls of the script, and keeps those that may come again.

    Args:
        keys: Makes the names of keys.
        is_cluster: Whether the pointers of credentials may be on other nodes than the credentials.
    """

    def __init__(self, keys: Keys, *, is_cluster: bool) -> None:
        self._keys = keys
        self._is_cluster = is_cluster
        self.kept: dict[int, Asked] = {}

    def recall(self, query: Query) -> Asked | None:
        """Return a question that was kept; the same object, because its id alone could have become another's."""
        asked = self.kept.get(id(query))
        return asked if asked is not None and asked.query is query else None

    def write(self, query: Query, plan: Plan, *, kind: str, subject: str, is_of_another: bool = False) -> Asked:
        """Return a question as the script is called for it; kept where it may be asked again."""
        arguments = arguments_of(query, plan, kind=kind, is_of_another=is_of_another)
        call = Call(DECIDE, self.keys(query, plan, kind=kind, subject=subject), arguments)
        asked = Asked(query, subject, plan=plan, call=call)
        # A lease is asked for once, charges that name an address are made anew for each request, and a token whose
        # subject is not its session's is not to come again.
        if not query.lease_id and plan.own is not None and not is_of_another:
            if len(self.kept) >= _MAX_KEPT:
                self.kept.clear()
            self.kept[id(query)] = asked
        return asked

    def keys(self, query: Query, plan: Plan, *, kind: str, subject: str) -> tuple[bytes, ...]:
        """Return the keys of a decision in the order of the script."""
        if not kind:
            return plan.keys(self._keys, None)
        begin = self._keys.principal(subject)
        record_id = to_bytes(query.credential_id)
        record = b"%b%b:%b" % (begin, kind.encode(), record_id)
        pointer = record if self._is_cluster else self._keys.pointers[kind] + record_id
        counters = tuple(map(begin.__add__, plan.own)) if plan.own is not None else plan.keys(self._keys, subject)
        return (record, begin + b"account", pointer, *counters)


def arguments_of(
    query: Query,
    plan: Plan,
    *,
    kind: str = "",
    looks: bool = False,
    is_of_another: bool = False,
) -> tuple[Argument, ...]:
    """Return the arguments of a decision in the order of the script, on the server's clock."""
    return (
        "",
        int(looks),
        query.lease_id,
        kind,
        query.digest.hex(),
        int(is_of_another),
        " ".join(query.granted),
        " ".join(query.scopes),
        query.tier or "",
        _token(query),
        f"{query.account_limits}\n{query.key_limits}" if query.account_limits or query.key_limits else "",
        query.address,
        *plan.tiers,
    )


def _token(query: Query) -> str:
    """Return how the script reads which of a session's tokens was shown; nothing for the first access token."""
    if query.kind is CredentialKind.REFRESH:
        return f"{query.generation}{'!' if query.is_strict else ':'}{query.idle_ms}"
    return str(query.generation) if query.generation else ""
