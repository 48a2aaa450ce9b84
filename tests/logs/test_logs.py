"""The one form of log lines: what stands in them, what never does, and where they go."""

import io
import json
import logging
import multiprocessing
import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.gate import events
from voxgate.gate.events import log_event
from voxgate.logs import (
    REDACTED,
    AuthLogger,
    JsonLines,
    RateLimitLogger,
    SecurityLog,
    ShortLines,
    configure_logs,
    redact,
)

ACCESS_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.fixture
def logs(tmp_path):
    """Configure the logs onto a stream and a file, and put everything back afterwards."""
    names = ("voxgate", "voxgate.events")
    before = [(logging.getLogger(name).handlers[:], logging.getLogger(name).propagate) for name in names]
    stream = io.StringIO()
    configure_logs(security_log=tmp_path / "security.log", stream=stream)
    yield stream
    for name, (handlers, propagates) in zip(names, before, strict=True):
        logging.getLogger(name).handlers[:] = handlers
        logging.getLogger(name).propagate = propagates
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.getLogger("voxgate.events").filters.clear()


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def record_of(message="", level=logging.INFO, **extra):
    record = logging.LogRecord("voxgate.x", level, __file__, 1, message, (), None)
    record.__dict__.update(extra)
    return record


class TestLine:
    def test_a_line_says_when_how_grave_and_what(self, logs):
        """Time in UTC, level, event, fields."""
        log_event(events.USER_CREATED, {"user_id": "u1", "request_id": "r1"})
        (line,) = lines_of(logs.getvalue())
        assert line["event"] == "user_created"
        assert line["level"] == "info"
        assert (line["user_id"], line["request_id"]) == ("u1", "r1")
        when = datetime.fromisoformat(line["timestamp"])
        assert when.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - when) < timedelta(minutes=1)

    def test_a_plain_log_call_has_the_same_form(self, logs):
        """Every part of the house writes one form."""
        logging.getLogger("voxgate.web").warning("disk is %s", "full")
        (line,) = lines_of(logs.getvalue())
        assert (line["event"], line["level"], line["message"]) == ("voxgate.web", "warning", "disk is full")

    def test_an_event_is_the_same_line_in_the_file_and_on_the_stream(self, logs, tmp_path):
        """It is written down once for both."""
        log_event(events.USER_CREATED, {"subject": "ann"})
        assert (tmp_path / "security.log").read_text() == logs.getvalue()

    def test_a_folder_that_went_away_is_made_again(self, logs, tmp_path):
        """Whoever clears a folder loses what was in it, and no line that comes."""
        (tmp_path / "security.log").unlink(missing_ok=True)
        tmp_path.rmdir()
        log_event(events.USER_CREATED, {"subject": "ann"})
        assert (tmp_path / "security.log").read_text() == logs.getvalue()

    def test_an_exception_is_told_in_the_same_line(self, logs):
        """A traceback does not break the form."""
        try:
            raise RuntimeError("password=hunter2")  # noqa: TRY301 -- a traceback is wanted
        except RuntimeError:
            logging.getLogger("voxgate.web").exception("broken")
        (line,) = lines_of(logs.getvalue())
        assert "RuntimeError" in line["exception"]
        assert "hunter2" not in line["exception"]

    @given(st.text(), st.text())
    def test_no_value_can_forge_a_line(self, message, value):
        """Whatever a client sends stays inside its field."""
        record = record_of(event="login", fields={"username": f"{value}\r\n\u2028{message}\x1b[2K"})
        for form in (JsonLines(), ShortLines()):
            line = form.format(record)
            assert line.isascii()
            assert len(line.splitlines()) == 1
            assert line.isprintable()

    def test_a_field_cannot_replace_what_the_line_says_of_itself(self):
        """A field named like a part of the line is dropped."""
        line = json.loads(
            JsonLines().format(record_of(event="login", fields={"event": "x", "level": "x", "success": True}))
        )
        assert (line["event"], line["level"]) == ("login", "info")

    def test_a_long_value_is_cut(self):
        """One request cannot fill the disk."""
        line = json.loads(JsonLines().format(record_of(event="login", fields={"user_agent": "x" * 100_000})))
        assert len(line["user_agent"]) < 1100

    @pytest.mark.parametrize("name", ["username", "endpoint", "user_agent", "request_id"])
    @pytest.mark.parametrize(
        "value",
        [
            "bob\n2026-01-01 INFO Successful login: admin",
            '"}\r\n{"event": "login", "success": true}',
            "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J",
            "\u202egnp.exe \u2066 \u200b\ufeff",
            "\u2028\u2029\x85\x0b\x0c\x1c",
            "\ud800 half a character",
            "a" * 1_000_000,
            "\n" * 1_000_000,
            10**5000,
            {"nested": "\n" * 10_000},
        ],
        ids=range(10),
    )
    def test_a_hostile_value_is_one_bounded_line(self, tmp_path, name, value):
        """Line ends, terminal codes, bidirectional text or a megabyte: one line of ASCII, in the file too."""
        path = tmp_path / "s.log"
        SecurityLog(path).emit(record_of(event=events.LOGIN, fields={name: value, "success": False}))
        written = path.read_bytes()
        assert written.count(b"\n") == 1
        assert written.isascii()
        assert written.decode().strip().isprintable()
        assert len(written) < 16_000
        assert json.loads(written)["success"] is False

    def test_a_secret_is_found_also_where_a_value_is_cut(self):
        """What stands across the cut is looked for before it is cut."""
        secret = "sk-vg_k1d_0123456789abcdefghij"
        line = JsonLines().format(record_of(event="e", fields={"endpoint": "x" * 989 + "/" + secret}))
        assert "sk-vg" not in line

    def test_an_endless_exception_is_cut_at_its_beginning(self):
        """The last lines of a traceback say what it was."""
        record = record_of("broken")
        record.exc_info = (ValueError, ValueError("x" * 100_000 + " the end"), None)
        line = JsonLines().format(record)
        assert len(line) < 11_000
        assert "the end" in line

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), ["a"]])
    def test_any_value_gives_valid_json(self, value):
        """A reader of the log never meets a line that it cannot parse."""
        line = JsonLines().format(record_of(event="e", fields={"value": value}))
        json.loads(line, parse_constant=pytest.fail)

    def test_a_terminal_gets_a_short_form(self, monkeypatch):
        """The developer reads time, level, event and fields."""
        terminal = io.StringIO()
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        configure_logs(stream=terminal)
        try:
            log_event(events.LOGIN, {"username": "ann", "success": False})
        finally:
            configure_logs()
        time, level, event, *_ = terminal.getvalue().split()
        assert datetime.strptime(time, "%H:%M:%S").replace(tzinfo=UTC)
        assert (level, event) == ("warning", "login")
        assert 'username="ann"' in terminal.getvalue()


