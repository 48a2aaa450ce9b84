"""Errors: one table, one form, never HTML, never anything internal."""

import logging
from urllib.parse import unquote

import pytest
from tests.support.service import ANN, V1
from werkzeug.exceptions import ImATeapot, PreconditionRequired

from voxgate.accounts.database import DatabaseUnavailableError
from voxgate.gate.errors import PROBLEMS as GATE_PROBLEMS
from voxgate.gate.errors import Refusal, StoreUnavailableError
from voxgate.web import problems
from voxgate.web.problems import PROBLEMS, TELL_EVERY_S, body_for_path, problem_for


@pytest.fixture
def broken(app, client):
    """A route that raises what it is told to."""

    def call(error):
        def view():
            raise error

        if "broken" not in app.view_functions:
            app.add_url_rule("/broken", "broken")
        app.view_functions["broken"] = view
        return client.get("/broken")

    return call


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    monkeypatch.setattr(problems, "_told_at_s", {})


class TestTable:
    def test_gate_and_service_are_one_table(self):
        """Every refusal of the gate is in the table, unchanged, and the service adds its own."""
        assert GATE_PROBLEMS.items() <= PROBLEMS.items()

    def test_rows_are_whole(self):
        """Every row has a code in upper snake case, an error status and words for people."""
        for name, row in PROBLEMS.items():
            assert name in {row.code, "LOGIN_DISABLED"}
            assert row.code == row.code.upper()
            assert 400 <= row.status < 600
            assert row.title
            assert row.error
            assert row.message.endswith(".") or row.code.startswith(("TOKEN_", "INVALID_TOKEN"))

    def test_only_401_and_403_and_bad_requests_challenge(self):
        """A challenge belongs to a credential that is asked for."""
        challenged = {row.status for row in PROBLEMS.values() if row.challenge is not None}
        assert challenged == {400, 401, 403}
        assert all(row.challenge is not None for row in PROBLEMS.values() if row.status == 401)

    def test_other_statuses_have_a_row_of_their_own(self):
        """A status of HTTP that nobody wrote a row for is told by its phrase."""
        row = problem_for("IM_A_TEAPOT")
        assert (row.code, row.status, row.title) == ("IM_A_TEAPOT", 418, "I'm a Teapot")

    def test_unknown_names_are_bugs(self):
        """A code that does not exist is not answered but found."""
        with pytest.raises(KeyError):
            problem_for("NO_SUCH_CODE")


class TestHttp:
    def test_404(self, client):
        """Nothing at an address is a problem document."""
        answer = client.get("/nothing/here")
        assert (answer.status_code, answer.get_json()["code"]) == (404, "NOT_FOUND")

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("GET", f"{V1}/auth/login", {"OPTIONS", "POST"}),
            ("DELETE", f"{V1}/tts/voices", {"GET", "HEAD", "OPTIONS"}),
            ("TRACE", "/healthz", {"GET", "HEAD", "OPTIONS"}),
        ],
    )
    def test_405_says_what_is_allowed(self, client, method, path, allowed):
        """A method that is not used is refused with those that are."""
        answer = client.open(path, method=method)
        assert (answer.status_code, answer.get_json()["code"]) == (405, "METHOD_NOT_ALLOWED")
        assert set(answer.headers["Allow"].split(", ")) == allowed

    def test_options_is_answered(self, client):
        """OPTIONS names the methods and spends nothing."""
        answer = client.options(f"{V1}/auth/login")
        assert (answer.status_code, answer.data) == (200, b"")
        assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}

    @pytest.mark.parametrize("path", ["//healthz", "/healthz//", "/docs//", "/%2e%2e/healthz", "/healthz%00"])
    def test_one_path_has_one_spelling(self, client, path):
        """Other spellings lead nowhere; nothing redirects."""
        # As a server gives it: the client would read "//healthz" as a host, and ask for "/".
        given = {"PATH_INFO": unquote(path, "latin-1")}
        assert client.get("/", environ_overrides=given).status_code in {200, 404}

    def test_request_id_is_the_callers(self, client):
        """The id of the request joins the answer and its body."""
        answer = client.get("/nothing", headers={"X-Request-ID": "my-id-1"})
        assert answer.headers["X-Request-ID"] == "my-id-1"
        assert answer.get_json()["instance"] == "urn:request:my-id-1"

    def test_other_http_errors(self, broken):
        """Whatever werkzeug raises is told in the same form."""
        assert broken(ImATeapot()).get_json()["code"] == "IM_A_TEAPOT"
        assert broken(PreconditionRequired()).get_json()["code"] == "PRECONDITION_REQUIRED"


