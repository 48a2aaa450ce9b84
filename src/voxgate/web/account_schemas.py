"""The shape of every JSON body about the own account's keys, sessions and password."""

from typing import Annotated

from pydantic import Field, StringConstraints

from voxgate.accounts.api_keys import DEFAULT_OVERLAP_S
from voxgate.accounts.key_values import (
    MAX_EXPIRES_IN_S,
    MAX_NAME_CHARACTERS,
    MAX_NETWORKS,
    MAX_OVERLAP_S,
    MIN_EXPIRES_IN_S,
)
from voxgate.accounts.limit_terms import MAX_LIMIT_CHARACTERS
from voxgate.accounts.scopes import SCOPES, Scope
from voxgate.web.schemas import Answer, Body, Password

_KeyName = Annotated[str, StringConstraints(max_length=MAX_NAME_CHARACTERS)]
_Scopes = Annotated[list[Scope], Field(max_length=4 * len(SCOPES))]
_Networks = Annotated[list[Annotated[str, StringConstraints(max_length=50)]], Field(max_length=MAX_NETWORKS)]
LimitText = Annotated[str, StringConstraints(max_length=MAX_LIMIT_CHARACTERS)]
Policy = Annotated[str, StringConstraints(max_length=40)]
LimitTexts = Annotated[dict[Policy, LimitText], Field(max_length=30)]
_ExpiresIn = Annotated[int, Field(ge=MIN_EXPIRES_IN_S, le=MAX_EXPIRES_IN_S)] | None


class NewKeyBody(Body):
    """What a new API key is for."""

    name: _KeyName = Field(description="Your name for the key.", examples=["laptop"])
    scopes: _Scopes = Field(default_factory=list, description="What it may do; none for all that the account may do.")
    expires_in: _ExpiresIn = Field(None, description="Its life in seconds; `null` for no end.")
    allowed_networks: _Networks = Field(
        default_factory=list,
        description="Networks or addresses that it may be used from; none for everywhere.",
        examples=[["192.0.2.0/24"]],
    )
    limits: LimitTexts = Field(
        default_factory=dict,
        description="Limits of its own beneath those of the account, by policy; `*` for every other route.",
        examples=[{"tts-generate": "5 per minute"}],
    )


class KeyChangeBody(Body):
    """What is to change of an API key; what is absent stays."""

    name: _KeyName = Field(default_factory=str, description="The new name.")
    scopes: _Scopes = Field(default_factory=list, description="The new scopes; `[]` for all that the account may do.")
    expires_in: _ExpiresIn = Field(None, description="The life from now in seconds; `null` for no end.")
    allowed_networks: _Networks = Field(default_factory=list, description="The new networks; `[]` for everywhere.")
    limits: LimitTexts = Field(default_factory=dict, description="All its new limits; `{}` for none of its own.")


class KeyRotationBody(Body):
    """How an API key is replaced."""

    overlap_s: int = Field(
        default=DEFAULT_OVERLAP_S,
        ge=0,
        le=MAX_OVERLAP_S,
        description="Seconds that the old key goes on working; 0 ends it at once.",
    )


class KeyAnswer(Answer):
    """An API key, without its secret."""

    id: str
    name: str
    hint: str = Field(description="The last characters of the secret.")
    scopes: list[str] = Field(description="What it may do; none for all that the account may do.")
    created_at: str = Field(description="RFC 3339, UTC.")
    expires_at: str | None = Field(description="RFC 3339, UTC; `null` for no end.")
    successor_id: str | None = Field(description="Id of the key that has replaced it.")
    allowed_networks: list[str] = Field(description="Where it may be used from; none for everywhere.")
    limits: dict[str, str] = Field(description="Its own limits by policy, beneath those of the account.")
    last_used_at: str | None = Field(
        description="When it was last accepted, to about half a minute; RFC 3339, UTC; `null` for never."
    )


class KeysAnswer(Answer):
    """The own API keys, oldest first."""

    api_keys: list[KeyAnswer]


class IssuedKeyAnswer(KeyAnswer):
    """A new API key, whose text is shown only here."""

    api_key: str


class RotatedKeyAnswer(IssuedKeyAnswer):
    """An API key that has replaced another; its text is shown only here."""

    replaces: str = Field(description="Id of the old key.")
    replaced_at: str = Field(description="When the old key ends; RFC 3339, UTC.")


class PasswordBody(Body):
    """The password that the account has, and the one that it is to have."""

    current_password: Password = Field(description="The password of the account, in clear text.")
    new_password: Password = Field(description="The new one in clear text; the profile sets its least length.")


class DeletionBody(Body):
    """The proof that the account is to be deleted."""

    password: Password = Field(description="The password of the account, in clear text.")


class SessionAnswer(Answer):
    """One of the own sessions."""

    id: str
    device: str = Field(description="What the client called itself at login; anybody can write anything there.")
    address: str = Field(description="Where the login came from.")
    created_at: str = Field(description="Time of the login; RFC 3339, UTC.")
    last_seen_at: str = Field(
        description="When one of its tokens was last accepted, to about half a minute; RFC 3339, UTC."
    )
    expires_at: str = Field(description="When it ends by itself, refreshed or not; RFC 3339, UTC.")
    idle_expires_at: str = Field(description="When it ends unless it is refreshed before; RFC 3339, UTC.")
    is_current: bool = Field(description="Whether it is the session that asks.")


class SessionsAnswer(Answer):
    """The own live sessions, newest first, at most 500."""

    sessions: list[SessionAnswer]


class EndedAnswer(Answer):
    """Which sessions have ended."""

    message: str
    ended: int = Field(description="How many were live.")


class EventAnswer(Answer):
    """One security event of the own account."""

    at: str = Field(description="When it happened; RFC 3339, UTC.")
    event: str = Field(description="Its name, from the list of events.", examples=["login"])
    success: bool | None = Field(description="Whether it succeeded; `null` where that is not said.")
    code: str | None = Field(description="Why it was refused.")
    address: str | None = Field(description="Where it came from; `null` for the operator's command line.")
    device: str | None = Field(description="What the client called itself; anybody can write anything there.")
    by: str | None = Field(description="`operator` or `administrator` when it was one of them, otherwise `null`.")
    session_id: str | None = Field(description="The session that it is about.")
    key_id: str | None = Field(description="The API key that it is about.")
    request_id: str | None = Field(description="The `X-Request-ID` of the request.")
    repeats: int = Field(description="How often it happened again within its time, told as one.")


class EventsAnswer(Answer):
    """The own security events, newest first; recent ones come within a second."""

    events: list[EventAnswer]
    next: str | None = Field(description="Address of the next page, or null.")
