"""The worker within this process: it takes jobs, stops when told, and waits for its database."""

import signal
import threading

import pytest
from click.testing import CliRunner

from voxgate.accounts.database import Database
from voxgate.cli import cli
from voxgate.settings import Settings
from voxgate.speech.jobs.base import JobState
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.request import SpeechRequest
from voxgate.testing import FakeClock
from voxgate.web.background import Background
from voxgate.worker import Worker

PATIENCE_S = 60


@pytest.fixture
def settings(data, database_url):
    data.mkdir()
    return Settings(data=data, database_url=database_url, engine_workers=1)


@pytest.fixture
def queue(settings):
    database = Database(settings.database_url)
    yield JobQueue(database.engine, now_ms=FakeClock().now_ms)
    database.close()


@pytest.fixture
def start(settings):
    """Start a worker in a thread; at the end it is told to stop, and has to."""
    running = []

    def call(**changes):
        heard = []
        told = threading.Condition()

        def hear(name, fields):
            with told:
                heard.append(name)
                told.notify_all()

        worker = Worker(settings.model_copy(update=changes), clock=FakeClock(), events=hear)
        thread = threading.Thread(target=worker.run)
        thread.start()
        running.append((worker, thread))
        return lambda name: _wait(told, lambda: name in heard)

    yield call
    for worker, thread in running:
        worker.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def _wait(condition, is_there):
    with condition:
        assert condition.wait_for(is_there, PATIENCE_S)


def test_waiting_job_is_spoken(start, queue, settings):
    """What was submitted before it came, by another process, has its audio."""
    job = queue.submit(SpeechRequest("Good morning."), owner="ann", fingerprint="ab" * 32)
    wait_for = start()
    wait_for("tts_job_finished")
    done = queue.find(job.id, "ann")
    assert (done.state, done.attempts) == (JobState.DONE, 1)
    assert (settings.audio_folder / done.artifact).stat().st_size == done.size_bytes


@pytest.mark.postgres
@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
def test_missing_database_is_waited_for_and_told_once(start, tmp_path, caplog, monkeypatch):
    """It does not end, and does not fill the log."""
    monkeypatch.setattr("voxgate.worker._PAUSE_S", 0.01)
    tries = threading.Semaphore(0)
    migrate = Database.migrate

    def count(database):
        tries.release()
        migrate(database)

    monkeypatch.setattr(Database, "migrate", count)
    start(database_url=f"postgresql://ann@/voxgate?host={tmp_path}")
    for _ in range(3):
        assert tries.acquire(timeout=PATIENCE_S)
    assert len([record for record in caplog.records if "no database yet" in record.message]) == 1


def test_command_says_what_it_does_and_stops_at_a_signal(monkeypatch):
    """SIGTERM and Ctrl-C both let it come to its end."""
    stopped = []

    class Fake:
        def __init__(self, settings):
            self.settings = settings

        def stop(self):
            stopped.append(self.settings.engine_workers)

        def run(self):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.raise_signal(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr("voxgate.worker.Worker", Fake)
    try:
        result = CliRunner().invoke(cli, ["worker", "--jobs", "3"])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert (result.exit_code, result.stdout) == (0, "voxgate: takes jobs, 3 at once\n")
    assert stopped == [3, 3]


def test_server_that_leaves_its_jobs_to_workers_runs_none():
    """Nothing is started, and nothing has to be stopped."""
    background = Background(None)
    background.start()
    background.send("0" * 32)
    background.stop()
