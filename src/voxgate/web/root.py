"""The four routes of the first document: thin, over the same functions as /api/v1/auth."""

from flask import Blueprint, Response

from voxgate.gate.errors import Refusal
from voxgate.web import sessions
from voxgate.web.answers import answer, secret_answer
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.problems import refuse
from voxgate.web.schemas import LoggedInAnswer, RootLogoutAnswer, TokenAnswer

blueprint = Blueprint("root", __name__)


@blueprint.post("/login")
@gate.open(cookies=False)
def login() -> Response:
    """Open a session."""
    found = sessions.log_in()
    if isinstance(found, Refusal):
        return refuse(found)
    return secret_answer(TokenAnswer.model_validate(found.model_dump(exclude={"user"})))


@blueprint.get("/protected")
@gate.protect(credentials=("access",), policy="protected", cookies=False)
def show_caller() -> Response:
    """Tell the user name of the caller."""
    account = services().accounts.find(gate.principal.subject)
    return (
        refuse(Refusal("INVALID_TOKEN")) if account is None else answer(LoggedInAnswer(logged_in_as=account.username))
    )


@blueprint.post("/refresh")
@gate.protect(credentials=("refresh",), policy="refresh", cookies=False)
def refresh() -> Response:
    """Issue new tokens for the session."""
    found = sessions.refresh()
    return refuse(found) if isinstance(found, Refusal) else secret_answer(found)


@blueprint.post("/logout")
@gate.protect(credentials=("access",), cookies=False)
def logout() -> Response:
    """End the session."""
    sessions.log_out()
    return answer(RootLogoutAnswer(msg="Successfully logged out", message="Successfully logged out"))
