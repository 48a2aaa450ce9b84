"""The OAuth routes: what a token is worth, its end, and what is published of the keys."""

import json

import pytest
from joserfc import jws
from joserfc.jwk import KeySet
from tests.support.service import ANN, BOB, V1, bearer

from voxgate.gate.signing import KeyFolder

ME = f"{V1}/auth/me"


@pytest.fixture
def api_key(ann):
    return ann["api_key"]


@pytest.fixture
def introspect(client, auth_headers):
    """Ask what a token is worth, as ann unless told."""

    def ask(token, headers=auth_headers, **form):
        answer = client.post("/oauth/introspect", data={"token": token, **form}, headers=headers)
        assert answer.status_code == 200, answer.get_json()
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.get_json()

    return ask


@pytest.fixture
def revoke(client):
    def ask(token, **form):
        answer = client.post("/oauth/revoke", data={"token": token, **form})
        assert answer.status_code == 200, answer.get_json()

    return ask


@pytest.fixture
def tokens(ann):
    return ann


class TestIntrospect:
    def test_own_access_token_is_described(self, introspect, tokens, clock):
        """Whose it is, where from, until when, and nothing more."""
        told = introspect(tokens["access_token"])
        assert (told["active"], told["token_type"]) == (True, "access_token")
        assert (told["iss"], told["aud"], told["client_id"]) == ("voxgate", "voxgate", "voxgate")
        assert told["exp"] == clock.now_ms() // 1000 + 900
        assert told["sub"]
        assert "." in told["jti"]

    def test_refresh_token_and_key_are_described_and_not_used(self, introspect, client, tokens, api_key):
        """Asking is no use of a refresh token: it works afterwards."""
        assert introspect(tokens["refresh_token"])["token_type"] == "refresh_token"
        assert introspect(api_key)["token_type"] == "api_key"
        assert client.post(f"{V1}/auth/refresh", headers=bearer(tokens["refresh_token"])).status_code == 200
        assert client.get(ME, headers={"X-API-Key": api_key}).status_code == 200

    def test_dead_or_foreign_or_forged_is_only_inactive(self, introspect, tokens, revoke, bob_headers, api_key):
        """One answer for everything that is worth nothing to the caller."""
        assert introspect(tokens["access_token"], bob_headers) == {"active": False}
        assert introspect(api_key, bob_headers) == {"active": False}
        assert introspect(tokens["access_token"][:-1] + "?") == {"active": False}
        assert introspect("sk-vg_nothing") == {"active": False}
        assert introspect(api_key[:-8] + "AAAAAAAA") == {"active": False}
        assert introspect("vgr_nothing") == {"active": False}
        assert introspect("x" * 9000) == {"active": False}
        revoke(tokens["refresh_token"])
        by_key = {"X-API-Key": api_key}
        assert introspect(tokens["access_token"], by_key) == {"active": False}
        assert introspect(tokens["refresh_token"], by_key) == {"active": False}

    def test_expired_and_disabled_are_inactive(self, introspect, tokens, clock, services, api_key, client):
        """What the gate would refuse is not called active."""
        clock.advance(901)
        fresh = client.post(f"{V1}/auth/refresh", headers=bearer(tokens["refresh_token"])).get_json()
        headers = bearer(fresh["access_token"])
        assert introspect(tokens["access_token"], headers) == {"active": False}
        assert introspect(fresh["access_token"], headers)["active"]

    def test_ended_and_expired_keys_are_inactive(self, introspect, client, auth_headers, clock):
        """A key has an end as well."""
        terms = {"name": "short", "expires_in": 60}
        made = client.post(f"{V1}/auth/api-keys", json=terms, headers=auth_headers).get_json()
        assert introspect(made["api_key"])["exp"] == clock.now_ms() // 1000 + 60
        clock.advance(60)
        assert introspect(made["api_key"]) == {"active": False}

    def test_bound_key_tells_its_networks_and_is_worth_nothing_elsewhere(
        self, introspect, client, auth_headers, tokens
    ):
        """Whoever decides by the answer decides as the gate does."""
        terms = {"name": "bound", "allowed_networks": ["192.0.2.0/24", "2001:db8::/32"]}
        key = client.post(f"{V1}/auth/api-keys", json=terms, headers=auth_headers).get_json()["api_key"]
        assert introspect(key)["allowed_networks"] == ["192.0.2.0/24", "2001:db8::/32"]
        for inside in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::7", ""):
            assert introspect(key, client_address=inside)["active"]
        for outside in ("192.0.3.7", "2001:db9::7", "somewhere"):
            assert introspect(key, client_address=outside) == {"active": False}
        assert "allowed_networks" not in introspect(tokens["api_key"], client_address="192.0.3.7")

    def test_used_refresh_token_is_inactive(self, introspect, client, tokens):
        """Its successor is not."""
        new = client.post(f"{V1}/auth/refresh", headers=bearer(tokens["refresh_token"])).get_json()
        client.post(f"{V1}/auth/refresh", headers=bearer(new["refresh_token"]))
        assert introspect(tokens["refresh_token"]) == {"active": False}
        assert introspect(new["refresh_token"])["active"]

    def test_idle_session_is_inactive(self, introspect, tokens, api_key, clock):
        """Its refresh token would be refused."""
        clock.advance(8 * 86_400)
        assert introspect(tokens["refresh_token"], {"X-API-Key": api_key}) == {"active": False}

    def test_administrator_sees_every_token(self, introspect, tokens, bob_headers, services):
        """A resource server introspects with the credential of an administrator."""
        bob = services.accounts.find_by_name(BOB["username"])
        services.accounts.set_role(bob.subject, "admin", is_granted=True)
        assert introspect(tokens["access_token"], bob_headers)["active"]

    def test_caller_must_prove_itself(self, client):
        """Introspection is never open (RFC 7662, section 2.1)."""
        assert client.post("/oauth/introspect", data={"token": "x"}).status_code == 401

    @pytest.mark.parametrize(
        ("sent", "status"),
        [({"data": {}}, 400), ({"data": {"token": ["a", "b"]}}, 400), ({"json": {"token": "x"}}, 415), ({}, 415)],
    )
    def test_other_forms_are_refused(self, client, auth_headers, sent, status):
        """One token, in a form."""
        headers = auth_headers if "data" in sent or "json" in sent else {**auth_headers, "Content-Type": "text/plain"}
        form = "application/x-www-form-urlencoded"
        more = {"content_type": form} if "data" in sent else {}
        for path in ("/oauth/introspect", "/oauth/revoke"):
            answer = client.post(path, headers=headers, **sent, **more)
            assert answer.status_code == status


