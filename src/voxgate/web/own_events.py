"""The own security events over HTTP: what happened to the account, newest first, a page at a time."""

from urllib.parse import urlencode

from flask import Blueprint, Response, request

from voxgate.accounts.account import Account
from voxgate.accounts.audit import EventFilter, EventRecord
from voxgate.gate import events
from voxgate.gate.errors import Refusal
from voxgate.web.account_schemas import EventAnswer, EventsAnswer
from voxgate.web.answers import answer, text_of_time
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.problems import refuse

PAGE_EVENTS = 50

_PATH = "/api/v1/auth/events"
_MAX_DIGITS = 18
# Jobs have a list of their own.
_JOBS = (events.TTS_JOB_SUBMITTED, events.TTS_JOB_FINISHED, events.TTS_JOB_FAILED)

blueprint = Blueprint("own_events", __name__)


@blueprint.get(_PATH)
@gate.protect(credentials=("access",), policy="account")
def list_events() -> Response:
    """List what happened to the caller's account since it was made."""
    before = request.args.get("before")
    if before is not None and not _is_event(before):
        return refuse(Refusal("BAD_REQUEST", "'before' must be what the 'next' of another page says."))
    account = services().accounts.find(gate.principal.subject)
    if account is None:
        return refuse(Refusal("INVALID_TOKEN"))
    wanted = EventFilter(
        # A login that failed names nobody but the text that was typed.
        who=(account.subject, account.username, account.email),
        # A name may have been another's before.
        since_ms=account.created_at_ms,
        but=_JOBS,
        before_id=None if before is None else int(before),
    )
    found = services().audit.read_last(wanted, limit=PAGE_EVENTS + 1)[::-1]
    page = found[:PAGE_EVENTS]
    more = f"{_PATH}?{urlencode({'before': page[-1].event_id})}" if len(found) > PAGE_EVENTS else None
    shown = [_describe(each, account) for each in page if _is_about(each, account)]
    return answer(EventsAnswer(events=shown, next=more))


def _is_event(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS


def _is_about(event: EventRecord, account: Account) -> bool:
    """Say whether an event is the account's own, and not that of one whose id is this one's name."""
    user_id = event.fields.get("user_id")
    return user_id == account.subject or (user_id is None and "username" in event.fields)


def _describe(event: EventRecord, account: Account) -> EventAnswer:
    told = {name: _text(event.fields.get(name)) for name in ("code", "session_id", "key_id", "request_id")}
    success, repeats = event.fields.get("success"), event.fields.get("repeats")
    return EventAnswer(
        at=text_of_time(event.at_ms),
        event=event.name,
        success=success if isinstance(success, bool) else None,
        address=_text(event.fields.get("ip_address")),
        device=_text(event.fields.get("user_agent")),
        by=_describe_doer(event.fields.get("by"), account),
        repeats=repeats if isinstance(repeats, int) else 0,
        **told,
    )


def _describe_doer(by: object, account: Account) -> str | None:
    """Return who did it, without telling which administrator."""
    if by is None or by == account.subject:
        return None
    return "operator" if by == "cli" else "administrator"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
