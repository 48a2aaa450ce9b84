"""Sessions of browsers, as a view sees them: cookies set and cleared, and the proof against forged requests."""

from flask import Response, current_app, request

from voxgate.gate.errors import PROBLEMS, Refusal
from voxgate.gate.flask.cookies import SHOWN, Tokens
from voxgate.gate.flask.door import VISIT, Visit
from voxgate.gate.flask.headers import problem_body, problem_headers, write_body
from voxgate.gate.flask.refusals import REQUEST_ID
from voxgate.gate.flask.state import state_of
from voxgate.gate.principal import Principal


class BrowserSessions:
    """The part of the gate that views with browsers as clients ask."""

    @property
    def principal(self) -> Principal:
        """Who asks.

        Raises:
            LookupError: The route asks for no credential.
        """
        visit: Visit | None = request.environ.get(VISIT)
        if visit is None or visit.decision.principal is None:
            raise LookupError("this route asks for no credential")
        return visit.decision.principal

    @property
    def is_by_cookie(self) -> bool:
        """Whether the credential of this request was in a cookie."""
        return SHOWN in request.environ

    @property
    def request_id(self) -> str:
        """The id of this request, as the answer carries it."""
        return str(request.environ.get(REQUEST_ID, ""))

    def refuse(self, refusal: Refusal) -> Response:
        """Return the answer to a refusal that a view has got, as the door would give it."""
        body = problem_body(refusal, request_id=self.request_id)
        row = PROBLEMS[refusal.code]
        return Response(write_body(body), row.status, problem_headers(refusal))

    def set_cookies(self, response: Response, tokens: Tokens) -> Response:
        """Return the response with a session's tokens in cookies, for the login and refresh of browsers.

        A page of another origin must not log its reader in as somebody else: its request gets 403 ``CSRF_FAILED``
        instead. A view that is to refuse before it opens a session asks ``find_forgery`` first.
        """
        forged = self.find_forgery()
        if forged is not None:
            return self.refuse(forged)
        state_of(current_app).browsers.cookies.write(response, tokens)
        return response

    @staticmethod
    def clear_cookies(response: Response) -> Response:
        """Return the response with what removes the session's cookies; ends no session."""
        state_of(current_app).browsers.cookies.clear(response)
        return response

    @staticmethod
    def find_forgery() -> Refusal | None:
        """Return the refusal of a request that a page of another origin has sent, or None.

        The door has asked this already of what shows a cookie; this is for open routes that are to set one.
        """
        state = state_of(current_app)
        visit: Visit | None = request.environ.get(VISIT)
        rule = None if visit is None else visit.route.rule
        return state.browsers.find_forgery(request.environ, rule, session_id=None)

    def csrf_token(self, session_id: str | None = None) -> str:
        """Return a CSRF token, for clients that send neither ``Sec-Fetch-Site`` nor ``Origin``.

        Args:
            session_id: The session; None for the one that asks.
        """
        csrf = state_of(current_app).browsers.csrf
        return csrf.token(self.principal.credential_id if session_id is None else session_id)
