"""The operations of the OAuth routes."""

from voxgate.web import oauth_schemas as schemas
from voxgate.web.operation import ANY, Media, Operation

_FORM = ("BAD_REQUEST", "BODY_TIMEOUT", "UNSUPPORTED_MEDIA_TYPE", "BODY_TOO_LARGE")

OAUTH_OPERATIONS = (
    Operation(
        "post",
        "/oauth/revoke",
        "End the session of a token, or an API key; whoever holds it may",
        {200: Media("It is worth nothing now; it may have been worth nothing before.")},
        form=schemas.TokenForm,
        codes=_FORM,
    ),
    Operation(
        "post",
        "/oauth/introspect",
        "See what an own token is worth; administrators see every token",
        {200: schemas.IntrospectionAnswer},
        credentials=ANY,
        form=schemas.IntrospectionForm,
        codes=_FORM,
    ),
    Operation(
        "get",
        "/.well-known/jwks.json",
        "Get the public keys that verify tokens",
        {200: schemas.JwksAnswer},
    ),
    Operation(
        "get",
        "/.well-known/oauth-authorization-server",
        "Get what there is of OAuth here",
        {200: schemas.MetadataAnswer},
    ),
)