class TestSecrets:
    @pytest.mark.parametrize(
        "secret",
        [
            ACCESS_TOKEN,
            "sk-vg_k1d_0123456789abcdefghij",
            "sk-proj-0123456789abcdef",
            "vgr_0123456789abcdef",
        ],
    )
    @pytest.mark.parametrize("around", ["{}", "Authorization: Bearer {}", "before {} after", "url?key={}&x=1", "'{}'"])
    def test_what_has_the_form_of_a_credential_is_never_written(self, secret, around):
        """Wherever it stands."""
        shown = redact(around.format(secret))
        assert secret not in shown
        assert REDACTED in shown

    @pytest.mark.parametrize(
        "text",
        [
            "Bearer hunter2",
            "Basic aHVudGVyMg==hunter2",
            "password=hunter2",
            "password: hunter2",
            "{'password': 'hunter2'}",
            '{"api_key":"hunter2"}',
            "redis://:hunter2@host/0",
            "postgresql://user:hunter2@host/db",
        ],
    )
    def test_what_is_named_as_a_secret_is_never_written(self, text):
        """In the spellings of headers, JSON, Python and addresses."""
        assert "hunter2" not in redact(text)

    @pytest.mark.parametrize("text", ["", "GET /api/v1/tts/status", "user ann", "10 per minute", "http://host/x"])
    def test_ordinary_text_stays(self, text):
        """A log that says nothing helps nobody."""
        assert redact(text) == text

    @pytest.mark.parametrize("name", ["password", "Authorization", "refresh_token", "api_key", "text"])
    def test_a_field_that_holds_a_secret_is_never_written(self, name):
        """Whatever its value looks like; the text to be spoken is nobody's business either."""
        assert json.loads(JsonLines().format(record_of(event="e", fields={name: "plain"})))[name] == REDACTED


