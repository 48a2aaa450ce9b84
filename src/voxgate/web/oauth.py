"""OAuth routes: revoke and introspect a token, the public keys, and what there is of OAuth here."""

from flask import Blueprint, Response, request

from voxgate.accounts.introspection import Introspection, TokenInfo
from voxgate.accounts.scopes import SCOPES
from voxgate.gate import events
from voxgate.gate.errors import Refusal
from voxgate.gate.principal import CredentialKind
from voxgate.gate.tokens import CLIENT_ID
from voxgate.web.answers import answer
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.oauth_schemas import IntrospectionAnswer, JwksAnswer, MetadataAnswer
from voxgate.web.problems import refuse
from voxgate.web.told import tell

MAX_AGE_S = 60
MAX_TOKEN_CHARACTERS = 8192
_FORM = "application/x-www-form-urlencoded"
_PUBLIC = {"Cache-Control": f"public, max-age={MAX_AGE_S}"}
_TYPES = {
    CredentialKind.ACCESS: "access_token",
    CredentialKind.REFRESH: "refresh_token",
    CredentialKind.API_KEY: "api_key",
}

blueprint = Blueprint("oauth", __name__)


@blueprint.post("/oauth/revoke")
@gate.open(cookies=False)
def revoke() -> Response:
    """End what the token belongs to: its session, or the API key itself (RFC 7009).

    Who holds a token may end it: that needs no other proof. A token that is worth nothing is answered alike.
    """
    token = _read_token()
    if isinstance(token, Refusal):
        return refuse(token)
    found = _introspection().look(token)
    if found is not None:
        _end(found)
    done = Response(status=200, headers={"Cache-Control": "no-store"})
    del done.headers["Content-Type"]
    return done


@blueprint.post("/oauth/introspect")
@gate.protect(cookies=False)
def introspect() -> Response:
    """Tell what a token is worth (RFC 7662): one's own, or anybody's to an administrator."""
    token = _read_token()
    if isinstance(token, Refusal):
        return refuse(token)
    found = _introspection().look(token)
    address = request.form.get("client_address")
    # The gate refuses a key elsewhere; who decides by this answer, decides alike once it says where the client is.
    if found is None or not _may_see(found) or (address and not found.opens_from(address)):
        return _tell_worth(IntrospectionAnswer(active=False))
    signer = services().signer
    is_access = found.kind is CredentialKind.ACCESS
    return _tell_worth(
        IntrospectionAnswer(
            active=True,
            scope=" ".join(sorted(found.scopes)) or None,
            client_id=CLIENT_ID if is_access else None,
            token_type=_TYPES[found.kind],
            exp=None if found.expires_at_ms is None else found.expires_at_ms // 1000,
            sub=found.subject,
            aud=signer.audience if is_access else None,
            iss=signer.issuer if is_access else None,
            jti=found.token_id,
            allowed_networks=list(found.networks) or None,
        )
    )


@blueprint.get("/.well-known/jwks.json")
@gate.open(cookies=False)
def show_keys() -> Response:
    """Send the public keys that verify tokens."""
    keys = services().signer.keys.public_jwks(services().clock.now_ms())
    return answer(JwksAnswer(keys=keys), headers=_PUBLIC)


@blueprint.get("/.well-known/oauth-authorization-server")
@gate.open(cookies=False)
def show_metadata() -> Response:
    """Send what there is of OAuth here (RFC 8414)."""
    issuer = services().settings.jwt_issuer
    # An issuer that is no address cannot say where things are; the request's own address does.
    base = issuer.rstrip("/") if issuer.startswith("https://") else request.url_root.rstrip("/")
    if not request.host and base != issuer.rstrip("/"):
        return refuse(Refusal("BAD_REQUEST", "The Host header names no host."))
    return answer(
        MetadataAnswer(
            issuer=issuer,
            jwks_uri=f"{base}/.well-known/jwks.json",
            revocation_endpoint=f"{base}/oauth/revoke",
            revocation_endpoint_auth_methods_supported=["none"],
            introspection_endpoint=f"{base}/oauth/introspect",
            introspection_endpoint_auth_methods_supported=["bearer"],
            response_types_supported=[],
            grant_types_supported=[],
            scopes_supported=list(SCOPES),
            service_documentation=f"{base}/docs",
        )
    )


def _read_token() -> str | Refusal:
    if request.mimetype != _FORM:
        return Refusal("UNSUPPORTED_MEDIA_TYPE", f"Send a form, with 'Content-Type: {_FORM}'.")
    tokens = request.form.getlist("token")
    if len(tokens) != 1 or not tokens[0]:
        return Refusal("BAD_REQUEST", "Send one 'token'.")
    # What is too long to be a token is as unknown as any other text.
    return tokens[0] if len(tokens[0]) <= MAX_TOKEN_CHARACTERS else ""


def _tell_worth(body: IntrospectionAnswer) -> Response:
    """Return the answer without what is not known: a token that is worth nothing has one member."""
    headers = {"Cache-Control": "no-store"}
    return Response(body.model_dump_json(exclude_none=True), headers=headers, mimetype="application/json")


def _introspection() -> Introspection:
    parts = services()
    return Introspection(parts.directory, parts.signer, clock=parts.clock)


def _end(found: TokenInfo) -> None:
    if found.kind is CredentialKind.API_KEY:
        services().api_keys.revoke(found.subject, found.record_id)
        tell(events.AUTHN_TOKEN_REVOKED, user_id=found.subject, key_id=found.record_id)
    else:
        services().sessions.end(found.record_id)
        tell(events.AUTHN_TOKEN_REVOKED, user_id=found.subject, session_id=found.record_id)


def _may_see(found: TokenInfo) -> bool:
    caller = gate.principal
    if found.subject == caller.subject:
        return True
    account = services().accounts.find(caller.subject)
    # A credential that is held to a few scopes is not one for everything.
    return account is not None and account.is_admin and not caller.scopes
