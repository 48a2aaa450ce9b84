"""Hostile bodies: whatever arrives, no route answers 5xx and no body is anything but JSON."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.service import V1

from voxgate.web.operations import OPERATIONS, ROOT_OPERATIONS

ROUTES = [(each.path, each.body) for each in (*OPERATIONS, *ROOT_OPERATIONS) if each.body is not None]
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
]
WIDE = {f"ratelimit_{name}": "1000000 per second" for name in ("default", "standard", "register", "tts_generate")}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def post(make_app):
    """Send any body to a route, with a key that opens it."""
    client = make_app(**WIDE).test_client()
    account = {"username": "fuzz", "email": "fuzz@example.com", "password": "password123"}
    headers = {"X-API-Key": client.post(f"{V1}/auth/register", json=account).get_json()["api_key"]}

    def call(path, data, content_type="application/json"):
        answer = client.post(path, headers=headers, data=data, content_type=content_type)
        assert answer.status_code < 500
        return answer

    return call


def good_body(model):
    return {name: field.default if name != "text" else "a" for name, field in model.model_fields.items()} | {
        name: f"{name}@example.com" for name in ("username", "email", "password") if name in model.model_fields
    }


@pytest.mark.parametrize(("path", "model"), ROUTES)
def test_every_field_takes_every_type(post, path, model):
    """Any JSON value in any field is a success or a 4xx, in the field alone and in the whole body."""
    for value in VALUES:
        assert post(path, json.dumps(value)).status_code >= 400
        for name in model.model_fields:
            post(path, json.dumps(good_body(model) | {name: value}))


@pytest.mark.parametrize(("path", "model"), ROUTES)
def test_every_content_type(post, path, model):
    """A body that does not say it is JSON is 415, whatever it is."""
    body = json.dumps(good_body(model))
    for content_type in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "", "application/json-x"):
        assert post(path, body, content_type).status_code == 415


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.dictionaries(st.sampled_from(["text", "speed", "pitch", "voice_name", "username", "x"]), json_values))
def test_any_json(post, value):
    """Any JSON at all is answered."""
    for path, _ in ROUTES[:3]:
        post(path, json.dumps(value))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60))
def test_any_bytes(post, data):
    """Any bytes at all are a 4xx."""
    for path, _ in ROUTES[:3]:
        assert post(path, data).status_code >= 400
