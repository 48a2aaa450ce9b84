"""The embedded dispatcher: jobs submitted become audio, and those that cannot say why."""

import threading

import pytest
from tests.speech.job_stage import FINGERPRINT, PATIENCE_S, START_MS, Stage, submit

from voxgate.settings import Settings
from voxgate.speech.errors import SynthesisFailedError
from voxgate.speech.jobs import open_dispatcher
from voxgate.speech.jobs.base import JobState
from voxgate.speech.storage.folder import FolderArtifacts
from voxgate.working import open_worker


@pytest.fixture
def stage(tmp_path, jobs_url):
    stage = Stage(tmp_path, jobs_url)
    yield stage
    stage.close()


class TestRunning:
    def test_submitted_job_becomes_audio(self, stage):
        """From the row to the file: spoken once, stored once, said once."""
        stage.start()
        job = submit(stage.queue, text="one two three")
        stage.wait_for_ends(1)
        done = stage.queue.find(job.id, "ann")
        assert (done.state, done.media_type, done.duration_s) == (JobState.DONE, "audio/wav", 1.5)
        assert (done.segments_done, done.segments_total, done.size_bytes) == (3, 3, 11)
        assert done.expires_at_ms == START_MS + 600_000
        assert stage.artifacts.find(done.artifact).read_bytes() == b"onetwothree"

    def test_sent_job_wakes_a_thread_at_once(self, stage):
        """A sent job does not wait for the next look at the table."""
        dispatcher = stage.start(poll_s=3600)
        stage.queue.claim("nobody")  # the thread may have looked already or not: either way it must not sleep on
        job = submit(stage.queue)
        dispatcher.send(job.id)
        stage.wait_for_ends(1)

    def test_unsent_job_is_found_by_looking(self, stage):
        """A lost message does no harm."""
        stage.start()
        submit(stage.queue)
        stage.wait_for_ends(1)

    def test_many_jobs_on_many_threads_each_run_once(self, stage):
        """Nothing is lost and nothing doubled."""
        jobs = [submit(stage.queue, text=f"job {number}", fingerprint=f"{number:064x}") for number in range(30)]
        stage.start(threads=4)
        stage.wait_for_ends(30)
        assert sorted(stage.speaker.texts) == sorted(f"job {number}" for number in range(30))
        assert {stage.queue.find(job.id, "ann").attempts for job in jobs} == {1}
        assert len(stage.files()) == 30

    def test_job_of_a_killed_worker_is_taken_over(self, stage):
        """A job whose lease is over is run by whoever looks next."""
        job = submit(stage.queue)
        stage.queue.claim("killed")
        stage.clock.advance(15)
        stage.start()
        stage.wait_for_ends(1)
        assert stage.queue.find(job.id, "ann").attempts == 2

    def test_equal_job_is_served_without_speaking_again(self, stage):
        """Equal requests share one artifact, whose time starts anew."""
        stage.start()
        submit(stage.queue, text="one two", fingerprint=FINGERPRINT)
        stage.wait_for_ends(1)
        stage.clock.advance(300)
        job = submit(stage.queue, owner="bob", text="one two", fingerprint=FINGERPRINT)
        stage.wait_for_ends(2)
        done = stage.queue.find(job.id, "bob")
        assert stage.speaker.texts == ["one two"]
        assert (done.size_bytes, done.duration_s, done.segments_total) == (6, 1.5, 2)
        assert done.expires_at_ms == stage.clock.now_ms() + 600_000
        assert stage.artifacts.find(done.artifact) is not None

    def test_equal_job_whose_audio_is_gone_is_spoken_again(self, stage):
        """The row of an earlier job is not trusted without its file."""
        stage.start()
        submit(stage.queue, text="one", fingerprint=FINGERPRINT)
        stage.wait_for_ends(1)
        (stage.folder / "audio" / f"{FINGERPRINT}.wav").unlink()
        submit(stage.queue, text="one", fingerprint=FINGERPRINT)
        stage.wait_for_ends(2)
        assert stage.speaker.texts == ["one", "one"]

    def test_opened_dispatcher_runs_jobs_and_does_its_chores(self, stage):
        """The one call that a service makes gives a running dispatcher."""
        job = submit(stage.queue)
        for _ in range(3):
            stage.queue.claim("killed")
            stage.clock.advance(15)
        dispatcher = open_dispatcher(
            stage.queue, stage.speaker, artifacts=stage.artifacts, now_ms=stage.clock.now_ms, threads=1
        )
        stage.dispatchers.append(dispatcher)
        stage.wait_for_ends(1)
        assert stage.queue.find(job.id, "ann").error_code == "ATTEMPTS_EXHAUSTED"

    def test_one_job_more_than_there_are_engines_is_under_way(self, stage):
        """While one job is written to the disk its engine has the words of another to speak."""
        settings = Settings(data=stage.folder, engine_workers=2)
        all_three = threading.Barrier(3)
        stage.speaker.before_segment = lambda _index: all_three.wait(PATIENCE_S)
        for _ in range(3):
            submit(stage.queue)
        stage.dispatchers.append(open_worker(settings, stage.queue, stage.speaker, clock=stage.clock, poll_s=0.02))
        stage.wait_for_ends(3)
        assert stage.ends() == ["tts_job_finished"] * 3


class TestFailing:
    def test_job_that_cannot_be_spoken_fails_with_its_segment(self, stage):
        """The owner is told which segment failed and why; the queue moves on."""

        def fail(index):
            if index == 1 and stage.speaker.texts == ["good bad"]:
                raise SynthesisFailedError("engine_crashed", index)

        stage.speaker.before_segment = fail
        stage.start()
        job = submit(stage.queue, text="good bad")
        stage.wait_for_ends(1)
        submit(stage.queue, text="next")
        stage.wait_for_ends(2)
        failed = stage.queue.find(job.id, "ann")
        assert failed.error_code == "SYNTHESIS_FAILED"
        assert failed.error_detail == "Segment 2 could not be spoken: engine_crashed"
        assert stage.ends() == ["tts_job_failed", "tts_job_finished"]

    def test_audio_over_the_quota_fails_the_job(self, stage):
        """What can never be stored is not tried again."""
        stage.artifacts = FolderArtifacts(stage.folder / "audio", now_ms=stage.clock.now_ms, ttl_s=60, quota_bytes=3)
        stage.start()
        job = submit(stage.queue, text="four")
        stage.wait_for_ends(1)
        assert stage.queue.find(job.id, "ann").error_code == "AUDIO_TOO_LARGE"

    def test_cancelled_job_stops_at_its_next_segment(self, stage, monkeypatch):
        """Cancelling a running job ends the work, leaves no file, and stays cancelled."""
        monkeypatch.setattr("voxgate.speech.jobs.lease._PROGRESS_EVERY_S", 0)
        stage.speaker.before_segment = lambda index: index == 1 and stage.queue.cancel(job.id, "ann")
        job = submit(stage.queue, text="one two three " * 100)
        stage.clock.advance(0.001)
        submit(stage.queue, text="next", fingerprint="0" * 64)
        stage.start()
        stage.wait_for_ends(1)
        assert stage.queue.find(job.id, "ann").state is JobState.CANCELLED
        assert len(stage.files()) == 1
