"""One operation over HTTP as a value: who may call it, what it takes, everything it can answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from voxgate.gate.flask.https import PLAIN_PATHS
from voxgate.web import openai_form
from voxgate.web.schemas import Body

ACCESS = ("access",)
REFRESH = ("refresh",)
ANY = ("access", "api_key")

_JSON_BODY = ("INVALID_JSON", "BODY_TIMEOUT", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "VALIDATION_FAILED")
_GUARDED = (
    "INVALID_REQUEST",
    "TOKEN_MISSING",
    "INVALID_TOKEN",
    "TOKEN_EXPIRED",
    "TOKEN_REVOKED",
    "ACCOUNT_DISABLED",
    "INSUFFICIENT_SCOPE",
)


@dataclass(frozen=True, slots=True)
class Media:
    """An answer that is not JSON.

    Attributes:
        description: What it is.
        types: Media types that it can have; none for an answer without a body.
        headers: Names of headers that it carries.
    """

    description: str
    types: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


Success = type[BaseModel] | Media


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation, a string.

    Attributes:
        name: Its name.
        place: ``path``, ``query`` or ``header``.
        description: What it means.
    """

    name: str
    place: str
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Attributes:
        method: HTTP method, lower case.
        path: Path with its parameters in braces.
        summary: What it does, one line.
        answers: Successes by status.
        credentials: Kinds of credential that it accepts; empty when it is open.
        is_limited: False for what is never limited.
        body: What it takes, or None.
        is_body_required: False when the body may be left out.
        form: What it takes as an HTML form instead of JSON, or None.
        codes: Its own refusals, beside those of every operation of its kind.
        parameters: Its parameters.
        headers: Headers of its success.
    """

    method: str
    path: str
    summary: str
    answers: Mapping[int, Success]
    credentials: tuple[str, ...] = ()
    is_limited: bool = True
    body: type[Body] | None = None
    is_body_required: bool = True
    codes: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = field(default=())
    headers: tuple[str, ...] = ()
    form: type[Body] | None = None

    @property
    def operation_id(self) -> str:
        """Name of the operation in generated clients."""
        words = self.path.replace("/api/v1/", "/").strip("/").replace("{", "by-").replace("}", "")
        return "_".join((self.method, *words.replace("/", "-").replace(".", "-").split("-"))).rstrip("_")

    @property
    def tag(self) -> str:
        """The group that it is shown in."""
        parts = self.path.strip("/").split("/")
        if parts[:2] == ["api", "v1"]:
            return {"auth": "Accounts and sessions", "tts": "Speech", "admin": "Administration"}.get(parts[2], "Limits")
        if parts[0] == "v1":
            return "OpenAI's form"
        return "Root routes" if parts[0] in {"login", "protected", "refresh", "logout"} else "Operations"

    @property
    def has_openai_form(self) -> bool:
        """Whether its errors have OpenAI's form."""
        return openai_form.has_form(self.path)

    @property
    def takes_cookies(self) -> bool:
        """Whether a browser may show its credential in a cookie."""
        if not self.path.startswith("/api/") or self.path.startswith("/api/v1/gate/"):
            return False  # another service's form could send a cookie to the gate
        return any(kind in self.credentials for kind in ("access", "refresh"))

    @property
    def every_code(self) -> tuple[str, ...]:
        """Every refusal that it can answer, its own first."""
        found = [*self.codes, *(_JSON_BODY if self.body else ())]
        if self.credentials:
            found += _GUARDED
        if self.takes_cookies and self.method != "get":
            found += ["CSRF_FAILED"]
        if "api_key" in self.credentials:
            found += ["API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_NETWORK"]
        if "refresh" in self.credentials:
            found.append("TOKEN_REUSED")
        if self.is_limited:
            found += ["RATE_LIMITED", "STORE_UNAVAILABLE", "DATABASE_UNAVAILABLE"]
        if self.path not in PLAIN_PATHS:
            found.append("HTTPS_REQUIRED")
        return tuple(dict.fromkeys([*found, "INTERNAL_ERROR"]))
