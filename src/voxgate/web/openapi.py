"""The OpenAPI 3.1 document, built from the table of operations, the schemas and the table of problems."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from openapi_pydantic import OpenAPI
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from voxgate.gate.flask.cookies import ACCESS_NAME
from voxgate.web.in_cookies import REFRESH_COOKIE
from voxgate.web.openai_form import code_of, status_of
from voxgate.web.openai_schemas import OpenAIErrorAnswer
from voxgate.web.operation import Media, Operation, Success
from voxgate.web.problems import problem_for
from voxgate.web.schemas import Body, ProblemAnswer

Json = dict[str, Any]

_DESCRIPTION = """A text-to-speech service with a door.

To try it here: register, put the `api_key` of the answer under **Authorize**, and ask for audio with
`POST /api/v1/tts/generate`; its `job_id` leads to the audio.

Every error is `application/problem+json` (RFC 9457); read its `code`.
Under `/v1/` errors have OpenAI's form.
Limits are exact sliding windows: waiting `Retry-After` seconds works.
"""

_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of `POST /api/v1/auth/login`, or an API key.",
    },
    "apiKey": {"type": "apiKey", "name": "X-API-Key", "in": "header", "description": "An API key."},
    "refresh": {"type": "http", "scheme": "bearer", "description": "A refresh token of `POST /api/v1/auth/login`."},
    "cookie": {
        "type": "apiKey",
        "name": ACCESS_NAME,
        "in": "cookie",
        "description": "Set by `POST /api/v1/auth/login` with `cookies`.",
    },
    "refreshCookie": {
        "type": "apiKey",
        "name": REFRESH_COOKIE,
        "in": "cookie",
        "description": "Set by `POST /api/v1/auth/login` with `cookies`; sent to this path alone.",
    },
}
_COOKIES = {"access": "cookie", "refresh": "refreshCookie"}
_SCHEMES = {"access": "bearer", "api_key": "apiKey", "refresh": "refresh"}

_HEADERS = {
    "X-Request-ID": "Id of the request, given or made.",
    "X-Device-Token": "Makes this device known; show it at the next login. It opens nothing by itself.",
    "RateLimit-Policy": "The policies nearest exhaustion (draft-ietf-httpapi-ratelimit-headers-11).",
    "RateLimit": "What is left of them.",
    "Retry-After": "Whole seconds after which the same request can pass.",
    "WWW-Authenticate": "The challenge (RFC 6750, section 3).",
    "Location": "Where the job's status is.",
    "Idempotency-Replayed": "`true` when the job was started by an earlier request of the same name.",
    "ETag": "Names this very content.",
    "Content-Range": "Which bytes these are.",
    "Content-Disposition": "A file name made by the service.",
    "Accept-Ranges": "`bytes`",
    "X-Gate-Subject": "Id of the account that asks; absent where no credential is asked for.",
    "X-Gate-Tier": "Tier of the account.",
    "X-Gate-Kind": "Kind of the credential: `access` or `api_key`.",
    "X-Gate-Scopes": "Scopes of the credential, separated by spaces; empty means everything that the account may do.",
}


def build_document(operations: Sequence[Operation]) -> Json:
    """Return the OpenAPI 3.1 document of the operations, ready for JSON.

    Raises:
        pydantic.ValidationError: The table describes something that OpenAPI 3.1 does not know.
    """
    paths: Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    document = {
        "openapi": "3.1.1",
        "info": {
            "title": "voxgate",
            "version": version("voxgate"),
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            "securitySchemes": _SECURITY,
            "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()},
        },
    }
    return OpenAPI.model_validate(document).model_dump(mode="json", by_alias=True, exclude_none=True)


def _schemas(operations: Iterable[Operation]) -> Json:
    bodies = {body for operation in operations for body in (operation.body, operation.form) if body is not None}
    every = {answer for operation in operations for answer in operation.answers.values()}
    answers: set[type[BaseModel]] = {answer for answer in every if not isinstance(answer, Media)}
    answers |= {ProblemAnswer, OpenAIErrorAnswer}
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, _mode_of(model)) for model in bodies | answers]
    wanted.sort(key=lambda pair: pair[0].__name__)
    _, found = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
    schemas: Json = found["$defs"]
    return schemas


def _mode_of(model: type[BaseModel]) -> JsonSchemaMode:
    # What is sent always has its defaults filled in, so they are required there and optional in a request.
    return "validation" if issubclass(model, Body) else "serialization"


def _describe(operation: Operation) -> Json:
    by_status: dict[int, list[str]] = {}
    for code in operation.every_code:
        status = problem_for(code).status
        by_status.setdefault(status_of(status) if operation.has_openai_form else status, []).append(code)
    responses = {str(status): _success(operation, answer) for status, answer in operation.answers.items()}
    responses |= {str(status): _refusals(operation, status, codes) for status, codes in sorted(by_status.items())}
    described: Json = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "security": [{scheme: []} for scheme in _schemes_of(operation)],
        "responses": responses,
    }
    if operation.parameters:
        described["parameters"] = [
            {
                "name": each.name,
                "in": each.place,
                "description": each.description,
                "required": each.place == "path",
                "schema": {"type": "string"},
            }
            for each in operation.parameters
        ]
    if operation.body is not None:
        content = {"application/json": _schema_of(operation.body)}
        described["requestBody"] = {"required": operation.is_body_required, "content": content}
    if operation.form is not None:
        content = {"application/x-www-form-urlencoded": _schema_of(operation.form)}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _schemes_of(operation: Operation) -> list[str]:
    schemes = [_SCHEMES[kind] for kind in operation.credentials]
    cookies = [_COOKIES[kind] for kind in operation.credentials if kind in _COOKIES]
    return [*schemes, *(cookies if operation.takes_cookies else ())]


def _schema_of(model: type[BaseModel]) -> Json:
    return {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}


def _success(operation: Operation, answer: Success) -> Json:
    names = (*operation.headers, *_common_headers(operation))
    if not isinstance(answer, Media):
        text = (answer.__doc__ or "").strip().splitlines()[0]
        return {"description": text, "headers": _refer(names), "content": {"application/json": _schema_of(answer)}}
    described: Json = {"description": answer.description, "headers": _refer((*names, *answer.headers))}
    if answer.types:
        described["content"] = {
            kind: {"schema": {"type": "object" if kind == "application/json" else "string"}} for kind in answer.types
        }
    return described


def _refusals(operation: Operation, status: int, codes: Sequence[str]) -> Json:
    told = dict.fromkeys(f"`{problem_for(code).code}` {problem_for(code).error}" for code in codes)
    content = {"application/problem+json": _schema_of(ProblemAnswer)}
    if operation.has_openai_form:
        told = dict.fromkeys(f"`{code_of(problem_for(code).code)}` {problem_for(code).error}" for code in codes)
        content = {"application/json": _schema_of(OpenAIErrorAnswer)}
    names = [*_common_headers(operation)]
    names += ["WWW-Authenticate"] if status == HTTPStatus.UNAUTHORIZED else []
    names += ["Retry-After"] if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE} else []
    return {
        "description": "; ".join(told),
        "headers": _refer(names),
        "content": content,
    }


def _common_headers(operation: Operation) -> tuple[str, ...]:
    return ("X-Request-ID", *(("RateLimit-Policy", "RateLimit") if operation.is_limited else ()))


def _refer(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
