"""Stopping the embedded dispatcher, and what it does while disk and database are in trouble."""

import errno
import logging
import os
import threading
from dataclasses import replace

import pytest
from tests.speech.job_stage import PATIENCE_S, Stage, audio, locked, open_engine, submit

from voxgate.speech.artifacts import ArtifactStorageError
from voxgate.speech.jobs.base import JobState, JobsUnavailableError
from voxgate.speech.jobs.local import LocalDispatcher
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.jobs.run import JobRunner
from voxgate.speech.jobs.trouble import Trouble
from voxgate.speech.jobs.upkeep import SWEEP_EVERY_S, Upkeep


@pytest.fixture
def stage(tmp_path, jobs_url):
    stage = Stage(tmp_path, jobs_url)
    yield stage
    stage.close()


class Lines(logging.Handler):
    """A log that can be waited for."""

    def __init__(self):
        super().__init__()
        self.texts = []
        self.changed = threading.Condition()

    def emit(self, record):
        with self.changed:
            self.texts.append(record.getMessage())
            self.changed.notify_all()

    def wait_for(self, text):
        with self.changed:
            assert self.changed.wait_for(lambda: any(text in one for one in self.texts), PATIENCE_S), self.texts


@pytest.fixture
def lines():
    return Lines()


@pytest.fixture
def logger(lines):
    logger = logging.Logger("test")  # noqa: LOG001 -- one that nobody else writes to
    logger.addHandler(lines)
    return logger


@pytest.fixture
def impatient(monkeypatch):
    """Have trouble waited out quickly."""
    monkeypatch.setattr("voxgate.speech.jobs.trouble._FIRST_PAUSE_S", 0.01)


class TestStopping:
    def test_running_job_is_finished_if_there_is_time(self, stage):
        """A stop waits for the work under way and claims nothing more."""
        begun, go_on = threading.Event(), threading.Event()

        def before_segment(_index):
            begun.set()
            assert go_on.wait(PATIENCE_S)

        stage.speaker.before_segment = before_segment
        first = submit(stage.queue)
        dispatcher = stage.start()
        assert begun.wait(PATIENCE_S)
        second = submit(stage.queue)
        stopping = threading.Thread(target=dispatcher.stop, args=(PATIENCE_S,))
        stopping.start()
        assert dispatcher._is_closing.wait(PATIENCE_S)
        go_on.set()
        stopping.join(PATIENCE_S)
        assert stage.queue.find(first.id, "ann").state is JobState.DONE
        assert stage.queue.find(second.id, "ann").state is JobState.QUEUED

    def test_long_job_is_handed_back_after_its_segment(self, stage):
        """A job that cannot finish in time waits again, unblamed, and leaves no file."""
        begun, pace = threading.Event(), threading.Event()

        def before_segment(_index):
            begun.set()
            pace.wait(0.002)

        stage.speaker.before_segment = before_segment
        job = submit(stage.queue, text="word " * 100_000)
        dispatcher = stage.start()
        assert begun.wait(PATIENCE_S)
        dispatcher.stop(0.3)
        for thread in dispatcher._threads:  # on a busy machine it hears of the stop after that
            thread.join(PATIENCE_S)
        seen = stage.queue.find(job.id, "ann")
        assert (seen.state, seen.attempts, seen.segments_done) == (JobState.QUEUED, 0, 0)
        assert stage.files() == []
        assert stage.ends() == []

    def test_job_stuck_in_a_segment_is_handed_back_and_its_worker_shut_out(self, stage):
        """A stop does not wait for ever; what the stuck worker writes later is void, and there is one audio."""
        begun, go_on = threading.Event(), threading.Event()

        def before_segment(_index):
            begun.set()
            assert go_on.wait(PATIENCE_S)

        stage.speaker.before_segment = before_segment
        job = submit(stage.queue)
        stuck = stage.start()
        assert begun.wait(PATIENCE_S)
        stuck.stop(0.1)
        assert stage.queue.find(job.id, "ann").state is JobState.QUEUED
        stage.speaker.before_segment = lambda _index: None
        stage.start()
        stage.wait_for_ends(1)
        go_on.set()
        for thread in stuck._threads:
            thread.join(PATIENCE_S)
        done = stage.queue.find(job.id, "ann")
        assert (done.state, done.attempts) == (JobState.DONE, 1)
        assert stage.ends() == ["tts_job_finished"]
        assert stage.files() == [done.artifact]

    def test_stop_does_not_fail_with_the_database(self, stage, logger, lines, monkeypatch):
        """A job that cannot be handed back comes back by its lease."""
        begun, go_on = threading.Event(), threading.Event()

        def before_segment(_index):
            begun.set()
            assert go_on.wait(PATIENCE_S)

        stage.speaker.before_segment = before_segment
        submit(stage.queue)
        dispatcher = stage.start(logger=logger)
        assert begun.wait(PATIENCE_S)

        def fail(*_args, **_options):
            raise JobsUnavailableError("disk I/O error")

        with monkeypatch.context() as patch:
            patch.setattr(stage.queue, "release", fail)
            dispatcher.stop(0.1)
        go_on.set()
        lines.wait_for("was not handed back")

    def test_stopping_twice_or_unstarted_is_no_error(self, stage):
        """A stop is safe to repeat."""
        LocalDispatcher(stage.queue, threads=1).stop(1)
        dispatcher = stage.start()
        dispatcher.stop(5)
        dispatcher.stop(5)


