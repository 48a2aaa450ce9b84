"""Which decisions are told as security events, each at most once per caller, route and window."""

from voxgate.gate import events
from voxgate.gate.clock import Clock
from voxgate.gate.decision import Decision
from voxgate.gate.events import EventSink
from voxgate.gate.tiers import Rule

_EVENTS = {
    "RATE_LIMITED": events.RATE_LIMIT_EXCEEDED,
    "ACCOUNT_DISABLED": events.AUTHZ_FAIL,
    "INSUFFICIENT_SCOPE": events.AUTHZ_FAIL,
    "PREMIUM_REQUIRED": events.AUTHZ_FAIL,
    "API_KEY_NETWORK": events.AUTHZ_FAIL,
    "CSRF_FAILED": events.AUTHZ_FAIL,
    "INVALID_TOKEN": events.AUTHN_CREDENTIAL_REFUSED,
    "TOKEN_REVOKED": events.AUTHN_CREDENTIAL_REFUSED,
    "API_KEY_INVALID": events.AUTHN_CREDENTIAL_REFUSED,
    "API_KEY_EXPIRED": events.AUTHN_CREDENTIAL_REFUSED,
}
"""The event of each refusal; one that is not named, such as an expired token, is everyday life."""

_USUAL_MS = 60_000


class Reports:
    """Tells decisions as events.

    Args:
        emit: Takes security events.
        clock: Source of time.
    """

    def __init__(self, emit: EventSink, *, clock: Clock) -> None:
        self.quiet = events.Quiet(emit)
        """Counts what happens again and again; who has a thread flushes it now and then."""
        self._clock = clock

    def tell(self, decision: Decision, rule: Rule, *, address: str, endpoint: str, request_id: str = "") -> None:
        """Tell a decision, or count it when its like was told within its window.

        Args:
            decision: What was decided.
            rule: The rule of the route. Paths with names in them are one route, so that nobody has a line for each.
            address: The client's address.
            endpoint: The path that was asked for.
            request_id: The id of the request.
        """
        refusal, principal = decision.refusal, decision.principal
        event = events.API_KEY_USAGE if refusal is None else _EVENTS.get(refusal.code)
        if event is None:
            return
        subject = principal.subject if principal else ""
        key, now_ms = (event, subject or address, id(rule)), self._clock.now_ms()
        if self.quiet.has_counted(key, now_ms=now_ms):
            return
        fields: dict[str, object] = {"user_id": subject or None, "endpoint": endpoint, "ip_address": address}
        if principal:
            fields["credential_id"] = principal.credential_id
        if request_id:
            fields["request_id"] = request_id
        for_ms = _USUAL_MS
        if refusal is not None:
            fields |= {"code": refusal.code, "limit": ", ".join(refusal.violated) or None}
            for_ms = 1000 * refusal.retry_after_s if refusal.retry_after_s else _USUAL_MS
        self.quiet.tell(event, fields, key=key, now_ms=now_ms, for_ms=for_ms)
