"""Every JSON route and every header fed with what does not belong there: a client's error, never ours."""

import json
import random
import re
from itertools import product

import pytest
from tests.support.calls import V1, dump

ODD_VALUES = [None, True, 0, -1, 1e308, 10**30, "", "x", "\0", "é" * 400, [], ["a"], {}, {"a": 1}, [[[]]], "\ud800"]
ODD_BODIES = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"1",
    b"true",
    b"{",
    b"{}}",
    b"[" * 50_000,
    b'{"a":' * 50_000,
    b'{"text": NaN}',
    b'{"text": Infinity}',
    b'{"text": 1e999, "speed": 1e999}',
    b'{"text": "a", "text": "b"}',
    b'{"text": "\xff\xfe"}',
    b"\xef\xbb\xbf{}",
    '{"text": "a"}'.encode("utf-16"),
    b"\x00" * 1000,
    b'{"' + b"k" * 100_000 + b'": 1}',
    b" " * 200_000,
    b'{"text": "' + b"a" * 200_000 + b'"}',
]
ODD_TYPES = ["", "text/plain", "application/json; charset=utf-16", "multipart/form-data; boundary=x", "a/b/c", "*/*"]
ODD_CREDENTIALS = [
    {"Authorization": value}
    for value in (
        "",
        "Bearer",
        "Bearer ",
        "bearer x y",
        "Basic dGVzdHVzZXI6cGFzc3dvcmQxMjM=",
        "Bearer " + "a" * 6000,
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer a.b.c",
        "Bearer ....",
        "Bearer \xff\xfe",
        "Bearer sk-vg_",
        "Bearer sk-vg_x_y",
        "Digest username=x",
    )
] + [{"X-API-Key": value} for value in ("", "x", "sk-vg_" + "0" * 6000, "\xff\xfe", "' OR 1=1 --", "../../secret.key")]
ODD_HEADERS = [
    {"Range": "bytes=a-b"},
    {"Range": "bytes=" + ",".join(f"{number}-" for number in range(500))},
    {"If-None-Match": '"' * 100},
    {"If-Modified-Since": "yesterday"},
    {"X-Request-ID": "a\tb" * 50},
    {"X-Request-ID": "x" * 5000},
    {"X-Forwarded-For": "1.2.3.4, " * 300},
    {"Accept": "text/html;q=nonsense"},
    {"Cookie": "=;;=" * 500},
    {"Origin": "null"},
    {"Content-Encoding": "gzip"},
    {"Expect": "nothing"},
    {"X-HTTP-Method-Override": "DELETE"},
]


@pytest.fixture(scope="session")
def described(served):
    """Every path and method that the service says it has, with a value for each parameter."""
    paths = served.api.get("/openapi.json").json()["paths"]
    return [
        (method.upper(), re.sub(r"{\w+}", "0" * 32, path), operation)
        for path, operations in paths.items()
        for method, operation in operations.items()
    ]


@pytest.fixture(scope="session")
def json_routes(served, described):
    """Every route that takes JSON: its path and the names of its fields."""
    schemas = served.api.get("/openapi.json").json()["components"]["schemas"]
    found = []
    for method, path, operation in described:
        if "application/json" in operation.get("requestBody", {}).get("content", {}):
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
            found.append((method, path, sorted(schema["properties"])))
    assert {f"{V1}/auth/register", f"{V1}/auth/login", f"{V1}/tts/generate", "/login"} <= {path for _, path, _ in found}
    return found


@pytest.fixture
def caller(served):
    """Somebody with a key, which no route of sessions takes, so that none of these requests logs them out."""
    return served.api.shown(key=served.api.join().key)


def is_client_error(answer):
    """Tell whether an answer, whose form the caller has checked already, blames the client."""
    return 400 <= answer.status < 500


def test_bodies_that_are_no_object_are_refused(caller, json_routes):
    """Broken, deep, huge, empty and foreign bodies on every route."""
    for (method, path, _), body in product(json_routes, ODD_BODIES):
        answer = caller.ask(method, path, body=body, headers={"Content-Type": "application/json"})
        assert is_client_error(answer), (path, body[:40], answer.status)


def test_bodies_of_another_type_are_refused(caller, json_routes):
    """Only JSON that says so is read; routes of sessions refuse the key before that."""
    for (method, path, fields), kind in product(json_routes, ODD_TYPES):
        answer = caller.ask(method, path, body=dump(dict.fromkeys(fields, "x")), headers={"Content-Type": kind})
        # JSON is UTF-8 whatever its charset says, and then it is read: "x" names no model (OpenAI's 404).
        read = {404} if path.startswith("/v1/") and kind.startswith("application/json") else set()
        assert answer.status in {400, 401, 403, 415, 422} | read, (path, kind, answer.status)