class TestRevoke:
    @pytest.mark.parametrize("name", ["access_token", "refresh_token"])
    def test_either_token_ends_the_session(self, client, revoke, tokens, name):
        """Both are dead at once (RFC 7009, section 2)."""
        revoke(tokens[name], token_type_hint="anything")
        assert client.get(ME, headers=bearer(tokens["access_token"])).status_code == 401
        assert client.post(f"{V1}/auth/refresh", headers=bearer(tokens["refresh_token"])).status_code == 401

    def test_key_is_ended(self, client, revoke, api_key, events):
        """Whoever finds a lost key can end it, and the log says so."""
        revoke(api_key)
        assert client.get(ME, headers={"X-API-Key": api_key}).status_code == 401
        assert "authn_token_revoked" in [event for event, _ in events]

    def test_unknown_token_is_answered_alike(self, client, revoke, tokens):
        """There is nothing to learn here, and once more is no error."""
        revoke("nothing")
        revoke(tokens["access_token"])
        revoke(tokens["access_token"])


class TestPublished:
    def test_secret_key_is_not_published(self, client):
        """With HS256 there is nothing to publish."""
        answer = client.get("/.well-known/jwks.json")
        assert answer.get_json() == {"keys": []}
        assert answer.headers["Cache-Control"] == "public, max-age=60"

    def test_others_verify_with_the_published_key(self, client, services, clock, ann):
        """After a rotation to ES256 a token verifies with the JWKS alone."""
        KeyFolder(services.settings.data, clock=clock).rotate(overlap_s=60, algorithm="ES256")
        login = {name: ANN[name] for name in ("username", "password")}
        token = client.post(f"{V1}/auth/login", json=login).get_json()["access_token"]
        keys = KeySet.import_key_set(client.get("/.well-known/jwks.json").get_json())
        payload = json.loads(jws.deserialize_compact(token, keys, algorithms=["ES256"]).payload)
        assert payload["iss"] == "voxgate"
        assert client.get(ME, headers=bearer(token)).status_code == 200

    def test_metadata_names_what_there_is(self, client, make_app):
        """Addresses are those of the request, or of an issuer that is an address."""
        told = client.get("/.well-known/oauth-authorization-server").get_json()
        assert told["issuer"] == "voxgate"
        assert told["revocation_endpoint"] == "http://localhost/oauth/revoke"
        assert told["grant_types_supported"] == []

    def test_issuer_that_is_an_address_names_the_others(self, make_app):
        """RFC 8414, section 2: the issuer is an https address where it matters."""
        client = make_app(jwt_issuer="https://voice.example").test_client()
        told = client.get("/.well-known/oauth-authorization-server").get_json()
        assert told["issuer"] == "https://voice.example"
        assert told["jwks_uri"] == "https://voice.example/.well-known/jwks.json"
