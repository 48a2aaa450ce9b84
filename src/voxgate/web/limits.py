"""The caller's limits, read without spending anything."""

from flask import Blueprint, Response

from voxgate.gate.decision import Reading
from voxgate.gate.tiers import Rule
from voxgate.speech.jobs.base import JobsUnavailableError
from voxgate.web.answers import answer
from voxgate.web.budget import budgets_of_caller
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.schemas import LimitAnswer, LimitsAnswer

EVERY_OTHER = "*"

# Each endpoint with a policy of its own; every other route shares the limits of the caller's tier.
_POLICIES = {
    "/api/v1/tts/generate": "tts-generate",
    "/api/v1/tts/status": "tts-status",
    "/api/v1/auth/refresh": "refresh",
    "/api/v1/auth/api-keys": "account",
    "/api/v1/auth/sessions": "account",
    "/api/v1/auth/password": "account",
}
_ROOT_POLICIES = {"/protected": "protected"}

blueprint = Blueprint("limits", __name__, url_prefix="/api/v1")


@blueprint.get("/limits")
@gate.protect()
def show_limits() -> Response:
    """Show every limit that binds the caller."""
    return answer(LimitsAnswer(read_limits()))


def read_limits() -> dict[str, LimitAnswer]:
    """Return every limit that binds the caller, by endpoint or by what it counts; one store call that spends nothing.

    They are the real ones: what is set for the tier, the account or the key counts as it does for a request.

    A policy of several limits is told by the one that is nearest to exhaustion.
    """
    policies = _POLICIES | (_ROOT_POLICIES if services().settings.root_routes else {})
    rules = {endpoint: Rule(policy=name) for endpoint, name in policies.items()} | {EVERY_OTHER: Rule()}
    charges_for, caller = gate.admission.charges_for, gate.principal
    bound = [
        (endpoint, charge) for endpoint, rule in rules.items() for charge in charges_for(rule, caller, name=EVERY_OTHER)
    ]
    readings = gate.usage([*(charge for _, charge in bound), *budgets_of_caller()])
    found: dict[str, Reading] = {}
    for (endpoint, _), reading in zip(bound, readings, strict=False):
        found[endpoint] = min(found.get(endpoint, reading), reading, key=lambda each: each.remaining)
    # A budget is told for each of its periods, because an empty day and an empty month mean something else.
    found |= {f"{each.limit.name} {_period_of(each)}": each for each in readings[len(bound) :]}
    return {name: _describe(reading) for name, reading in found.items()} | _read_jobs()


def _period_of(reading: Reading) -> str:
    """Return what follows the number in a limit's text, such as ``per calendar day``."""
    return str(reading.limit).partition(" ")[2]


def _read_jobs() -> dict[str, LimitAnswer]:
    """Return the bounds of the caller's jobs, which the queue itself counts; nothing while it cannot count."""
    subject, tier, settings = gate.principal.subject, gate.principal.tier, services().settings
    try:
        load = services().jobs.load(subject)
    except JobsUnavailableError:
        return {}  # The limits of requests hold without it, and are told.
    counts = {
        "jobs at once": (settings.jobs_at_once(tier), load.running),
        "jobs unfinished": (settings.jobs_unfinished(tier), load.unfinished),
    }
    return {
        name: LimitAnswer(
            limit=limit,
            current_count=count,
            remaining=max(0, limit - count),
            window=0,
            reset_after=0,
            policy=name.replace(" ", "-"),
        )
        for name, (limit, count) in counts.items()
    }


def _describe(reading: Reading) -> LimitAnswer:
    return LimitAnswer(
        limit=reading.limit.quota,
        current_count=reading.used,
        remaining=reading.remaining,
        window=reading.limit.window_s,
        reset_after=-(-reading.next_free_ms // 1000),
        policy=reading.limit.name,
    )