class TestWhere:
    def test_events_go_to_the_file_and_other_lines_do_not(self, logs, tmp_path):
        """security.log holds security."""
        logging.getLogger("voxgate.web").warning("other")
        log_event(events.LOGIN, {"user_id": "u1", "success": True})
        assert [line["event"] for line in lines_of((tmp_path / "security.log").read_text())] == ["login"]
        assert len(lines_of(logs.getvalue())) == 2

    @pytest.mark.usefixtures("logs")
    def test_only_the_owner_reads_the_file(self, tmp_path):
        """It names people and addresses."""
        log_event(events.LOGIN, {"success": True})
        assert (tmp_path / "security.log").stat().st_mode & 0o777 == 0o600

    def test_the_root_logger_is_left_alone(self, logs):
        """The host application's logs are its own."""
        before = logging.getLogger().handlers[:]
        configure_logs(stream=logs)
        assert logging.getLogger().handlers == before
        assert logging.getLogger("voxgate").propagate is False

    def test_a_quiet_stream_still_records_every_event(self, tmp_path):
        """Successes are part of the story."""
        stream = io.StringIO()
        configure_logs("error", security_log=tmp_path / "s.log", stream=stream)
        try:
            log_event(events.LOGIN, {"success": True})
        finally:
            configure_logs()
        assert stream.getvalue() == ""
        assert len(lines_of((tmp_path / "s.log").read_text())) == 1

    def test_full_files_are_kept_and_the_oldest_goes(self, tmp_path):
        """The folder stays bounded."""
        path = tmp_path / "s.log"
        handler = SecurityLog(path, max_bytes=1, kept=2)
        for number in range(5):
            handler.emit(record_of(event=f"e{number}"))
        assert [lines_of((tmp_path / name).read_text())[0]["event"] for name in ("s.log.1", "s.log.2")] == ["e4", "e3"]
        assert sorted(found.name for found in tmp_path.iterdir()) == ["s.log.1", "s.log.2"]

    def test_a_file_that_another_process_has_just_changed_is_left_alone(self, tmp_path):
        """Two processes that find the file full begin one new file, not two."""
        handler = SecurityLog(tmp_path / "s.log", max_bytes=10)
        (tmp_path / "s.log").write_text("new")
        handler._rotate(0.0)
        assert [found.name for found in tmp_path.iterdir()] == ["s.log"]

    def test_an_old_file_is_begun_anew(self, tmp_path):
        """By the time of its first line, whichever process wrote it."""
        day_s = 86_400
        for number, handler in enumerate(2 * [SecurityLog(tmp_path / "s.log", max_age_s=day_s)]):
            handler.emit(record_of(event=f"e{number}", created=float(number)))
        later = SecurityLog(tmp_path / "s.log", max_age_s=day_s)
        later.emit(record_of(event="e2", created=float(day_s)))
        later.emit(record_of(event="e3", created=day_s + 1.0))
        old, new = (lines_of((tmp_path / name).read_text()) for name in ("s.log.1", "s.log"))
        assert [line["event"] for line in old] == ["e0", "e1", "e2"]
        assert [line["event"] for line in new] == ["e3"]

    @pytest.mark.parametrize("first", ["", "not json\n", "[]\n", "{}\n"])
    def test_a_first_line_of_another_make_does_not_stop_the_log(self, tmp_path, first):
        """Its age counts from now."""
        (tmp_path / "s.log").write_text(first)
        handler = SecurityLog(tmp_path / "s.log", max_age_s=60)
        handler.emit(record_of(event="a", created=1000.0))
        handler.emit(record_of(event="b", created=1059.0))
        assert [found.name for found in tmp_path.iterdir()] == ["s.log"]

    def test_a_file_that_is_gone_when_its_turn_comes_is_left_alone(self, tmp_path):
        """Another process has renamed it meanwhile."""
        SecurityLog(tmp_path / "s.log", max_bytes=1)._rotate(0.0)
        assert list(tmp_path.iterdir()) == []

    def test_a_line_that_a_full_disk_has_cut_spoils_no_other(self, tmp_path, monkeypatch, capsys):
        """The next line stands on its own, and the loss is told."""
        real, path = os.write, tmp_path / "s.log"
        handler = SecurityLog(path)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda file, line: real(file, line[:10]))
            handler.emit(record_of(event="cut"))
        assert capsys.readouterr().err.count("security events are being lost") == 1
        handler.emit(record_of(event="whole"))
        cut, whole = path.read_text().splitlines()
        assert len(cut) == 10
        assert json.loads(whole)["event"] == "whole"

    def test_processes_share_the_file_and_lose_no_line(self, tmp_path):
        """Also while files are being changed."""
        context = multiprocessing.get_context("spawn")
        writers = [context.Process(target=write_events, args=(tmp_path / "s.log", name)) for name in "abc"]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        lines = [line for file in tmp_path.iterdir() for line in lines_of(file.read_text())]
        assert len(lines) == 3 * 100

    def test_a_log_that_cannot_be_written_is_told_once_and_disturbs_nobody(self, tmp_path, capsys):
        """A full disk must not stop a login."""
        (tmp_path / "file").write_text("")
        handler = SecurityLog(tmp_path / "file" / "s.log")
        handler.emit(record_of(event="a"))
        handler.emit(record_of(event="b"))
        assert capsys.readouterr().err.count("security events are being lost") == 1
        (tmp_path / "file").unlink()
        handler.emit(record_of(event="c"))
        assert len(lines_of((tmp_path / "file/s.log").read_text())) == 1


