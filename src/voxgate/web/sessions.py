"""What the session routes do; both documents' paths share these, so they share their limits too."""

from flask import request

from voxgate.accounts.account import Account
from voxgate.accounts.login import check_login
from voxgate.gate import events
from voxgate.gate.errors import Refusal
from voxgate.web.account_schemas import DeletionBody, PasswordBody
from voxgate.web.answers import text_of_time
from voxgate.web.bodies import read_body
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.erasing import erase_account
from voxgate.web.guessing import prove, remember_device, shown_name, spend_login, spend_own_password
from voxgate.web.schemas import LoginAnswer, LoginBody, RefreshAnswer, UserAnswer
from voxgate.web.told import tell

MAX_DEVICE_CHARACTERS = 200

_UNTIL_USED = (
    "Keep the new refresh_token: the one that you have shown works again only until one of the new tokens is used."
)
_ONCE = "Keep the new refresh_token: the one that you have shown works no more."


def log_in(shape: type[LoginBody] = LoginBody) -> LoginAnswer | Refusal:
    """Open a session for the account that the body names.

    The limits are spent before the password is hashed, so that a flood of guesses costs no hash; ``guessing`` says
    which they are, and which of them a right password gets back.

    Args:
        shape: What the body must be.
    """
    body = read_body(shape, required=("username", "password"), when_missing="CREDENTIALS_MISSING")
    if isinstance(body, Refusal):
        return body
    guess = spend_login(body.username)
    if isinstance(guess, Refusal):
        return guess
    database, hasher = services().database, services().hasher
    account = prove(
        guess,
        lambda: check_login(
            database,
            hasher,
            identifier=body.username,
            password=body.password,
            on_rehash=lambda subject: tell(events.AUTHN_PASSWORD_REHASH, user_id=subject),
        ),
    )
    _tell_login(body.username, account)
    if isinstance(account, Refusal):
        return account
    pair = services().sessions.open(account, address=gate.address, device=_device())
    if isinstance(pair, Refusal):
        return pair
    remember_device(guess, account.subject)
    if guess.device is None:
        tell(events.AUTHN_LOGIN_NEW_DEVICE, user_id=account.subject, session_id=pair.session_id, user_agent=_device())
    return LoginAnswer(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        expires_in=pair.expires_in_s,
        refresh_expires_in=pair.refresh_expires_in_s,
        user=describe_account(account),
    )


def refresh() -> RefreshAnswer | Refusal:
    """Issue new tokens for the session whose refresh token was shown."""
    shown = gate.principal
    pair = services().sessions.refresh(
        shown.credential_id, shown.subject, generation=shown.generation, scopes=shown.scopes
    )
    if isinstance(pair, Refusal):
        if pair.code == "TOKEN_REUSED":
            tell(events.AUTHN_TOKEN_REUSE, user_id=shown.subject, session_id=shown.credential_id)
        return pair
    return RefreshAnswer(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        expires_in=pair.expires_in_s,
        refresh_expires_in=pair.refresh_expires_in_s,
        message=_ONCE if services().settings.jwt_refresh_strict else _UNTIL_USED,
    )


def log_out() -> None:
    """End the session of the access token that was shown; both its tokens are dead when this returns."""
    services().sessions.end(gate.principal.credential_id)
    tell(events.AUTHN_TOKEN_REVOKED, user_id=gate.principal.subject, session_id=gate.principal.credential_id)


def change_own_password() -> Refusal | None:
    """Change the caller's password for the one that the body shows, and end the caller's other sessions.

    Somebody with a stolen token could guess the password here, so a guess is limited as at login.
    """
    body = read_body(PasswordBody)
    if isinstance(body, Refusal):
        return body
    subject, session_id = gate.principal.subject, gate.principal.credential_id
    guess = spend_own_password(subject)
    if isinstance(guess, Refusal):
        return guess
    current, new = body.current_password, body.new_password
    changed = prove(
        guess,
        lambda: services().accounts.change_password(subject, current=current, new=new, session_id=session_id),
    )
    refusal = changed if isinstance(changed, Refusal) else None
    if refusal is None or refusal.code == "WRONG_PASSWORD":
        tell(events.AUTHN_PASSWORD_CHANGE, user_id=subject, session_id=session_id, success=refusal is None)
    return refusal


def delete_own_account() -> Refusal | None:
    """Delete the caller's account for the password that the body shows; guessing it is limited as at login."""
    body = read_body(DeletionBody)
    if isinstance(body, Refusal):
        return body
    subject = gate.principal.subject
    guess = spend_own_password(subject)
    if isinstance(guess, Refusal):
        return guess
    refusal = prove(guess, lambda: erase_account(services(), subject, password=body.password))
    if refusal is None or refusal.code == "WRONG_PASSWORD":
        tell(events.USER_DELETED, user_id=subject, by=subject, success=refusal is None)
    return refusal


def describe_account(account: Account) -> UserAnswer:
    """Return an account as its owner sees it."""
    return UserAnswer(
        id=account.subject,
        username=account.username,
        email=account.email,
        tier=account.tier,
        is_premium=account.is_premium,
        is_active=account.is_active,
        created_at=text_of_time(account.created_at_ms),
    )


def _device() -> str:
    return request.headers.get("User-Agent", "")[:MAX_DEVICE_CHARACTERS]


def _tell_login(identifier: str, account: Account | Refusal) -> None:
    who = {"username": shown_name(identifier)} if isinstance(account, Refusal) else {"user_id": account.subject}
    tell(events.LOGIN, **who, user_agent=_device(), success=not isinstance(account, Refusal))
