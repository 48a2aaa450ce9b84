"""Other accounts and the tiers over HTTP, under /api/v1/admin: for access tokens of administrators alone."""

from urllib.parse import urlencode

from flask import Blueprint, Response, request

from voxgate.accounts.account import Account
from voxgate.accounts.lifecycle import Terms
from voxgate.accounts.limit_terms import read_limits
from voxgate.accounts.tiers import TierInfo
from voxgate.gate import events
from voxgate.gate.errors import FieldFault, Refusal
from voxgate.web.account_schemas import EndedAnswer, SessionsAnswer
from voxgate.web.admin_schemas import (
    ManagedUserAnswer,
    ManagedUsersAnswer,
    TierAnswer,
    TierBody,
    TiersAnswer,
    UserChangeBody,
)
from voxgate.web.answers import answer, empty_answer
from voxgate.web.bodies import read_body, reject_fields
from voxgate.web.current import services
from voxgate.web.cutoff import read_cutoff
from voxgate.web.door import gate
from voxgate.web.erasing import erase_account
from voxgate.web.own_sessions import describe_session
from voxgate.web.problems import refuse
from voxgate.web.sessions import describe_account
from voxgate.web.told import tell

PAGE_USERS = 100

_PREFIX = "/api/v1/admin"
_ACCESS = ("access",)

blueprint = Blueprint("admin", __name__, url_prefix=_PREFIX)


@blueprint.before_request
def require_administrator() -> Response | None:
    """Refuse whoever is no administrator, before any route of this file, also one that forgets to ask."""
    try:
        principal = gate.principal
    except LookupError:
        return refuse(Refusal("ADMIN_REQUIRED"))
    account = services().accounts.find(principal.subject)
    # A token that was opened for a few scopes is not one for everything.
    if account is not None and account.is_admin and principal.kind in _ACCESS and not principal.scopes:
        return None
    tell(events.AUTHZ_FAIL, user_id=principal.subject, endpoint=request.path, code="ADMIN_REQUIRED")
    return refuse(Refusal("ADMIN_REQUIRED"))


@blueprint.get("/users")
@gate.protect(credentials=_ACCESS, policy="account")
def list_users() -> Response:
    """List accounts, a page at a time."""
    found = services().accounts.list(after=request.args.get("after", ""), limit=PAGE_USERS + 1)
    page = found[:PAGE_USERS]
    more = f"{_PREFIX}/users?{urlencode({'after': page[-1].subject})}" if len(found) > PAGE_USERS else None
    return answer(ManagedUsersAnswer(users=[_describe(each) for each in page], next=more))


@blueprint.get("/users/<user_id>")
@gate.protect(credentials=_ACCESS, policy="account")
def show_user(user_id: str) -> Response:
    """Show one account."""
    account = services().accounts.find(user_id)
    return refuse(Refusal("ACCOUNT_UNKNOWN")) if account is None else answer(_describe(account))


@blueprint.patch("/users/<user_id>")
@gate.protect(credentials=_ACCESS, policy="account")
def change_user(user_id: str) -> Response:
    """Change an account's tier, state and own limits."""
    body = read_body(UserChangeBody)
    if isinstance(body, Refusal):
        return refuse(body)
    given = body.model_fields_set
    if not given:
        return refuse(reject_fields([FieldFault("", f"must hold one of {', '.join(UserChangeBody.model_fields)}")]))
    terms = Terms()
    if "tier" in given:
        terms["tier"] = body.tier
    if "is_active" in given:
        terms["is_active"] = body.is_active
    if "limits" in given:
        terms["limits"] = body.limits
    changed = services().accounts.change(user_id, **terms)
    if isinstance(changed, Refusal):
        return refuse(changed)
    tell(events.USER_UPDATED, user_id=user_id, by=gate.principal.subject, changed=sorted(given))
    return answer(_describe(changed))


@blueprint.delete("/users/<user_id>")
@gate.protect(credentials=_ACCESS, policy="account")
def delete_user(user_id: str) -> Response:
    """Delete an account with everything that belongs to it."""
    refusal = erase_account(services(), user_id)
    if refusal is not None:
        return refuse(refusal)
    tell(events.USER_DELETED, user_id=user_id, by=gate.principal.subject)
    return empty_answer()


