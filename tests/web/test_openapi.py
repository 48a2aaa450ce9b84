"""The description of the interface: complete, true to the routes, and valid OpenAPI 3.1."""

import re

import pytest
from openapi_pydantic import OpenAPI
from tests.support.service import DESCRIBED

from voxgate.gate.principal import CredentialKind
from voxgate.web.problems import PROBLEMS


@pytest.fixture
def document(client):
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.get_json()


def operations(document):
    return {(method.upper(), path): each for path, item in document["paths"].items() for method, each in item.items()}


def routes(app):
    return {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)): rule
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def references(value):
    if isinstance(value, dict):
        yield from ([value["$ref"]] if "$ref" in value else [])
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from references(each)


def test_is_openapi_31(document):
    """The document is read by an independent model of OpenAPI 3.1."""
    assert document["openapi"].startswith("3.1.")
    assert document["servers"] == [{"url": "/"}]
    OpenAPI.model_validate(document)


def test_describes_every_route_and_no_other(app, document):
    """What is served is described, and what is described is served."""
    assert operations(document).keys() == routes(app).keys()


def test_every_reference_leads_somewhere(document):
    """Each ``$ref`` names a component that is there."""
    for reference in references(document):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def test_operation_ids_are_unique(document):
    """Generated clients have a name for each operation."""
    names = [each["operationId"] for each in operations(document).values()]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() for name in names)


def test_every_path_parameter_is_described(document):
    """Braces in a path have a parameter, and parameters have braces."""
    for (_, path), each in operations(document).items():
        told = {given["name"] for given in each.get("parameters", []) if given["in"] == "path"}
        assert told == set(re.findall(r"{(\w+)}", path))


def test_every_route_carries_a_rule(app):
    """Nothing is open by accident: each route says who may call it."""
    for rule in app.url_map.iter_rules():
        assert hasattr(app.view_functions[rule.endpoint], "__voxgate_rule__"), rule


def test_security_is_the_rule_of_the_route(app, document):
    """What is described as open is open, and what is guarded says by which credential."""
    kinds = {"bearer": CredentialKind.ACCESS, "apiKey": CredentialKind.API_KEY, "refresh": CredentialKind.REFRESH}
    cookies = {"cookie": CredentialKind.ACCESS, "refreshCookie": CredentialKind.REFRESH}
    for key, rule in routes(app).items():
        told = {name for each in operations(document)[key]["security"] for name in each}
        held = app.view_functions[rule.endpoint].__voxgate_rule__
        assert {kinds[name] for name in told & kinds.keys()} == held.credentials
        in_cookies = set() if held.cookies is False else held.credentials - {CredentialKind.API_KEY}
        assert {cookies[name] for name in told - kinds.keys()} == in_cookies
        assert DESCRIBED[key].is_limited != held.is_exempt


def test_every_error_is_a_problem_document(document):
    """Every status from 400 on has the one form, or OpenAI's under /v1/, and 401, 429 and 503 their headers."""
    for (_, path), each in operations(document).items():
        is_theirs = path.startswith("/v1/")
        kind = "application/json" if is_theirs else "application/problem+json"
        name = "OpenAIErrorAnswer" if is_theirs else "ProblemAnswer"
        for status, answer in each["responses"].items():
            if status < "400":
                continue
            assert answer["content"][kind]["schema"] == {"$ref": f"#/components/schemas/{name}"}
            assert ("Retry-After" in answer["headers"]) == (status in {"429", "503"})
            assert ("WWW-Authenticate" in answer["headers"]) == (status == "401")


def test_every_problem_can_be_met(document):
    """Each row of the table is described by some route, or belongs to no route in particular."""
    told = {code.upper() for code in re.findall(r"`([A-Za-z_]+)`", str(document["paths"]))}
    elsewhere = {"METHOD_NOT_ALLOWED", "API_KEY_MISSING"}
    assert {row.code for row in PROBLEMS.values()} - told == elsewhere


def test_requests_say_their_defaults(document):
    """A client can see what it need not send."""
    body = document["components"]["schemas"]["GenerateBody"]
    assert body["required"] == ["text"]
    assert body["additionalProperties"] is False
    assert body["properties"]["voice_name"]["default"] == "Alnilam"
