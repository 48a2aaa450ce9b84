"""The embedded dispatcher with the real synthesizer: submitted text is heard."""

import wave

import pytest
from tests.speech.job_stage import Stage

from voxgate.speech.jobs.base import JobState
from voxgate.speech.request import SpeechRequest
from voxgate.speech.synthesis import Synthesizer


@pytest.fixture
def stage(tmp_path, jobs_url, engines):
    stage = Stage(tmp_path, jobs_url)
    stage.speaker = Synthesizer(engines, max_audio_s=60, segment_deadline_s=10)
    yield stage
    stage.close()


def test_submitted_texts_become_speech(stage):
    """The row says of a WAV and an MP3 what is in the files."""
    requests = [SpeechRequest("Good morning. How are you today?", output_format=form) for form in ("wav", "mp3")]
    jobs = [stage.queue.submit(one, owner="ann", fingerprint=stage.speaker.fingerprint(one)) for one in requests]
    stage.start(threads=2)
    stage.wait_for_ends(2)
    wav, mp3 = (stage.queue.find(job.id, "ann") for job in jobs)
    assert (wav.state, wav.media_type, mp3.state, mp3.media_type) == (
        JobState.DONE,
        "audio/wav",
        JobState.DONE,
        "audio/mpeg",
    )
    path = stage.artifacts.find(wav.artifact)
    with wave.open(str(path)) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(wav.duration_s)
    assert 1 < wav.duration_s < 6
    assert path.stat().st_size == wav.size_bytes
    assert stage.artifacts.find(mp3.artifact).stat().st_size == mp3.size_bytes > 1000


def test_unknown_voice_fails_the_job(stage):
    """A voice that went away between submit and run is a failure with a reason, not a stuck job."""
    job = stage.queue.submit(SpeechRequest("Hello", "Nobody"), owner="ann", fingerprint="0" * 64)
    stage.start()
    stage.wait_for_ends(1)
    failed = stage.queue.find(job.id, "ann")
    assert failed.error_code == "SYNTHESIS_FAILED"
    assert "engine_unavailable" in failed.error_detail