class TestOutage:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (DatabaseUnavailableError("locked: /var/secret"), "DATABASE_UNAVAILABLE"),
            (StoreUnavailableError("locked: /var/secret"), "STORE_UNAVAILABLE"),
        ],
    )
    def test_503_says_when_to_come_back(self, broken, caplog, error, code):
        """A dependency that does not answer is told without its words, which the log has."""
        answer = broken(error)
        assert (answer.status_code, answer.get_json()["code"]) == (503, code)
        assert answer.headers["Retry-After"] == "1"
        assert "secret" not in answer.text
        assert "secret" in caplog.text

    def test_is_logged_once_in_a_while(self, broken, caplog, monkeypatch):
        """An outage does not fill the log, and is not forgotten either."""
        now_s = 1000.0
        monkeypatch.setattr("voxgate.web.problems.time.monotonic", lambda: now_s)
        for _ in range(5):
            broken(DatabaseUnavailableError("locked"))
        assert len(caplog.records) == 1
        now_s += TELL_EVERY_S
        broken(DatabaseUnavailableError("locked"))
        assert len(caplog.records) == 2

    def test_database_down_at_login(self, client, services, monkeypatch):
        """A login without a database is not a wrong login."""

        def session(_self):
            raise DatabaseUnavailableError("locked")

        monkeypatch.setattr(type(services.database), "reading", session)
        answer = client.post(f"{V1}/auth/login", json={"username": "a", "password": "b"})
        assert (answer.status_code, answer.get_json()["code"]) == (503, "DATABASE_UNAVAILABLE")

    def test_database_down_leaves_tokens_working(self, client, ann, services, monkeypatch):
        """Routes that need no SQL go on."""

        def session(_self):
            raise DatabaseUnavailableError("locked")

        monkeypatch.setattr(type(services.database), "reading", session)
        monkeypatch.setattr(type(services.database), "session", session)
        assert client.get(f"{V1}/tts/voices", headers={"X-API-Key": ann["api_key"]}).status_code == 200


class TestBug:
    def test_500_tells_nothing(self, broken, caplog):
        """A bug is a problem document without internals; the log has the traceback, once."""
        answer = broken(ZeroDivisionError("secret of the house"))
        assert (answer.status_code, answer.get_json()["code"]) == (500, "INTERNAL_ERROR")
        assert "secret" not in answer.text
        assert "ZeroDivision" not in answer.text
        [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert record.exc_info[0] is ZeroDivisionError
        assert answer.headers["X-Request-ID"] in record.getMessage()


class TestRefusedInside:
    def test_gates_own_answer_passes(self, app, client):
        """A refusal that the gate raises within Flask leaves as the gate made it."""
        door = app.extensions["voxgate"].door
        inner = door._inner
        door._inner = lambda environ, start: inner({**environ, "PATH_INFO": f"{V1}/auth/me"}, start)
        answer = client.get("/elsewhere")
        assert answer.status_code == 401
        assert answer.get_json()["code"] == "TOKEN_MISSING"


def test_body_for_path_leaves_the_body_alone():
    """The hook gives a new body and changes none."""
    body = {"code": "RATE_LIMITED", "error": "Rate limit exceeded", "message": "long"}
    assert body_for_path("/login", body)["message"] == "Too Many Requests"
    assert body["message"] == "long"
    assert body_for_path("/other", body) is body


def test_refusal_of_fields_has_a_message(client):
    """The message of bad fields is made from them."""
    answer = client.post(f"{V1}/auth/register", json={**ANN, "email": "nobody"})
    assert answer.get_json()["message"].startswith("/email: ")
    assert Refusal("VALIDATION_FAILED").message is None
