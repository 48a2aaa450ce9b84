"""Hostile bodies: whatever arrives, no route answers 5xx and no body is anything but JSON."""

import contextlib
import functools
import json

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.support.service import ANN, BOB, V1, bearer

from voxgate.web.operations import OPERATIONS, ROOT_OPERATIONS

ROUTES = [each for each in (*OPERATIONS, *ROOT_OPERATIONS) if each.body is not None]
PATHS = [each.path for each in ROUTES]
VALUES = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**400,
    "",
    "x",
    "\0",
    "\ud800",
    "'; --",
    [],
    ["a"],
    {},
    {"a": []},
    "x" * 9999,
    "é" * 400,
    1e308,
    10**30,
]
NAMES = ("default", "standard", "register", "tts_generate", "account", "login", "login_address", "openai_speech")
WIDE = {f"ratelimit_{name}": "1000000 per second" for name in NAMES}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def send(make_app):
    """Send any body to an operation, with a credential that opens it."""
    app = make_app(**WIDE)
    client = app.test_client()
    made = client.post(f"{V1}/auth/register", json=ANN).get_json()
    login = client.post(f"{V1}/auth/login", json={name: ANN[name] for name in ("username", "password")}).get_json()
    bob = client.post(f"{V1}/auth/register", json=BOB).get_json()
    app.extensions["voxgate.services"].accounts.set_role(made["user_id"], "admin", is_granted=True)
    named = {"{key_id}": made["api_key"].split("_")[1], "{user_id}": bob["user_id"], "{name}": "gold"}

    def call(operation, data, content_type="application/json"):
        has_key = "api_key" in operation.credentials or not operation.credentials
        shown = {"X-API-Key": made["api_key"]} if has_key else bearer(login["access_token"])
        path = functools.reduce(lambda path, name: path.replace(name, named[name]), named, operation.path)
        answer = client.open(path, method=operation.method.upper(), headers=shown, data=data, content_type=content_type)
        assert answer.status_code < 500
        is_let_in = answer.status_code not in {401, 403, 429} or code_of(answer) == "WRONG_PASSWORD"
        assert is_let_in or not operation.credentials
        return answer

    return call


def code_of(answer):
    """Return the code of an error, in our form or in OpenAI's."""
    body = answer.get_json()
    return body["code"] if "code" in body else body["error"]["code"]


def good_body(model):
    body = {name: field.get_default(call_default_factory=True) for name, field in model.model_fields.items()}
    strings = {name: f"{name}@example.com" for name, field in model.model_fields.items() if field.is_required()}
    known = {"text": "a", "model": "tts-1", "voice": "nova"}
    return body | strings | {name: value for name, value in known.items() if name in body}


@pytest.mark.parametrize("operation", ROUTES, ids=PATHS)
def test_every_field_takes_every_type(send, operation):
    """Any JSON value in any field is a success or a 4xx, in the field alone and in the whole body."""
    for value in VALUES:
        is_default = not value and isinstance(value, list | dict | None) and not operation.is_body_required
        assert send(operation, json.dumps(value)).status_code >= 400 or is_default
        for name in operation.body.model_fields:
            send(operation, json.dumps(good_body(operation.body) | {name: value}))


@pytest.mark.parametrize("operation", ROUTES, ids=PATHS)
def test_every_content_type(send, operation):
    """A body that does not say it is JSON is 415, whatever it is."""
    body = json.dumps(good_body(operation.body))
    for content_type in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "", "application/json-x"):
        assert send(operation, body, content_type).status_code == 415


@pytest.mark.parametrize("operation", ROUTES, ids=PATHS)
def test_no_field_but_the_documented(send, operation):
    """Nobody assigns what is not offered; OpenAI's form passes such fields over, as other servers have theirs."""
    asked = good_body(operation.body)
    for name in ("id", "tier", "is_premium", "subject", "user_id", "digest", "ended_at_ms"):
        answer = send(operation, json.dumps(asked | {name: 1}))
        if operation.path.startswith("/v1/"):
            assert (answer.status_code, answer.mimetype) == (200, "audio/mpeg")
        else:
            assert answer.status_code == 422


NAMED = ["text", "speed", "voice_name", "username", "name", "scopes", "expires_in", "overlap_s", "x"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.dictionaries(st.sampled_from(NAMED), json_values))
def test_any_json(send, value):
    """Any JSON at all is answered."""
    for operation in ROUTES[:5]:
        send(operation, json.dumps(value))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=60))
def test_any_bytes(send, data):
    """Any bytes at all are a 4xx, but those that say as much as no body does."""
    with contextlib.suppress(ValueError, RecursionError):
        assume(json.loads(data))
    for operation in ROUTES[:5]:
        assert send(operation, data).status_code >= 400
