"""The operations on the own account's keys, sessions and password; access tokens alone open them."""

from voxgate.web import account_schemas as schemas
from voxgate.web.operation import ACCESS, Media, Operation, Parameter
from voxgate.web.schemas import MessageAnswer

_KEY_ID = Parameter("key_id", "path", "The key's id, as the list gives it.")
_ENDED = Media("It has ended; it may have ended before.")

ACCOUNT_OPERATIONS = (
    Operation(
        "get",
        "/api/v1/auth/api-keys",
        "List the own API keys, never their secrets",
        {200: schemas.KeysAnswer},
        credentials=ACCESS,
    ),
    Operation(
        "post",
        "/api/v1/auth/api-keys",
        "Make an API key with a name, scopes and an end",
        {201: schemas.IssuedKeyAnswer},
        credentials=ACCESS,
        body=schemas.NewKeyBody,
        codes=("TOO_MANY_KEYS",),
    ),
    Operation(
        "patch",
        "/api/v1/auth/api-keys/{key_id}",
        "Change the name, scopes or end of an API key, from the next request",
        {200: schemas.KeyAnswer},
        credentials=ACCESS,
        body=schemas.KeyChangeBody,
        codes=("KEY_NOT_FOUND", "KEY_EXPIRED", "KEY_ROTATED"),
        parameters=(_KEY_ID,),
    ),
    Operation(
        "delete",
        "/api/v1/auth/api-keys/{key_id}",
        "End an API key, from the next request",
        {204: _ENDED},
        credentials=ACCESS,
        codes=("KEY_NOT_FOUND",),
        parameters=(_KEY_ID,),
    ),
    Operation(
        "post",
        "/api/v1/auth/api-keys/{key_id}/rotate",
        "Replace an API key by a new one with the same name, scopes and end",
        {201: schemas.RotatedKeyAnswer},
        credentials=ACCESS,
        body=schemas.KeyRotationBody,
        is_body_required=False,
        codes=("KEY_NOT_FOUND", "KEY_EXPIRED", "KEY_ROTATED", "TOO_MANY_KEYS"),
        parameters=(_KEY_ID,),
    ),
    Operation(
        "get",
        "/api/v1/auth/sessions",
        "List the own live sessions",
        {200: schemas.SessionsAnswer},
        credentials=ACCESS,
    ),
    Operation(
        "delete",
        "/api/v1/auth/sessions",
        "End all own sessions but the one that asks",
        {200: schemas.EndedAnswer},
        credentials=ACCESS,
        codes=("BAD_REQUEST",),
        parameters=(
            Parameter("all", "query", "`true` ends the session that asks as well."),
            Parameter("before", "query", "Ends only what was opened before this time; RFC 3339, not in the future."),
        ),
    ),
    Operation(
        "delete",
        "/api/v1/auth/sessions/{session_id}",
        "End one of the own sessions, its access and refresh tokens",
        {204: _ENDED},
        credentials=ACCESS,
        codes=("SESSION_NOT_FOUND",),
        parameters=(Parameter("session_id", "path", "The session's id, as the list gives it."),),
    ),
    Operation(
        "get",
        "/api/v1/auth/events",
        "List what happened to the own account: logins, refusals, changes",
        {200: schemas.EventsAnswer},
        credentials=ACCESS,
        codes=("BAD_REQUEST",),
        parameters=(Parameter("before", "query", "What the `next` of another page says."),),
    ),
    Operation(
        "post",
        "/api/v1/auth/password",
        "Change the password; all other sessions end, this one and the API keys stay",
        {200: MessageAnswer},
        credentials=ACCESS,
        body=schemas.PasswordBody,
        codes=("WRONG_PASSWORD", "HASHING_BUSY"),
    ),
    Operation(
        "delete",
        "/api/v1/auth/me",
        "Delete the account with its sessions, keys and jobs, for its password",
        {204: Media("The account is gone.")},
        credentials=ACCESS,
        body=schemas.DeletionBody,
        codes=("WRONG_PASSWORD", "HASHING_BUSY"),
    ),
)