class TestTrouble:
    def test_locked_database_is_said_once_and_waited_out(self, stage, logger, lines, impatient):
        """The threads outlive a database in trouble; jobs run once it is over."""
        engine = open_engine(stage.url, busy_ms=1000)  # also the time that PostgreSQL gives a statement without a lock
        queue = JobQueue(engine, now_ms=stage.clock.now_ms, on_event=stage._hear)
        job = submit(stage.queue)
        dispatcher = LocalDispatcher(queue, threads=1, poll_s=0.01, logger=logger)
        with locked(stage.engine):
            dispatcher.run(JobRunner(queue, stage.speaker, stage.artifacts).run)
            lines.wait_for("; trying again")
        stage.wait_for_ends(1)
        dispatcher.stop(5)
        engine.dispose()
        assert stage.queue.find(job.id, "ann").state is JobState.DONE
        assert [line for line in lines.texts if "trying again" in line] == lines.texts[:1]

    def test_full_disk_hands_the_job_back_and_waits(self, stage, logger, lines, monkeypatch, impatient):
        """No room for audio: the job is not to blame, waits its turn, and is done when there is room."""

        def fail(_descriptor):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        job = submit(stage.queue)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            stage.start(logger=logger)
            lines.wait_for("ArtifactStorageError: audio cannot be stored: No space left on device")
        waiting = stage.queue.find(job.id, "ann")
        assert (waiting.state, waiting.attempts) == (JobState.QUEUED, 0)
        stage.clock.advance(10)
        stage.wait_for_ends(1)
        lines.wait_for("no ArtifactStorageError any more")
        assert stage.queue.find(job.id, "ann").state is JobState.DONE

    def test_fault_of_ours_is_tried_three_times_and_never_quotes_the_text(self, stage, logger, lines):
        """An unexpected error counts as an attempt; the log says where, not what."""

        def before_segment(_index):
            raise RuntimeError("cannot speak 'my secret'")

        stage.speaker.before_segment = before_segment
        job = submit(stage.queue, text="my secret")
        runner = JobRunner(stage.queue, stage.speaker, stage.artifacts)
        trouble = Trouble("jobs", logger)
        for _ in range(3):
            with pytest.raises(RuntimeError) as caught:
                runner.run(stage.queue.claim("w"), lambda: False)
            trouble.begin(caught.value)
        assert stage.queue.claim("w") is None
        stage.queue.give_up()
        assert stage.queue.find(job.id, "ann").error_code == "ATTEMPTS_EXHAUSTED"
        assert len(lines.texts) == 1
        assert "test_local_stop.py" in lines.texts[0]
        assert "secret" not in lines.texts[0]

    def test_database_trouble_within_a_job_passes_through(self, stage, monkeypatch):
        """The job stays claimed, and comes back when its lease is over."""
        submit(stage.queue)
        job = replace(stage.queue.claim("w"), has_equal=True)

        def fail(_fingerprint):
            raise JobsUnavailableError

        monkeypatch.setattr(stage.queue, "find_audio", fail)
        with pytest.raises(JobsUnavailableError):
            JobRunner(stage.queue, stage.speaker, stage.artifacts).run(job, lambda: False)
        assert stage.queue.find(job.id, "ann").state is JobState.RUNNING

    def test_pauses_grow_to_a_bound_and_start_anew(self, logger, lines):
        """Trouble is asked about ever less often, and each kind is said once."""
        trouble = Trouble("jobs", logger)
        assert [trouble.begin(KeyError()) for _ in range(7)] == [0.5, 1, 2, 4, 8, 15, 15]
        assert trouble.begin(JobsUnavailableError("locked")) == 0.5
        trouble.end(JobsUnavailableError)
        assert trouble.begin(KeyError()) == 15
        trouble.end()
        assert trouble.begin(KeyError()) == 0.5
        assert [line.rpartition(": ")[0] for line in lines.texts[:1]] == ["jobs: KeyError"]
        assert [line for line in lines.texts if "any more" in line] == [
            "jobs: no JobsUnavailableError any more",
            "jobs: no KeyError any more",
        ]


class TestUpkeep:
    def test_chores_outlive_their_trouble(self, stage, logger, lines, impatient):
        """A chore that fails is said once and done again."""
        done = threading.Event()
        failures = iter([OSError(), OSError()])

        def chores():
            for failure in failures:
                raise failure
            done.set()

        stage.start(logger=logger, chores=chores)
        assert done.wait(PATIENCE_S)
        lines.wait_for("chores: no OSError any more")
        assert len([line for line in lines.texts if "trying again" in line]) == 1

    def test_old_rows_and_audio_go_once_a_minute(self, stage):
        """Hopeless jobs are given up at every tick, old things removed once a minute."""
        upkeep = Upkeep(stage.queue, stage.artifacts, now_ms=stage.clock.now_ms)
        upkeep.tick()
        artifact = stage.artifacts.write("0" * 64, "wav", lambda out: out.write(b"x"))
        submit(stage.queue)
        stage.queue.finish(stage.queue.claim("w"), audio(stage.clock.now_ms()))
        stage.clock.advance(SWEEP_EVERY_S - 1)
        stage.clock.ms += 8 * 86_400_000
        upkeep.tick()
        assert not (stage.folder / "audio" / artifact.name).exists()
        assert stage.queue.list("ann").jobs == ()
        again = stage.artifacts.write("1" * 64, "wav", lambda out: out.write(b"x"))
        path = stage.folder / "audio" / again.name
        os.utime(path, (0, 0))
        upkeep.tick()
        assert path.exists()

    def test_folder_in_trouble_is_said(self, stage):
        """A folder that cannot be swept is trouble, not silence."""
        (stage.folder / "audio").write_text("in the way")
        with pytest.raises(ArtifactStorageError):
            Upkeep(stage.queue, stage.artifacts, now_ms=stage.clock.now_ms).tick()