def write_events(path, name):
    handler = SecurityLog(path, max_bytes=8000, kept=50)
    for number in range(100):
        handler.emit(record_of(event=f"{name}{number}", fields={"user_agent": "x" * 100}))


class TestDocumentsLoggers:
    """The second document's methods, events, fields and sentences."""

    @pytest.mark.parametrize(
        ("success", "level", "sentence"),
        [(True, "info", "Successful login: u1"), (False, "warning", "Failed login attempt: u1")],
    )
    def test_a_login_is_recorded_with_its_outcome(self, logs, success, level, sentence):
        """Both outcomes, each with its own level."""
        AuthLogger().log_login("u1", "192.0.2.7", "curl/8", success)
        (line,) = lines_of(logs.getvalue())
        assert (line["event"], line["level"], line["message"]) == ("login", level, sentence)
        assert (line["user_id"], line["ip_address"], line["user_agent"]) == ("u1", "192.0.2.7", "curl/8")
        assert line["success"] is success
        assert line["timestamp"].endswith("+00:00")

    def test_a_failed_login_names_who_was_tried(self, logs):
        """An unknown user has no id."""
        log_event(events.LOGIN, {"username": "ann", "success": False})
        assert lines_of(logs.getvalue())[0]["message"] == "Failed login attempt: ann"

    def test_the_use_of_an_api_key_is_recorded(self, logs):
        """By whom, where, from where."""
        AuthLogger().log_api_key_usage("u1", "/api/v1/tts/generate", "192.0.2.7")
        (line,) = lines_of(logs.getvalue())
        assert (line["event"], line["message"]) == ("api_key_usage", "API key used: u1")
        assert (line["endpoint"], line["ip_address"]) == ("/api/v1/tts/generate", "192.0.2.7")

    def test_a_refusal_over_a_limit_is_recorded(self, logs):
        """As a warning, with the limit."""
        RateLimitLogger().log_rate_limit_exceeded("u1", "/api/v1/tts/generate", "10 per minute")
        (line,) = lines_of(logs.getvalue())
        assert (line["event"], line["level"]) == ("rate_limit_exceeded", "warning")
        assert (line["message"], line["limit"]) == ("Rate limit exceeded: u1", "10 per minute")
