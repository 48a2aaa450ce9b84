"""JSON in: one strict reading of a request body, typed values or every bad field at once."""

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError

from voxgate.gate.errors import FieldFault, Refusal

MAX_FAULTS = 20
MAX_POINTER_CHARACTERS = 120

_DETAILS = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be a string",
    "string_unicode": "must be a string of Unicode characters",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "finite_number": "must be a finite number",
}

Body = TypeVar("Body", bound=BaseModel)


class _NotStrictJson(ValueError):  # noqa: N818 -- never leaves this module
    """The text is JSON that two readers could understand differently."""


def read_object() -> dict[str, object] | Refusal:
    """Read the request's body as one JSON object.

    Names stand once, numbers are finite, strings are Unicode (I-JSON, RFC 7493), so that every
    reader behind this one sees the same values. An empty value (``null``, ``[]``) is an empty object.

    Returns:
        The object, or 415 for another content type, 413 for too much of it and 400 for anything that is not such JSON.
    """
    if not request.is_json or request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return Refusal("UNSUPPORTED_MEDIA_TYPE")
    data = request.get_data(cache=True)
    limit_bytes = request.max_content_length
    if request.content_length is None and limit_bytes is not None and len(data) >= limit_bytes:
        return Refusal("BODY_TOO_LARGE")  # a chunked body is cut there without a word
    value = _parse(data)
    if isinstance(value, Refusal):
        return value
    if not value:
        return {}
    return value if isinstance(value, dict) else Refusal("INVALID_JSON", "The body must be a JSON object.")


def read_body(
    model: type[Body], *, required: Sequence[str] = (), when_missing: str = "MISSING_FIELDS"
) -> Body | Refusal:
    """Read the request's body as a value of ``model``.

    Args:
        model: What the body must be; its fields are strict and no others are taken.
        required: Fields that are asked for before anything else; absent, ``null`` and empty are alike.
        when_missing: Code of the refusal when one of them is missing.

    Returns:
        The value, or a refusal that names every bad field.
    """
    found = read_object()
    if isinstance(found, Refusal):
        return found
    missing = tuple(FieldFault(pointer_to(name), "is required") for name in required if not found.get(name))
    if missing:
        return Refusal(when_missing, faults=missing)
    try:
        return model.model_validate(found)
    except ValidationError as error:
        return reject_fields(faults_of(error))


def read_fields(model: type[Body], *, instead: Mapping[str, object]) -> tuple[Body, tuple[FieldFault, ...]] | Refusal:
    """Read what can be read of the request's body, so that the rest can be judged before anything is told.

    Args:
        model: What the body must be.
        instead: Values that stand in for fields that are absent or bad and have no default.

    Returns:
        The value with its bad fields replaced, and those fields; or a refusal of the body as a whole.
    """
    found = read_object()
    if isinstance(found, Refusal):
        return found
    found = {**instead, **found}
    try:
        return model.model_validate(found), ()
    except ValidationError as error:
        bad = {each["loc"][0] for each in error.errors(include_url=False, include_context=False, include_input=False)}
        good = {name: value for name, value in found.items() if name in model.model_fields and name not in bad}
        return model.model_construct(None, **{**instead, **good}), faults_of(error)


def reject_fields(faults: Sequence[FieldFault]) -> Refusal:
    """Return the refusal of bad fields, 422."""
    return Refusal("VALIDATION_FAILED", faults=tuple(faults[:MAX_FAULTS]))


# What pydantic puts before the text of a check of ours.
_OURS = "Value error, "


def faults_of(error: ValidationError) -> tuple[FieldFault, ...]:
    """Return every bad field of a validation, in our words and without the values sent."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return tuple(
        FieldFault(pointer_to(*each["loc"]), _DETAILS.get(each["type"], each["msg"].removeprefix(_OURS)))
        for each in found
    )


def pointer_to(*path: str | int) -> str:
    """Return the JSON pointer of a path into the body, cut when a client sends an endless name."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{part}" for part in escaped)[:MAX_POINTER_CHARACTERS]


def _parse(data: bytes) -> object | Refusal:
    """Return the JSON value of a body; the refusal says what kind of JSON it is not."""
    reason = "The body is not valid JSON."
    try:
        text = data.decode("utf-8")
        value: object = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate cannot be encoded
    except UnicodeError:
        reason = "The body is not valid UTF-8."
    except _NotStrictJson as error:
        reason = str(error)
    except RecursionError:
        reason = "The body is nested too deeply."
    except ValueError:
        pass
    else:
        return value
    return Refusal("INVALID_JSON", reason)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotStrictJson("The body names a field twice.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise _NotStrictJson(f"{name} is not a JSON number.")
