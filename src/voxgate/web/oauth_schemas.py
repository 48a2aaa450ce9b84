"""The shapes of the OAuth routes: their forms, and what they answer."""

from typing import Any

from pydantic import Field

from voxgate.web.schemas import Answer, Body


class TokenForm(Body):
    """A token, as a form."""

    token: str = Field(description="An access token, a refresh token or an API key.")
    token_type_hint: str | None = Field(default=None, description="Not needed: a token says what it is.")


class IntrospectionForm(TokenForm):
    """A token, as a form, and who has shown it."""

    client_address: str | None = Field(
        default=None,
        description="Address of the client that has shown the token; one that it may not come from: inactive.",
    )


class IntrospectionAnswer(Answer):
    """What a token is worth (RFC 7662, section 2.2); only `active` when it is worth nothing to the caller."""

    active: bool
    scope: str | None = None
    client_id: str | None = None
    token_type: str | None = None
    exp: int | None = None
    sub: str | None = None
    aud: str | None = None
    iss: str | None = None
    jti: str | None = None
    allowed_networks: list[str] | None = Field(
        default=None, description="Where an API key may be used from; absent for everywhere."
    )


class JwksAnswer(Answer):
    """The public keys that verify tokens (RFC 7517); empty while tokens are signed with a secret."""

    keys: list[dict[str, Any]]


class MetadataAnswer(Answer):
    """What there is of OAuth here (RFC 8414)."""

    issuer: str
    jwks_uri: str
    revocation_endpoint: str
    revocation_endpoint_auth_methods_supported: list[str]
    introspection_endpoint: str
    introspection_endpoint_auth_methods_supported: list[str]
    response_types_supported: list[str]
    grant_types_supported: list[str]
    scopes_supported: list[str]
    service_documentation: str