def test_fields_of_another_type_are_refused(caller, json_routes):
    """Each field of each route with a value of every kind, the others good: no answer is a 5xx."""
    good = {"username": "nobody", "email": "nobody@example.org", "password": "password123", "text": "Good."}
    good |= {"voice_name": "Alnilam", "output_format": "wav", "speed": 1.0, "pitch": 0}
    for method, path, fields in json_routes:
        for field, value in product(fields, ODD_VALUES):
            body = {name: good.get(name, "x") for name in fields} | {field: value}
            answer = caller.ask(method, path, json=body)
            assert answer.status < 500, (path, field, value)
            if field in good and not isinstance(value, type(good[field])) and not is_number(value, good[field]):
                assert is_client_error(answer), (path, field, value, answer.status)


def is_number(value, good):
    """Tell whether a value is a number where one belongs; a truth value is none."""
    return isinstance(good, int | float) and isinstance(value, int | float) and not isinstance(value, bool)


def test_unknown_fields_are_refused(caller, json_routes):
    """Nothing can be assigned that a route does not name."""
    for method, path, fields in json_routes:
        body = dict.fromkeys(fields, "x" * 10) | {"tier": "premium", "is_active": True, "__proto__": {}}
        assert is_client_error(caller.ask(method, path, json=body))


def test_random_json_is_never_our_error(caller, json_routes):
    """Two hundred bodies of random shape; the seed is told by the failure."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for _ in range(200):
        method, path, fields = chance.choice(json_routes)
        body = json.dumps({name: random_value(chance, 3) for name in fields if chance.random() < 0.8})
        answer = caller.ask(method, path, body=body.encode(), headers={"Content-Type": "application/json"})
        assert answer.status < 500, (seed, path, body)


def random_value(chance, depth):
    """Return a JSON value of any shape."""
    kind = chance.randrange(8 if depth else 6)
    if kind < 6:
        text = "".join(chr(chance.choice((0, 65, 233, 0x4E2D, 0x1F600, 0x202E))) for _ in range(chance.randrange(8)))
        return chance.choice((None, True, chance.randrange(-9, 9), chance.uniform(-1e9, 1e9), text, "Alnilam"))
    parts = [random_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return parts if kind == 6 else {str(number): part for number, part in enumerate(parts)}


def test_odd_credentials_are_never_our_error(served, described):
    """Every route with credentials of every wrong form: refused where one is needed, and never a 5xx."""
    for (method, path, operation), headers in product(described, ODD_CREDENTIALS):
        answer = served.api.ask(method, path, headers=headers)
        if operation.get("security"):
            assert answer.status in {400, 401, 403, 429}, (path, headers)


def test_odd_headers_are_never_our_error(caller, described):
    """Every route with headers that are not what they should be."""
    for (method, path, _), headers in product(described, ODD_HEADERS):
        caller.ask(method, path, headers=headers)


def test_two_credentials_are_refused(served, described):
    """A request shows one credential; which of two would count is never guessed."""
    joined = served.api.join()
    for method, path, operation in described:
        if operation.get("security"):
            answer = served.api.shown(bearer=joined.access, key=joined.key).ask(method, path)
            # A proxy's question that names no request is no question, whoever asks.
            code = "BAD_REQUEST" if path == f"{V1}/gate/decide" else "INVALID_REQUEST"
            assert (answer.status, answer.code) == (400, code), path


def test_odd_paths_are_never_our_error(caller):
    """Addresses that climb, break encodings or never end: not found, in the form of every error."""
    ends = ("%2e%2e/%2e%2e/etc/passwd", "%00", "%ff%fe", "a" * 4000, "..%5c..", "%E2%80%AE", "0" * 31, "0" * 33, "{x}")
    for end, start in product(ends, (f"{V1}/tts/audio/", f"{V1}/tts/status/", "/docs/assets/", "/")):
        assert caller.get(start + end).status == 404, (start, end)
    for query in (
        "before=",
        "before=%00",
        "before=%ff",
        "before=" + "9" * 3000,
        "before[]=1",
        "&&&=",
        "before=1&before=2",
    ):
        assert caller.get(f"{V1}/tts/?{query}").status in {200, 400}, query


def test_odd_methods_are_refused(caller, described):
    """A method that a path does not have is 405 and names those that it has."""
    has = {(method, path) for method, path, _ in described}
    for path, method in product({path for _, path in has}, ("DELETE", "PUT", "PATCH", "TRACE", "FOO")):
        if (method, path) in has:
            continue
        answer = caller.ask(method, path)
        assert answer.status == 405, (path, method)
        allowed = set(answer.headers["Allow"].split(", "))
        assert {each for each, other in has if other == path} <= allowed


def test_service_is_whole_afterwards(served, caller):
    """After all of that it is ready, serves good requests and has logged no traceback."""
    assert served.api.get("/readyz").status == 200
    assert served.api.join().speak("Whole.").status == 200
    assert "Traceback" not in served.output
    assert '"level": "error"' not in served.output
