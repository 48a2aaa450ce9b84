"""The commands about security events: the newest, those that come, and all of them."""

import csv
import io
import json
import re
from types import SimpleNamespace

import pytest

from voxgate.cli import events as module


def lines_of(result):
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def _disabled(run, ann):
    """Two events about ann: made, then disabled."""
    assert run("users", "disable", "ann").exit_code == 0


@pytest.mark.usefixtures("_disabled")
class TestTail:
    def test_the_newest_are_shown_oldest_of_them_first(self, run):
        """One JSON object a line, with its time in UTC and its name."""
        made, disabled = lines_of(run("events", "tail"))
        assert (made["event"], disabled["event"], disabled["is_active"]) == ("user_created", "user_updated", False)
        assert made["timestamp"].endswith("+00:00")
        assert lines_of(run("events", "tail", "-n", "1")) == [disabled]
        assert lines_of(run("events", "tail", "-n", "0")) == []

    @pytest.mark.parametrize(
        ("options", "names"),
        [
            (["--event", "user_updated"], ["user_updated"]),
            (["--user", "ANN"], ["user_created", "user_updated"]),
            (["--user", "ann@example.org"], ["user_created", "user_updated"]),
            (["--user", "nobody"], []),
            (["--since", "1 hour"], ["user_created", "user_updated"]),
            (["--since", "2020-01-01"], ["user_created", "user_updated"]),
            (["--since", "2020-01-01T08:00+02:00"], ["user_created", "user_updated"]),
            (["--since", "2999-01-01"], []),
        ],
    )
    def test_by_name_person_and_time(self, run, options, names):
        """All of them together, when several are given."""
        assert [line["event"] for line in lines_of(run("events", "tail", *options))] == names

    @pytest.mark.parametrize("options", [["--event", "nonsense"], ["--since", "soon"], ["--since", "9999999999 days"]])
    def test_a_mistake_is_told(self, run, options):
        """With what would be right."""
        result = run("events", "tail", *options)
        assert result.exit_code == 2
        assert re.search(r"--(event|since)", result.output)

    def test_following_shows_what_comes_and_nothing_twice(self, run, monkeypatch):
        """Until it is told to stop."""
        looks = []

        def look(_seconds):
            looks.append(1)
            if len(looks) == 1:
                assert run("users", "enable", "ann").exit_code == 0
            if len(looks) == 3:
                raise KeyboardInterrupt

        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=look))  # others sleep beside it
        result = run("events", "tail", "-n", "1", "--follow")
        shown = [json.loads(line)["is_active"] for line in result.stdout.splitlines() if line]
        assert shown == [False, True], result.output


@pytest.mark.usefixtures("_disabled")
class TestExport:
    def test_every_event_as_json_lines(self, run):
        """The form of the file."""
        assert [line["event"] for line in lines_of(run("events", "export"))] == ["user_created", "user_updated"]

    def test_every_event_as_a_table(self, run):
        """With the common fields as columns and all of them in the last."""
        result = run("events", "export", "--format", "csv", "--user", "ann")
        head, made, disabled = csv.reader(io.StringIO(result.stdout))
        assert head[:3] == ["timestamp", "event", "user_id"]
        assert (made[1], disabled[1]) == ("user_created", "user_updated")
        assert made[2] == disabled[2]
        assert json.loads(disabled[-1])["is_active"] is False


def test_no_cell_is_a_formula(run, data, ann):
    """A spreadsheet would run what an attacker has typed as a name."""
    from voxgate.cli.frame import opened  # noqa: PLC0415 -- after the environment is clean

    with opened(str(data)) as services:
        services.events("login", {"username": "=1+1", "endpoint": "@x", "success": False})
    cells = list(csv.reader(io.StringIO(run("events", "export", "--format", "csv").stdout)))[-1]
    assert not [cell for cell in cells if cell[:1] in set("=+-@")]


def test_the_settings_say_how_the_file_rotates(run, data, monkeypatch):
    """Size and number, as everywhere by environment."""
    monkeypatch.setenv("VOXGATE_EVENTS_FILE_BYTES", "4096")
    monkeypatch.setenv("VOXGATE_EVENTS_FILES", "2")
    from voxgate.cli.frame import opened  # noqa: PLC0415

    with opened(str(data)) as services:
        for _ in range(60):
            services.events("login", {"user_agent": "x" * 500})
    assert {path.name for path in data.glob("security.log*")} <= {"security.log", "security.log.1", "security.log.2"}
    assert len(list(data.glob("security.log.*"))) == 2
