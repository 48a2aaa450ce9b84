"""The own sessions over HTTP: see them and end one, all others, or all."""

from flask import Blueprint, Response, request

from voxgate.accounts.session_values import SessionInfo
from voxgate.gate import events
from voxgate.gate.errors import Refusal
from voxgate.web.account_schemas import EndedAnswer, SessionAnswer, SessionsAnswer
from voxgate.web.answers import answer, empty_answer, text_of_time
from voxgate.web.current import services
from voxgate.web.cutoff import read_cutoff
from voxgate.web.door import gate
from voxgate.web.problems import refuse
from voxgate.web.told import tell

_ACCESS = ("access",)
_FLAGS = {(): False, ("false",): False, ("true",): True}

blueprint = Blueprint("own_sessions", __name__, url_prefix="/api/v1/auth")


@blueprint.get("/sessions")
@gate.protect(credentials=_ACCESS, policy="account")
def list_sessions() -> Response:
    """List the caller's live sessions."""
    found = services().sessions.list(gate.principal.subject)
    return answer(SessionsAnswer(sessions=[describe_session(each) for each in found]))


@blueprint.delete("/sessions")
@gate.protect(credentials=_ACCESS, policy="account")
def end_sessions() -> Response:
    """End the caller's other sessions, or all of them, or of either those that were opened before a time."""
    is_all = _FLAGS.get(tuple(request.args.getlist("all")))
    if is_all is None:
        return refuse(Refusal("BAD_REQUEST", "'all' must be true or false."))
    before_ms = read_cutoff()
    if isinstance(before_ms, Refusal):
        return refuse(before_ms)
    subject, current = gate.principal.subject, gate.principal.credential_id
    count = services().sessions.end_all(subject, but=None if is_all else current, before_ms=before_ms)
    tell(events.AUTHN_TOKEN_REVOKED, user_id=subject, sessions=count, kept=None if is_all else current)
    message = "Every session has ended" if is_all else "Every other session has ended"
    return answer(EndedAnswer(message=message, ended=count))


@blueprint.delete("/sessions/<session_id>")
@gate.protect(credentials=_ACCESS, policy="account")
def end_session(session_id: str) -> Response:
    """End one of the caller's sessions; once more is no error."""
    if not services().sessions.end(session_id, subject=gate.principal.subject):
        return refuse(Refusal("SESSION_NOT_FOUND"))
    tell(events.AUTHN_TOKEN_REVOKED, user_id=gate.principal.subject, session_id=session_id)
    return empty_answer()


def describe_session(session: SessionInfo) -> SessionAnswer:
    """Return a session as its owner or an administrator sees it."""
    return SessionAnswer(
        id=session.session_id,
        device=session.device,
        address=session.address,
        created_at=text_of_time(session.created_at_ms),
        last_seen_at=text_of_time(session.last_seen_at_ms),
        expires_at=text_of_time(session.expires_at_ms),
        idle_expires_at=text_of_time(session.idle_ends_at_ms),
        is_current=session.session_id == gate.principal.credential_id,
    )
