"""Accounts and sessions over HTTP, under /api/v1/auth."""

from flask import Blueprint, Response

from voxgate.gate import events
from voxgate.gate.errors import Refusal
from voxgate.web import in_cookies
from voxgate.web.answers import answer, empty_answer, secret_answer
from voxgate.web.api_keys import of_the_caller
from voxgate.web.bodies import read_body
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.problems import refuse
from voxgate.web.schemas import ApiKeyAnswer, CsrfAnswer, MessageAnswer, RegisterBody, Registered, SessionBody
from voxgate.web.sessions import change_own_password, delete_own_account, describe_account, log_in, log_out
from voxgate.web.sessions import refresh as refresh_session
from voxgate.web.told import tell

blueprint = Blueprint("auth", __name__, url_prefix="/api/v1/auth")


@blueprint.post("/register")
@gate.open(policy="register")
def register() -> Response:
    """Make an account and its first API key."""
    body = read_body(RegisterBody, required=("username", "email", "password"))
    if isinstance(body, Refusal):
        return refuse(body)
    made = services().accounts.register(username=body.username, email=body.email, password=body.password)
    if isinstance(made, Refusal):
        return refuse(made)
    tell(events.USER_CREATED, user_id=made.account.subject)
    return secret_answer(Registered(user_id=made.account.subject, api_key=made.api_key), 201)


@blueprint.post("/login")
@gate.open()
def login() -> Response:
    """Open a session."""
    found = in_cookies.find_refusal() or log_in(SessionBody)
    return refuse(found) if isinstance(found, Refusal) else in_cookies.answer_login(found)


@blueprint.post("/refresh")
@gate.protect(credentials=("refresh",), policy="refresh")
def refresh() -> Response:
    """Issue new tokens for the session."""
    found = refresh_session()
    return refuse(found) if isinstance(found, Refusal) else in_cookies.answer_refresh(found)


@blueprint.post("/logout")
@gate.protect(credentials=("access",))
def logout() -> Response:
    """End the session."""
    log_out()
    return in_cookies.answer_logout("Successfully logged out")


@blueprint.post("/revoke")
@gate.protect(credentials=("access",))
def revoke() -> Response:
    """End the session."""
    log_out()
    return in_cookies.answer_logout("Token revoked")


@blueprint.get("/csrf")
@gate.protect(credentials=("access",), policy="account")
def show_csrf_token() -> Response:
    """Give a CSRF token for the session."""
    return secret_answer(CsrfAnswer(csrf_token=gate.csrf_token()))


@blueprint.post("/api-key")
@gate.protect(credentials=("access",))
def make_api_key() -> Response:
    """Make one more API key."""
    issued = services().api_keys.create(gate.principal.subject, name="")
    if isinstance(issued, Refusal):
        return refuse(of_the_caller(issued))
    tell(events.AUTHN_TOKEN_CREATED, user_id=gate.principal.subject, key_id=issued.key_id)
    return secret_answer(ApiKeyAnswer(api_key=issued.text))


@blueprint.get("/me")
@gate.protect()
def show_account() -> Response:
    """Show the caller's account."""
    account = services().accounts.find(gate.principal.subject)
    return refuse(Refusal("INVALID_TOKEN")) if account is None else answer(describe_account(account))


@blueprint.delete("/me")
@gate.protect(credentials=("access",), policy="account")
def delete_account() -> Response:
    """Delete the caller's account."""
    refusal = delete_own_account()
    return empty_answer() if refusal is None else refuse(refusal)


@blueprint.post("/password")
@gate.protect(credentials=("access",), policy="account")
def change_password() -> Response:
    """Change the caller's password."""
    refusal = change_own_password()
    if refusal is not None:
        return refuse(refusal)
    return answer(MessageAnswer(message="Password changed; every other session has ended"))
