"""``PasswordManager``, ``SecurityUtils`` and ``TTSRequestSchema``: documented names over what the service uses."""

import functools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from pydantic import ValidationError as ModelError

from voxgate.accounts.passwords import Hasher
from voxgate.gate import api_keys
from voxgate.gate.errors import Refusal, VoxgateError
from voxgate.speech.request import SpeechRequest, find_faults
from voxgate.speech.text import tidy
from voxgate.web.bodies import faults_of
from voxgate.web.schemas import GenerateBody

Answer = TypeVar("Answer", str, bool)

BLOCKED_PATTERNS = ("<script", "javascript:", "onload=", "onerror=")
MAX_FILENAME_BYTES = 255

# Letters and digits of every script, and marks that no shell, path or header reads; it begins and ends with a letter.
_FILENAME = re.compile(r"\w(?:[\w .()+-]*[\w)])?")
# As the document drops them: without a space in their place.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DEVICES = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")


class ClassicError(VoxgateError):
    """A classic form cannot answer as its caller expects.

    Attributes:
        reason: What is in the way.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SchemaError(ValueError):
    """What ``TTSRequestSchema.load`` was given cannot be spoken.

    Attributes:
        messages: For each field what is wrong with it.
    """

    def __init__(self, messages: dict[str, list[str]]) -> None:
        super().__init__("; ".join(f"{name}: {', '.join(texts)}" for name, texts in messages.items()))
        self.messages = messages


class PasswordManager:
    """Passwords and API keys as the service hashes and makes them."""

    @staticmethod
    def hash_password(password: str) -> str:
        """Return the argon2id hash of a password.

        Raises:
            ClassicError: Too many passwords are being hashed, or no rule accepts such a password.
        """
        try:
            hashed = _hasher().hash(password)
        except ValueError as error:
            raise ClassicError(str(error)) from error
        return _or_raise(hashed)

    @staticmethod
    def verify_password(password: str, hashed_password: str) -> bool:
        """Tell whether a password is the one that was hashed.

        Raises:
            ClassicError: Too many passwords are being hashed.
        """
        return _or_raise(_hasher().verify(hashed_password, password=password))

    @staticmethod
    def generate_api_key() -> str:
        """Return a new API key: ``sk-vg_``, a 256-bit secret and a checksum."""
        return api_keys.new_key().text

    @staticmethod
    def hash_api_key(api_key: str) -> str:
        """Return the SHA-256 of a key's secret in hexadecimal: the same key has the same hash, so it can be found.

        A secret of 256 random bits needs no slow hash: nobody can guess it.

        Raises:
            ClassicError: The text is no API key; a mistyped one fails its checksum.
        """
        parsed = api_keys.parse_key(api_key)
        if parsed is None:
            raise ClassicError("this is no API key")
        return parsed.digest.hex()


class SecurityUtils:
    """Text and file names as the service takes them."""

    @staticmethod
    def sanitize_input(text: str) -> str:
        """Return the text as people mean it: normalized, without control and invisible characters between its words.

        Spaces become one; line breaks and empty lines stay, because they are pauses.
        """
        return tidy(_CONTROLS.sub("", text)) if text else text

    @staticmethod
    def validate_filename(filename: str) -> bool:
        """Tell whether a name is harmless as a file name anywhere: letters, digits, few marks; no path, no device."""
        return (
            bool(filename)
            and len(filename.encode("utf-8", "replace")) <= MAX_FILENAME_BYTES
            and _FILENAME.fullmatch(filename) is not None
            and _DEVICES.fullmatch(filename) is None
        )


_DOCUMENT_FIELDS = frozenset(("text", "voice_name", "output_format", "speed", "pitch"))


class TTSRequestSchema:
    """The request of ``POST /api/v1/tts/generate``: the same bounds, and every field that is wrong at once.

    Args:
        voices: Names of voices that are known; None takes every name.
        formats: Formats that are taken.
        blocked_patterns: Texts that are not to be spoken; a content policy, no protection against scripts.
    """

    def __init__(
        self,
        *,
        voices: Collection[str] | None = None,
        formats: Sequence[str] = ("wav", "mp3"),
        blocked_patterns: Sequence[str] = BLOCKED_PATTERNS,
    ) -> None:
        self._voices = voices
        self._formats = formats
        self._blocked_patterns = blocked_patterns

    def load(self, data: Mapping[str, object]) -> dict[str, object]:
        """Return the request with the defaults of the document's fields, and what else was given.

        Raises:
            SchemaError: A field is missing, unknown, of another type or out of its bounds.
        """
        body, messages = self._read(data)
        if body is None or messages:
            raise SchemaError(messages)
        given = _DOCUMENT_FIELDS | body.model_fields_set
        return {name: value for name, value in body.model_dump().items() if name in given}

    def validate(self, data: Mapping[str, object]) -> dict[str, list[str]]:
        """Return for each field what is wrong with it; empty when nothing is."""
        return self._read(data)[1]

    def _read(self, data: Mapping[str, object]) -> tuple[GenerateBody | None, dict[str, list[str]]]:
        try:
            body = GenerateBody.model_validate(dict(data))
        except ModelError as error:
            return None, _grouped((fault.pointer.strip("/"), fault.detail) for fault in faults_of(error))
        wanted = SpeechRequest(
            text=body.text,
            voice_name=body.voice_name,
            output_format=body.output_format,
            speed_ratio=body.speed,
            pitch_semitones=body.pitch,
            sample_rate_hz=body.sample_rate,
            input_format=body.input_format,
        )
        voices = {body.voice_name} if self._voices is None else self._voices
        found = find_faults(wanted, voices=voices, formats=self._formats, blocked_patterns=self._blocked_patterns)
        return body, _grouped((fault.field, fault.detail) for fault in found)


def _grouped(faults: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    messages: dict[str, list[str]] = {}
    for name, detail in faults:
        messages.setdefault(name, []).append(detail)
    return messages


@functools.cache
def _hasher() -> Hasher:
    return Hasher()


def _or_raise(answer: Answer | Refusal) -> Answer:
    if isinstance(answer, Refusal):
        raise ClassicError("too many passwords are being hashed; try again")
    return answer
