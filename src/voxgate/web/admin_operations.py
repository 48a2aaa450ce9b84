"""The operations on other accounts and the tiers; access tokens of administrators alone open them."""

from voxgate.web import admin_schemas as schemas
from voxgate.web.account_schemas import EndedAnswer, SessionsAnswer
from voxgate.web.operation import ACCESS, Media, Operation, Parameter

_USER_ID = Parameter("user_id", "path", "The account's id, as the list gives it.")
_TIER = Parameter("name", "path", "The tier's name: lower-case letters, digits and hyphens.")
_BEFORE = Parameter("before", "query", "Ends only what was opened before this time; RFC 3339, not in the future.")
_GONE = Media("It is gone.")

ADMIN_OPERATIONS = (
    Operation(
        "get",
        "/api/v1/admin/users",
        "List accounts, oldest first",
        {200: schemas.ManagedUsersAnswer},
        credentials=ACCESS,
        codes=("ADMIN_REQUIRED",),
        parameters=(Parameter("after", "query", "Id of an account; the page begins behind it."),),
    ),
    Operation(
        "get",
        "/api/v1/admin/users/{user_id}",
        "See an account",
        {200: schemas.ManagedUserAnswer},
        credentials=ACCESS,
        codes=("ADMIN_REQUIRED", "ACCOUNT_UNKNOWN"),
        parameters=(_USER_ID,),
    ),
    Operation(
        "patch",
        "/api/v1/admin/users/{user_id}",
        "Change the tier, state and limits of an account, from the next request",
        {200: schemas.ManagedUserAnswer},
        credentials=ACCESS,
        body=schemas.UserChangeBody,
        codes=("ADMIN_REQUIRED", "ACCOUNT_UNKNOWN"),
        parameters=(_USER_ID,),
    ),
    Operation(
        "delete",
        "/api/v1/admin/users/{user_id}",
        "Delete an account with its sessions, keys and jobs",
        {204: _GONE},
        credentials=ACCESS,
        codes=("ADMIN_REQUIRED", "ACCOUNT_UNKNOWN"),
        parameters=(_USER_ID,),
    ),
    Operation(
        "get",
        "/api/v1/admin/users/{user_id}/sessions",
        "List the live sessions of an account",
        {200: SessionsAnswer},
        credentials=ACCESS,
        codes=("ADMIN_REQUIRED", "ACCOUNT_UNKNOWN"),
        parameters=(_USER_ID,),
    ),
    Operation(
        "delete",
        "/api/v1/admin/users/{user_id}/sessions/{session_id}",
        "End one session of an account",
        {204: Media("It has ended; it may have ended before.")},
        credentials=ACCESS,
        codes=("ADMIN_REQUIRED", "ACCOUNT_UNKNOWN", "SESSION_NOT_FOUND"),
        parameters=(_USER_ID, Parameter("session_id", "path", "The session's id, as the list gives it.")),
    ),
    Operation(
        "delete",
        "/api/v1/admin/users/{user_id}/sessions",
        "End the sessions of an account",
        {200: EndedAnswer},
        credentials=ACCESS,
        codes=("ADMIN_REQUIRED", "ACCOUNT_UNKNOWN", "BAD_REQUEST"),
        parameters=(_USER_ID, _BEFORE),
    ),
    Operation(
        "delete",
        "/api/v1/admin/sessions",
        "End the sessions of every account",
        {200: EndedAnswer},
        credentials=ACCESS,
        codes=("ADMIN_REQUIRED", "BAD_REQUEST"),
        parameters=(_BEFORE,),
    ),
    Operation(
        "get",
        "/api/v1/admin/tiers",
        "List every tier with its limits",
        {200: schemas.TiersAnswer},
        credentials=ACCESS,
        codes=("ADMIN_REQUIRED",),
    ),
    Operation(
        "put",
        "/api/v1/admin/tiers/{name}",
        "Make a tier or replace its limits, from the next request of everybody in it",
        {200: schemas.TierAnswer},
        credentials=ACCESS,
        body=schemas.TierBody,
        codes=("ADMIN_REQUIRED",),
        parameters=(_TIER,),
    ),
    Operation(
        "delete",
        "/api/v1/admin/tiers/{name}",
        "Remove a tier that nobody is in; one of the settings goes back to them",
        {204: _GONE},
        credentials=ACCESS,
        codes=("ADMIN_REQUIRED", "TIER_UNKNOWN", "TIER_IN_USE"),
        parameters=(_TIER,),
    ),
)
