"""Budgets of characters: held when a request is admitted, given back when nothing was spoken for them."""

import contextlib
from dataclasses import replace

from flask import Response, request

from voxgate.gate.decision import Charge, Decision, Reading
from voxgate.gate.errors import Refusal, StoreUnavailableError
from voxgate.gate.flask.door import VISIT, Visit
from voxgate.gate.flask.headers import limit_headers
from voxgate.gate.limits import LimitKind
from voxgate.gate.tiers import Rule
from voxgate.settings.budgets import CHARACTERS
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.problems import refuse
from voxgate.web.settlement import write_charges

# A key's limit of every route that it does not name counts requests; characters are limited under their own name alone.
_OF_REQUESTS = "key"


class Held:
    """What is held for one request.

    Args:
        hold_id: The name that it is held under: the id of the job, or one of its own.
        charges: What is held; nothing where no budget binds.
        readings: The budgets as they stand.
    """

    def __init__(self, hold_id: str, charges: tuple[Charge, ...], readings: tuple[Reading, ...]) -> None:
        self.hold_id = hold_id
        self.charges = charges
        self.readings = readings

    @property
    def text(self) -> str | None:
        """What is held, as the row of a job keeps it; None for nothing."""
        return write_charges(self.charges) if self.charges else None

    def keep(self) -> None:
        """Leave it spent, or leave it to the row of its job, which is written."""
        if self.charges:
            services().pending.end(self.hold_id)

    def give_back(self) -> None:
        """Give back what is held, or when the store does not answer, as soon as it does."""
        if not self.charges:
            return
        try:
            gate.admission.store.refund(self.charges, hold_id=self.hold_id)
        except StoreUnavailableError:
            services().pending.abandon(self.hold_id)
        else:
            services().pending.end(self.hold_id)


def budgets_of_caller(characters: int = 1) -> tuple[Charge, ...]:
    """Return what so many characters are charged to: the caller's own budget, and its key's when that has one."""
    principal = gate.principal
    text = services().settings.character_budget(principal.tier)
    charges = gate.admission.charges_for(Rule(policy=CHARACTERS, limits=text), principal, name=CHARACTERS)
    return tuple(replace(each, cost=characters) for each in charges if each.limit.name != _OF_REQUESTS)


def hold_characters(characters: int, *, hold_id: str) -> Held | Refusal:
    """Hold so many characters of the caller's budget, all or nothing; one store call, none where no budget binds.

    Args:
        characters: Length of the text, at least 1.
        hold_id: Name to hold them under.

    What is held is to be kept or given back; where neither comes, because the process is killed, it is given back.

    Returns:
        What is held, or why not: the budget is used up, or would not be enough even when it is whole.

    Raises:
        StoreUnavailableError: The store does not answer; a budget is never spent blindly.
    """
    charges = budgets_of_caller(characters)
    if not charges:
        return Held(hold_id, (), ())
    narrow = next((each.limit for each in charges if each.limit.quota < characters), None)
    if narrow is not None:
        return Refusal("TEXT_OVER_BUDGET", f"The text has {characters} characters; the budget is {narrow}.")
    if gate.decision.is_degraded:
        raise StoreUnavailableError("a budget cannot be spent without the store")
    decision = _hold(charges, hold_id)
    if decision.refusal is None:
        return Held(hold_id, charges, decision.readings)
    left = min(reading.remaining for reading in decision.readings)
    short = [str(each.limit) for each in decision.readings if each.remaining < characters]
    told = f"The text has {characters} characters and {left} are left. Budget: {'; '.join(short)}"
    return replace(decision.refusal, message=told)


def _hold(charges: tuple[Charge, ...], hold_id: str) -> Decision:
    """Hold charges, noted beforehand, so that no kill leaves something held of which nobody knows."""
    pending = services().pending
    pending.begin(hold_id, write_charges(charges))
    try:
        decision = gate.admission.store.hold(charges, hold_id=hold_id)
    except StoreUnavailableError:
        pending.abandon(hold_id)  # it may have been held, and only the answer was lost
        raise
    if decision.refusal is not None:
        pending.end(hold_id)
    return decision


def refuse_with_budget(refusal: Refusal) -> Response:
    """Return the answer that tells why a request was not taken; with the budgets in its headers when one refused it."""
    readings: tuple[Reading, ...] = ()
    if refusal.code == "RATE_LIMITED":
        with contextlib.suppress(StoreUnavailableError):
            readings = gate.usage(budgets_of_caller())
    return refuse(refusal, headers=headers_with(readings))


def headers_with(budgets: tuple[Reading, ...]) -> dict[str, str]:
    """Return the headers of the limits of this request with budgets among them; none without a budget."""
    return dict(limit_headers([*gate.decision.readings, *budgets])) if budgets else {}


def give_back_request() -> None:
    """Give back what the gate has spent for this request, because the fault is ours; quotas of the calendar stay."""
    if gate.decision.is_degraded:
        return
    visit: Visit = request.environ[VISIT]
    route = visit.route
    charges = gate.admission.charges_for(route.rule, gate.principal, name=route.name)
    with contextlib.suppress(StoreUnavailableError):
        gate.admission.store.release([each for each in charges if each.limit.kind is LimitKind.WINDOW], lease_id="")
