"""Every refusal of the gate in one table, and the exceptions for broken things."""

from dataclasses import dataclass


class VoxgateError(Exception):
    """Root of every exception that voxgate raises for something broken."""


class ConfigurationError(VoxgateError):
    """A setting cannot be used.

    Attributes:
        setting: Name of the setting or policy.
        reason: What is wrong with it and what would be right.
    """

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting}: {reason}")
        self.setting = setting
        self.reason = reason


class StoreUnavailableError(VoxgateError):
    """The gate's store did not answer within its budget."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One row of the table: how a refusal is told to a client.

    Attributes:
        code: Stable upper snake case name; a client reads this.
        status: HTTP status.
        title: RFC 9457 title.
        error: Short human text.
        message: What happened and what to do.
        challenge: The ``error`` of ``WWW-Authenticate: Bearer`` (RFC 6750, section 3.1); empty
            for a bare challenge, None where no challenge belongs.
    """

    code: str
    status: int
    title: str
    error: str
    message: str
    challenge: str | None = None


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One field of a request that cannot be accepted.

    Attributes:
        pointer: RFC 6901 pointer to the field, such as ``/username``.
        detail: What is wrong with it and what would be right; never the value itself.
    """

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An expected no. A value, never an exception.

    Attributes:
        code: Key of the table of problems.
        message: Replaces the row's message when given.
        retry_after_s: Whole seconds after which the same request can pass.
        wait_ms: The exact time behind ``retry_after_s``; 0 where it is not known.
        violated: Names of the policies that refused.
        scopes: The scopes that were needed.
        faults: The fields that were wrong, all at once.
    """

    code: str
    message: str | None = None
    retry_after_s: int | None = None
    wait_ms: int = 0
    violated: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    faults: tuple[FieldFault, ...] = ()


def _table(*rows: Problem) -> dict[str, Problem]:
    return {row.code: row for row in rows}


_BAD_TOKEN = "Authentication failed"  # noqa: S105 -- the text of an error, not a secret

PROBLEMS = _table(
    Problem(
        "INVALID_REQUEST",
        400,
        "Bad Request",
        "Invalid request",
        "The request shows two credentials or a malformed one; show exactly one.",
        "invalid_request",
    ),
    Problem(
        "TOKEN_MISSING",
        401,
        "Unauthorized",
        "Access token required",
        "Log in and send 'Authorization: Bearer <access token>', or an API key as 'X-API-Key'.",
        "",
    ),
    Problem("INVALID_TOKEN", 401, "Unauthorized", _BAD_TOKEN, "Invalid or malformed token", "invalid_token"),
    Problem("TOKEN_EXPIRED", 401, "Unauthorized", _BAD_TOKEN, "Token has expired", "invalid_token"),
    Problem("TOKEN_REVOKED", 401, "Unauthorized", _BAD_TOKEN, "Token has been revoked", "invalid_token"),
    Problem(
        "TOKEN_REUSED",
        401,
        "Unauthorized",
        _BAD_TOKEN,
        "Token has been revoked: a refresh token was used again after its successor, so its session has ended. Log in.",
        "invalid_token",
    ),
    Problem("API_KEY_MISSING", 401, "Unauthorized", "API key required", "Send your API key as 'X-API-Key'.", ""),
    Problem(
        "API_KEY_INVALID",
        401,
        "Unauthorized",
        "Invalid API key",
        "The API key is mistyped, unknown or revoked.",
        "invalid_token",
    ),
    Problem(
        "API_KEY_EXPIRED",
        401,
        "Unauthorized",
        "API key expired",
        "The API key has expired; make a new one.",
        "invalid_token",
    ),
    Problem("ACCOUNT_DISABLED", 403, "Forbidden", "Account disabled", "The account has been disabled by the operator."),
    Problem(
        "INSUFFICIENT_SCOPE",
        403,
        "Forbidden",
        "Insufficient scope",
        "The credential lacks a scope that this route needs.",
        "insufficient_scope",
    ),
    Problem(
        "API_KEY_NETWORK",
        403,
        "Forbidden",
        "Network not allowed",
        "The API key is not accepted from this address.",
    ),
    Problem(
        "HTTPS_REQUIRED",
        403,
        "Forbidden",
        "HTTPS required",
        "Ask the same address with https instead; a credential that was sent over plain HTTP may have been read.",
    ),
    Problem(
        "CSRF_FAILED",
        403,
        "Forbidden",
        "Cross-site request refused",
        "A page of another origin sent this with your cookie; from a program, send the CSRF token as 'X-CSRF-Token'.",
    ),
    Problem("PREMIUM_REQUIRED", 403, "Forbidden", "Premium account required", "This route needs a premium account."),
    Problem("RATE_LIMITED", 429, "Too Many Requests", "Rate limit exceeded", "Too many requests."),
    Problem(
        "STORE_UNAVAILABLE",
        503,
        "Service Unavailable",
        "Service unavailable",
        "The gate's store does not answer; try again shortly.",
    ),
)
