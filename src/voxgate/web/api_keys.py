"""The own API keys over HTTP: list, make, change, rotate and end them; a key itself opens none of these routes."""

from typing import TypeVar

from flask import Blueprint, Response, request

from voxgate.accounts.key_values import ApiKeyInfo, KeyTerms
from voxgate.gate import events
from voxgate.gate.errors import FieldFault, Refusal
from voxgate.web.account_schemas import (
    IssuedKeyAnswer,
    KeyAnswer,
    KeyChangeBody,
    KeyRotationBody,
    KeysAnswer,
    NewKeyBody,
    RotatedKeyAnswer,
)
from voxgate.web.answers import answer, empty_answer, secret_answer, text_of_time
from voxgate.web.bodies import read_body, reject_fields
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.problems import refuse
from voxgate.web.told import tell

Shown = TypeVar("Shown", bound=KeyAnswer)

_ACCESS = ("access",)

blueprint = Blueprint("api_keys", __name__, url_prefix="/api/v1/auth")


@blueprint.get("/api-keys")
@gate.protect(credentials=_ACCESS, policy="account")
def list_keys() -> Response:
    """List the caller's keys."""
    found = services().api_keys.list(gate.principal.subject)
    return answer(KeysAnswer(api_keys=[_describe(KeyAnswer, each) for each in found]))


@blueprint.post("/api-keys")
@gate.protect(credentials=_ACCESS, policy="account")
def make_key() -> Response:
    """Make a key."""
    body = read_body(NewKeyBody)
    if isinstance(body, Refusal):
        return refuse(body)
    subject = gate.principal.subject
    issued = services().api_keys.create(subject, **_terms_of(body, body.model_fields_set))
    if isinstance(issued, Refusal):
        return refuse(of_the_caller(issued))
    tell(events.AUTHN_TOKEN_CREATED, user_id=subject, key_id=issued.key_id)
    return secret_answer(_describe(IssuedKeyAnswer, issued.info, api_key=issued.text), 201)


@blueprint.patch("/api-keys/<key_id>")
@gate.protect(credentials=_ACCESS, policy="account")
def change_key(key_id: str) -> Response:
    """Change a key."""
    body = read_body(KeyChangeBody)
    if isinstance(body, Refusal):
        return refuse(body)
    given = body.model_fields_set
    if not given:
        return refuse(reject_fields([FieldFault("", f"must hold one of {', '.join(KeyChangeBody.model_fields)}")]))
    changed = services().api_keys.change(gate.principal.subject, key_id, **_terms_of(body, given))
    if isinstance(changed, Refusal):
        return refuse(changed)
    tell(events.USER_UPDATED, user_id=gate.principal.subject, key_id=key_id, changed=sorted(given))
    return answer(_describe(KeyAnswer, changed))


@blueprint.delete("/api-keys/<key_id>")
@gate.protect(credentials=_ACCESS, policy="account")
def end_key(key_id: str) -> Response:
    """End a key; once more is no error."""
    if not services().api_keys.revoke(gate.principal.subject, key_id):
        return refuse(Refusal("KEY_NOT_FOUND"))
    tell(events.AUTHN_TOKEN_REVOKED, user_id=gate.principal.subject, key_id=key_id)
    return empty_answer()


@blueprint.post("/api-keys/<key_id>/rotate")
@gate.protect(credentials=_ACCESS, policy="account")
def rotate_key(key_id: str) -> Response:
    """Replace a key by a new one; the body may be left out."""
    body = read_body(KeyRotationBody) if request.get_data(cache=True) else KeyRotationBody()
    if isinstance(body, Refusal):
        return refuse(body)
    rotated = services().api_keys.rotate(gate.principal.subject, key_id, overlap_s=body.overlap_s)
    if isinstance(rotated, Refusal):
        return refuse(rotated)
    issued = rotated.issued
    tell(events.AUTHN_TOKEN_CREATED, user_id=gate.principal.subject, key_id=issued.key_id, replaces=key_id)
    told = _describe(
        RotatedKeyAnswer,
        issued.info,
        api_key=issued.text,
        replaces=rotated.replaces,
        replaced_at=text_of_time(rotated.replaced_at_ms),
    )
    return secret_answer(told, 201)


def of_the_caller(refusal: Refusal) -> Refusal:
    """Return a refusal as the caller is told it: an account that is gone since the gate let it in is a bad token."""
    return Refusal("INVALID_TOKEN") if refusal.code == "ACCOUNT_UNKNOWN" else refusal


def _terms_of(body: NewKeyBody | KeyChangeBody, given: set[str]) -> KeyTerms:
    """Return the terms that a body names."""
    terms = KeyTerms()
    if "name" in given:
        terms["name"] = body.name
    if "scopes" in given:
        terms["scopes"] = frozenset(body.scopes)
    if "expires_in" in given:
        terms["expires_in_s"] = body.expires_in
    if "allowed_networks" in given:
        terms["networks"] = tuple(body.allowed_networks)
    if "limits" in given:
        terms["limits"] = body.limits
    return terms


def _describe(model: type[Shown], key: ApiKeyInfo, **more: str) -> Shown:
    """Return a key as its owner sees it, in one of the shapes that tell of keys."""
    fields: dict[str, object] = {
        "id": key.key_id,
        "name": key.name,
        "hint": key.hint,
        "scopes": sorted(key.scopes),
        "created_at": text_of_time(key.created_at_ms),
        "expires_at": None if key.expires_at_ms is None else text_of_time(key.expires_at_ms),
        "successor_id": key.successor_id,
        "allowed_networks": list(key.networks),
        "limits": dict(key.limits),
        "last_used_at": None if key.last_used_at_ms is None else text_of_time(key.last_used_at_ms),
    }
    return model.model_validate({**fields, **more})
