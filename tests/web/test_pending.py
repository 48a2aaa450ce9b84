"""What is held of a budget when a server is killed comes back, once, and nothing comes back that is being spent."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from tests.support.service import V1
from tests.web.doomed_server import open_app

from voxgate.gate.errors import StoreUnavailableError
from voxgate.web import pending as module
from voxgate.web.pending import Pending


@pytest.fixture
def make_pending(tmp_path):
    """Open what a process of its own would have: each has a file and a lock."""
    opened = []

    def make(folder=tmp_path / "held"):
        opened.append(Pending(folder))
        return opened[-1]

    yield make
    for pending in opened:
        pending.close()


def end_of(pending):
    """End the process of a `Pending`, as the kernel sees it: its lock is gone, and its file stays."""
    os.close(pending._file)
    pending._path = None


def settled(pending):
    return dict(pending.settling())


class TestKilled:
    @pytest.fixture
    def doomed(self, tmp_path, new_database):
        """Run a server until it is killed at an instant; gives it as it is opened anew."""
        data = tmp_path / "data"
        data.mkdir()
        url = new_database(data / "voxgate.db")
        opened = []

        def run(instant):
            command = [sys.executable, "-m", "tests.web.doomed_server", str(data), url, instant]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
            assert ended.returncode == -signal.SIGKILL, ended.stderr
            app, services = open_app(data, url)
            opened.append(services)
            client, headers = app.test_client(), {"X-API-Key": ended.stdout}

            def used():
                limits = client.get(f"{V1}/limits", headers=headers).get_json()
                return next(limit["current_count"] for name, limit in limits.items() if "characters" in name)

            return SimpleNamespace(settle=services.settlement.settle, jobs=services.jobs, used=used, data=data)

        yield run
        for services in opened:
            services.close()

    @pytest.mark.parametrize("instant", ["row", "speech"])
    def test_what_was_held_before_the_kill_comes_back_once(self, doomed, instant):
        """Killed with kill -9 between the hold and the row of the job, or before the first sound."""
        server = doomed(instant)
        assert server.used() == 6
        assert (server.settle(), server.used()) == (1, 0)
        assert (server.settle(), server.used()) == (0, 0)
        assert list((server.data / "held").iterdir()) == []

    def test_what_a_job_stands_for_stays_held(self, doomed):
        """Killed just behind the row: the job will be spoken, and its characters are its own."""
        server = doomed("behind the row")
        assert (server.settle(), server.used()) == (0, 6)
        assert server.jobs.claim("w").characters == 6


class TestFile:
    def test_living_process_keeps_what_it_holds(self, make_pending):
        """However long it takes; what it has brought to its end is forgotten when it ends."""
        one, other = make_pending(), make_pending()
        one.begin("a", "[1]")
        one.begin("b", "[2]")
        one.end("a")
        assert settled(other) == {}
        end_of(one)
        assert settled(other) == {"b": "[2]"}
        assert settled(other) == {}

    def test_hold_that_was_not_settled_is_given_again(self, make_pending):
        """The store was away: the file stays until what stands in it is settled."""
        one, other = make_pending(), make_pending()
        one.begin("a", "[1]")
        end_of(one)
        assert next(other.settling()) == ("a", "[1]")
        assert settled(other) == {"a": "[1]"}

    def test_abandoned_hold_is_settled_by_its_own_process(self, make_pending):
        """Until that has come to an end, and not one that was ended meanwhile."""
        one = make_pending()
        for name in "ab":
            one.begin(name, "[1]")
            one.abandon(name)
        one.end("b")
        one.abandon("b")
        assert next(one.settling()) == ("a", "[1]")
        assert settled(one) == {"a": "[1]"}
        assert settled(one) == {}

    def test_line_that_was_being_written_is_passed_over(self, make_pending, tmp_path):
        """Nothing was held yet when its process was killed."""
        one = make_pending()
        one.begin("a", "[1]")
        end_of(one)
        (path,) = (tmp_path / "held").glob("*.held")
        path.write_text(path.read_text() + "+b [")
        assert settled(make_pending()) == {"a": "[1]"}

    def test_file_stays_short(self, make_pending, tmp_path, monkeypatch):
        """It is emptied when nothing is held, and begun anew when it is long; what is held goes along."""
        monkeypatch.setattr(module, "_LONGEST_BYTES", 100)
        one = make_pending()
        one.begin("a", "[1]")
        for number in range(50):
            one.begin(str(number), "[2]")
            one.end(str(number))
        (path,) = (tmp_path / "held").iterdir()
        assert path.stat().st_size < 120
        one.end("a")
        assert path.stat().st_size == 0
        one.begin("b", "[3]")
        end_of(one)
        assert settled(make_pending()) == {"b": "[3]"}

    def test_closing_leaves_a_file_only_where_something_is_held(self, make_pending, tmp_path):
        """It is settled at the next start; closing again is no error, and an end that comes late makes no file."""
        one, other = make_pending(), make_pending()
        one.begin("a", "[1]")
        other.begin("b", "[2]")
        other.end("b")
        for pending in (one, other, one, other):
            pending.close()
        other.end("b")
        assert len(list((tmp_path / "held").iterdir())) == 1
        assert settled(make_pending()) == {"a": "[1]"}

    def test_folder_that_cannot_be_written_refuses_nothing(self, make_pending, tmp_path):
        """It costs the safety, and what this process has abandoned is settled all the same."""
        (tmp_path / "held").write_text("no folder")
        one = make_pending()
        one.begin("a", "[1]")
        one.abandon("a")
        assert settled(one) == {"a": "[1]"}

    def test_file_that_another_has_just_settled_is_passed_over(self, make_pending, tmp_path, monkeypatch):
        """Two servers look at the same moment."""
        monkeypatch.setattr(type(tmp_path), "glob", lambda folder, _pattern: iter([folder / "gone.held"]))
        assert settled(make_pending()) == {}


class TestLostAnswers:
    @pytest.fixture
    def ann(self, make_app):
        app = make_app(tts_characters_standard="100 per day")
        client = app.test_client()
        registered = client.post(
            f"{V1}/auth/register",
            json={"username": "annie", "email": "annie@example.org", "password": "correct horse battery"},
        ).get_json()
        services = app.extensions["voxgate.services"]
        headers = {"X-API-Key": registered["api_key"]}

        def used():
            limits = client.get(f"{V1}/limits", headers=headers).get_json()
            return next(limit["current_count"] for name, limit in limits.items() if "characters" in name)

        def generate():
            return client.post(f"{V1}/tts/generate", headers=headers, json={"text": "Hello."})

        return SimpleNamespace(services=services, used=used, generate=generate)

    def test_503_hold_whose_answer_was_lost_comes_back(self, ann, monkeypatch):
        """The store has held the characters, and only the answer did not arrive."""
        store = ann.services.store
        hold = store.hold

        def lose_the_answer(*args, **kwargs):
            hold(*args, **kwargs)
            raise StoreUnavailableError("gone")

        with monkeypatch.context() as broken:
            broken.setattr(store, "hold", lose_the_answer)
            assert ann.generate().status_code == 503
        assert ann.used() == 6
        assert (ann.services.settlement.settle(), ann.used()) == (1, 0)

    def test_refund_that_cannot_be_made_now_is_made_later(self, ann, monkeypatch):
        """A request is not taken while the store goes away: its characters come back when that answers."""

        def gone(*_args, **_kwargs):
            raise StoreUnavailableError("gone")

        with monkeypatch.context() as broken:
            broken.setattr(ann.services.store, "refund", gone)
            broken.setattr(ann.services.jobs, "_queue_max", 0)
            assert ann.generate().get_json()["code"] == "QUEUE_FULL"
        assert ann.used() == 6
        assert (ann.services.settlement.settle(), ann.used()) == (1, 0)
