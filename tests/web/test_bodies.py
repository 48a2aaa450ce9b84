"""Request bodies are read one way: strict JSON, or a refusal that names every bad field."""

import json

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from voxgate.gate.errors import FieldFault, Refusal
from voxgate.web.bodies import MAX_FAULTS, MAX_POINTER_CHARACTERS, pointer_to, read_body, read_fields, read_object
from voxgate.web.schemas import GenerateBody, LoginBody, RegisterBody

REGISTER = {"username": "ann", "email": "ann@example.com", "password": "password123"}


def read(body, *, reader=read_object, content_type="application/json", **headers):
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    with Flask(__name__).test_request_context(method="POST", data=data, content_type=content_type, headers=headers):
        return reader()


def read_registration():
    return read_body(RegisterBody, required=("username", "email", "password"))


def read_generation():
    return read_fields(GenerateBody, instead={"text": ""})


def pointers(refusal):
    return {fault.pointer for fault in refusal.faults}


class TestObject:
    def test_object_is_read(self):
        """A JSON object comes back as it was sent."""
        assert read({"a": [1, 2.5, None, "é"]}) == {"a": [1, 2.5, None, "é"]}

    @pytest.mark.parametrize(
        "content_type", ["application/json", "application/json; charset=utf-8", "application/vnd.api+json"]
    )
    def test_json_types_are_taken(self, content_type):
        """Every JSON media type is JSON."""
        assert read({"a": 1}, content_type=content_type) == {"a": 1}

    @pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "nonsense"])
    def test_other_types_are_refused(self, content_type):
        """A body that does not say it is JSON is not read."""
        assert read({"a": 1}, content_type=content_type).code == "UNSUPPORTED_MEDIA_TYPE"

    def test_compressed_body_is_refused(self):
        """A compressed body is not unpacked."""
        assert read({"a": 1}, **{"Content-Encoding": "gzip"}).code == "UNSUPPORTED_MEDIA_TYPE"

    @pytest.mark.parametrize("empty", ["null", "[]", "{}", '""', "0", "false"])
    def test_empty_values_are_an_empty_object(self, empty):
        """What holds nothing names no field, whatever its type."""
        assert read(empty) == {}

    @pytest.mark.parametrize("other", ['"x"', "[1]", "1", "true", "1.5"])
    def test_other_values_are_refused(self, other):
        """Only an object names fields."""
        assert read(other) == Refusal("INVALID_JSON", "The body must be a JSON object.")

    @pytest.mark.parametrize(
        ("body", "word"),
        [
            ("", "valid JSON"),
            ("{", "valid JSON"),
            ('{"a": 1} x', "valid JSON"),
            ("{'a': 1}", "valid JSON"),
            ('{"a": 1,}', "valid JSON"),
            ('\ufeff{"a": 1}', "valid JSON"),
            ('{"a": "\x01"}', "valid JSON"),
            (b'{"a": "\xff"}', "UTF-8"),
            ('{"a": 1}'.encode("utf-16"), "UTF-8"),
            ('{"a": "\\ud800"}', "UTF-8"),
            ('{"\\udfff": 1}', "UTF-8"),
            ('{"a": 1, "a": 2}', "twice"),
            ('{"a": {"b": 1, "b": 1}}', "twice"),
            ('{"a": NaN}', "NaN"),
            ('{"a": -Infinity}', "-Infinity"),
            ('{"a": ' + "[" * 60_000 + "]" * 60_000 + "}", "deep"),
            ('{"a": ' * 20_000 + "1" + "}" * 20_000, "deep"),
            ('{"a": ' + "9" * 5_000 + "}", "valid JSON"),
        ],
    )
    def test_what_two_readers_could_read_differently_is_refused(self, body, word):
        """Broken, ambiguous and bottomless JSON is a refusal that says why, never an exception."""
        refusal = read(body)
        assert refusal.code == "INVALID_JSON"
        assert word in refusal.message

    def test_surrogate_pairs_are_characters(self):
        """An escaped pair of surrogates is one character."""
        assert read('{"a": "\\ud83d\\ude00"}') == {"a": "😀"}

    @given(st.binary(max_size=200))
    def test_no_bytes_raise(self, body):
        """Whatever bytes arrive, they are an object or a refusal."""
        assert isinstance(read(body), dict | Refusal)


