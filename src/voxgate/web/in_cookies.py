"""Sessions in cookies: a browser's page asks for them at login, and never sees a token."""

from typing import NamedTuple

from flask import Response

from voxgate.gate.errors import FieldFault, Refusal
from voxgate.gate.flask.cookies import Cookies
from voxgate.web.answers import answer, secret_answer
from voxgate.web.bodies import read_object, reject_fields
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.schemas import CookieLoginAnswer, CookieTokenAnswer, LoginAnswer, MessageAnswer, TokenAnswer

REFRESH_PATH = "/api/v1/auth/refresh"
REFRESH_COOKIE = Cookies(refresh_path=REFRESH_PATH).refresh_name

# Our own cookies are cleared by name: the directive for cookies would end those of the whole site.
_CLEAR_SITE_DATA = '"cache", "storage"'


class _Tokens(NamedTuple):
    access_token: str
    refresh_token: str
    expires_in_s: int


def find_refusal() -> Refusal | None:
    """Return why a login cannot get the cookies that it asks for, before any password is looked at; or None."""
    if not _are_wanted():
        return None
    if not services().settings.cookies:
        return reject_fields([FieldFault("/cookies", "this service sets no cookies")])
    return gate.find_forgery()


def answer_login(found: LoginAnswer) -> Response:
    """Answer a login with the session's tokens: in cookies alone where the body asks for them."""
    if not _are_wanted():
        return secret_answer(found)
    body = CookieLoginAnswer(expires_in=found.expires_in, user=found.user)
    return gate.set_cookies(secret_answer(body), _tokens_of(found))


def answer_refresh(found: TokenAnswer) -> Response:
    """Answer a refresh with the new tokens where the old one was: in cookies, or in the body."""
    if not gate.is_by_cookie:
        return secret_answer(found)
    return gate.set_cookies(secret_answer(CookieTokenAnswer(expires_in=found.expires_in)), _tokens_of(found))


def answer_logout(message: str) -> Response:
    """Answer the end of the session that has asked, and let the browser forget what it holds of it."""
    ended = answer(MessageAnswer(message=message), headers={"Clear-Site-Data": _CLEAR_SITE_DATA})
    return gate.clear_cookies(ended) if gate.is_by_cookie else ended


def _are_wanted() -> bool:
    body = read_object()
    return not isinstance(body, Refusal) and body.get("cookies") is True


def _tokens_of(found: TokenAnswer) -> _Tokens:
    return _Tokens(found.access_token, found.refresh_token, found.expires_in)
