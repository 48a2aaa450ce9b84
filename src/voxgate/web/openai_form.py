"""OpenAI's form of an error, for the paths that its clients ask, and nowhere else."""

from http import HTTPStatus

PREFIX = "/v1/"

# The codes that clients compare with; every other code is ours, in lower case as theirs are.
_CODES = {
    "API_KEY_EXPIRED": "invalid_api_key",
    "API_KEY_INVALID": "invalid_api_key",
    "INVALID_TOKEN": "invalid_api_key",
    "RATE_LIMITED": "rate_limit_exceeded",
    "TOKEN_EXPIRED": "invalid_api_key",
    "TOKEN_REVOKED": "invalid_api_key",
}


def has_form(path: str) -> bool:
    """Tell whether errors of a path have OpenAI's form."""
    return path.startswith(PREFIX)


def status_of(status: int) -> int:
    """Give the status for what would be ``status`` elsewhere: bad fields are 400 here, as clients expect."""
    return HTTPStatus.BAD_REQUEST if status == HTTPStatus.UNPROCESSABLE_ENTITY else status


def error_body(problem: dict[str, object]) -> dict[str, object]:
    """Return the error of a problem document: ``{"error": {message, type, param, code}}``."""
    faults = problem.get("errors")
    message, param = str(problem["message"]), None
    if isinstance(faults, list) and faults:
        # A pointer such as /voice/id is the parameter `voice.id` here.
        told = [(str(fault["pointer"]).lstrip("/").replace("/", "."), fault["detail"]) for fault in faults]
        param = told[0][0]
        message = "; ".join(f"{name}: {detail}" for name, detail in told)
    error = {"message": message, "type": _type_of(problem["status"]), "param": param}
    return {"error": {**error, "code": code_of(str(problem["code"]))}}


def code_of(code: str) -> str:
    """Give the code under these paths for what is ``code`` elsewhere."""
    return _CODES.get(code, code.lower())


def _type_of(status: object) -> str:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "requests"
    is_ours = isinstance(status, int) and status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return "server_error" if is_ours else "invalid_request_error"