@blueprint.get("/users/<user_id>/sessions")
@gate.protect(credentials=_ACCESS, policy="account")
def list_user_sessions(user_id: str) -> Response:
    """List the live sessions of an account."""
    if services().accounts.find(user_id) is None:
        return refuse(Refusal("ACCOUNT_UNKNOWN"))
    return answer(SessionsAnswer(sessions=[describe_session(each) for each in services().sessions.list(user_id)]))


@blueprint.delete("/users/<user_id>/sessions/<session_id>")
@gate.protect(credentials=_ACCESS, policy="account")
def end_user_session(user_id: str, session_id: str) -> Response:
    """End one session of an account; once more is no error."""
    if services().accounts.find(user_id) is None:
        return refuse(Refusal("ACCOUNT_UNKNOWN"))
    if not services().sessions.end(session_id, subject=user_id):
        return refuse(Refusal("SESSION_NOT_FOUND"))
    tell(events.AUTHN_TOKEN_REVOKED, user_id=user_id, by=gate.principal.subject, session_id=session_id)
    return empty_answer()


@blueprint.delete("/users/<user_id>/sessions")
@gate.protect(credentials=_ACCESS, policy="account")
def end_user_sessions(user_id: str) -> Response:
    """End the sessions of an account, or those that were opened before a time."""
    before_ms = read_cutoff()
    if isinstance(before_ms, Refusal):
        return refuse(before_ms)
    if services().accounts.find(user_id) is None:
        return refuse(Refusal("ACCOUNT_UNKNOWN"))
    count = services().sessions.end_all(user_id, before_ms=before_ms)
    tell(events.AUTHN_TOKEN_REVOKED, user_id=user_id, by=gate.principal.subject, sessions=count)
    return answer(EndedAnswer(message="The sessions have ended", ended=count))


@blueprint.delete("/sessions")
@gate.protect(credentials=_ACCESS, policy="account")
def end_all_sessions() -> Response:
    """End the sessions of everybody, or those that were opened before a time; the one that asks is no exception."""
    before_ms = read_cutoff()
    if isinstance(before_ms, Refusal):
        return refuse(before_ms)
    count = services().sessions.end_everybody(before_ms=before_ms)
    tell(events.AUTHN_TOKEN_REVOKED, by=gate.principal.subject, sessions=count)
    return answer(EndedAnswer(message="The sessions of all accounts have ended", ended=count))


@blueprint.get("/tiers")
@gate.protect(credentials=_ACCESS, policy="account")
def list_tiers() -> Response:
    """List every tier."""
    return answer(TiersAnswer(tiers=[_describe_tier(each) for each in services().tiers.list()]))


@blueprint.put("/tiers/<name>")
@gate.protect(credentials=_ACCESS, policy="account")
def define_tier(name: str) -> Response:
    """Make a tier, or replace its limits."""
    body = read_body(TierBody)
    if isinstance(body, Refusal):
        return refuse(body)
    defined = services().tiers.define(name, body.limits)
    if isinstance(defined, Refusal):
        return refuse(defined)
    tell(events.TIER_UPDATED, tier=name, by=gate.principal.subject, limits=dict(defined.limits))
    return answer(_describe_tier(defined))


@blueprint.delete("/tiers/<name>")
@gate.protect(credentials=_ACCESS, policy="account")
def remove_tier(name: str) -> Response:
    """Remove a tier that nobody is in."""
    refusal = services().tiers.remove(name)
    if refusal is not None:
        return refuse(refusal)
    tell(events.TIER_UPDATED, tier=name, by=gate.principal.subject, limits=None)
    return empty_answer()


def _describe(account: Account) -> ManagedUserAnswer:
    seen = describe_account(account).model_dump()
    return ManagedUserAnswer(**seen, roles=sorted(account.roles), limits=read_limits(account.limits))


def _describe_tier(tier: TierInfo) -> TierAnswer:
    return TierAnswer(name=tier.name, limits=dict(tier.limits), accounts=tier.accounts)