class TestRequired:
    @pytest.mark.parametrize("value", [None, "", [], {}, 0, False])
    def test_empty_is_missing(self, value):
        """A required field that holds nothing is missing, whatever its type."""
        refusal = read({**REGISTER, "email": value}, reader=read_registration)
        assert refusal == Refusal("MISSING_FIELDS", faults=(FieldFault("/email", "is required"),))

    def test_all_missing_are_named_at_once(self):
        """Every missing field is named."""
        assert pointers(read("null", reader=read_registration)) == {"/username", "/email", "/password"}

    def test_each_body_has_its_own_code(self):
        """The refusal of a missing field is the route's."""
        reader = lambda: read_body(LoginBody, required=("username",), when_missing="CREDENTIALS_MISSING")  # noqa: E731
        assert read({}, reader=reader).code == "CREDENTIALS_MISSING"

    def test_refusal_of_the_whole_comes_first(self):
        """A body that is none names no fields."""
        assert read("{", reader=read_registration).code == "INVALID_JSON"


class TestFields:
    def test_good_body_is_a_value(self):
        """A good body becomes a typed value."""
        assert read(REGISTER, reader=read_registration) == RegisterBody(**REGISTER)

    def test_every_bad_field_is_named(self):
        """Wrong types and unknown fields are told together, as pointers."""
        body = {"username": ["a"], "email": 5, "password": True, "is_premium": True}
        refusal = read(body, reader=read_registration)
        assert refusal.code == "VALIDATION_FAILED"
        assert pointers(refusal) == {"/username", "/email", "/password", "/is_premium"}

    @pytest.mark.parametrize("name", ["id", "subject", "tier", "is_premium", "is_active", "created_at"])
    def test_no_field_of_the_account_can_be_assigned(self, name):
        """There is no mass assignment: what is not asked for is refused."""
        assert pointers(read({**REGISTER, name: "premium"}, reader=read_registration)) == {f"/{name}"}

    @pytest.mark.parametrize("name", ["username", "email", "password"])
    def test_nul_and_endless_strings_are_refused(self, name):
        """No string holds U+0000 or more than its bound."""
        (fault,) = read({**REGISTER, name: "a\0b"}, reader=read_registration).faults
        assert (fault.pointer, fault.detail) == (f"/{name}", "must not hold U+0000")
        assert pointers(read({**REGISTER, name: "a" * 2000}, reader=read_registration)) == {f"/{name}"}

    def test_values_are_not_told_back(self):
        """A refusal never repeats what was sent: it could be a password."""
        refusal = read({**REGISTER, "password": ["hunter2hunter2"]}, reader=read_registration)
        assert "hunter2" not in str(refusal)

    def test_faults_are_bounded(self):
        """A thousand bad fields do not make a thousand lines."""
        body = {f"f{number}": 1 for number in range(1000)}
        assert len(read({**REGISTER, **body}, reader=read_registration).faults) == MAX_FAULTS

    def test_pointer_is_escaped_and_cut(self):
        """A pointer follows RFC 6901 and has an end."""
        assert pointer_to("a/b~c", 0) == "/a~1b~0c/0"
        assert len(pointer_to("x" * 9999)) == MAX_POINTER_CHARACTERS


class TestParts:
    def test_defaults_stand_for_absent_fields(self):
        """What is not said has its default."""
        assert read({"text": "hi"}, reader=read_generation) == (GenerateBody(text="hi"), ())

    def test_whole_numbers_are_numbers(self):
        """1 is as good as 1.0."""
        body, faults = read({"text": "hi", "speed": 2, "pitch": -3}, reader=read_generation)
        assert (body.speed, body.pitch, faults) == (2.0, -3.0, ())

    @pytest.mark.parametrize("value", [True, "1.0", None, [1], 10**400, {}])
    def test_numbers_are_strict(self, value):
        """A bool, a string and a number beyond all bounds are not numbers."""
        body, faults = read({"text": "hi", "speed": value}, reader=read_generation)
        assert [fault.pointer for fault in faults] == ["/speed"]
        assert body.speed == 1.0

    def test_infinity_by_overflow_is_refused(self):
        """1e999 is JSON, but no number that we have."""
        _, faults = read('{"text": "hi", "pitch": 1e999}', reader=read_generation)
        assert faults == (FieldFault("/pitch", "must be a finite number"),)

    def test_good_fields_survive_bad_ones(self):
        """What could be read is given back, so that it can be judged too."""
        body, faults = read({"text": 1, "voice_name": "Kore", "colour": "red"}, reader=read_generation)
        assert (body.text, body.voice_name, body.output_format) == ("", "Kore", "wav")
        assert {fault.pointer for fault in faults} == {"/text", "/colour"}

    def test_refusal_of_the_whole_comes_back(self):
        """A body that is none has no fields to judge."""
        assert read("[1]", reader=read_generation).code == "INVALID_JSON"
