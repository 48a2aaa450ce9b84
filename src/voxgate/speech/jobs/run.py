"""The run of one claimed job, from its text to its audio or its reason; the same under every dispatcher."""

from collections.abc import Callable, Mapping
from typing import BinaryIO, Protocol

from voxgate.speech.artifacts import Artifacts, ArtifactStorageError, ArtifactTooLargeError, artifact_name
from voxgate.speech.captions import SUFFIX as CAPTIONS
from voxgate.speech.captions import Captions
from voxgate.speech.errors import SynthesisCancelledError, SynthesisFailedError
from voxgate.speech.jobs.base import FailureCode, IsStopping, Job, JobsUnavailableError, SpokenAudio
from voxgate.speech.jobs.lease import BEATS_PER_LEASE, STALL_S, Lease
from voxgate.speech.jobs.pulse import Pulse
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.request import SpeechRequest

_STORAGE_PAUSE_S = 10.0


class Spoken(Protocol):
    """What is asked of a synthesis."""

    @property
    def duration_s(self) -> float:
        """Length of the audio in seconds."""
        ...

    @property
    def segments(self) -> int:
        """Number of segments it was spoken in."""
        ...

    @property
    def media_type(self) -> str:
        """Media type of the audio."""
        ...

    @property
    def captions(self) -> Captions:
        """What is heard when."""
        ...


class Speaker(Protocol):
    """What is asked of a synthesizer."""

    def synthesize(self, request: SpeechRequest, out: BinaryIO, *, on_progress: Callable[[int, int], bool]) -> Spoken:
        """Speak `request` into `out`."""
        ...


class JobRunner:
    """Runs claimed jobs; safe to share between threads.

    Args:
        queue: Where the jobs are claimed and ended.
        speaker: The synthesizer.
        artifacts: Where the audio goes.
        stall_s: Seconds without a spoken segment after which a job is no longer held.
    """

    def __init__(self, queue: JobQueue, speaker: Speaker, artifacts: Artifacts, *, stall_s: float = STALL_S) -> None:
        self._queue = queue
        self._speaker = speaker
        self._artifacts = artifacts
        self._stall_s = stall_s
        self._pulse = Pulse(queue.lease_s / BEATS_PER_LEASE)

    def run(self, job: Job, is_stopping: IsStopping) -> None:
        """Bring one claimed job to its end, or hand it back.

        It is handed back when `is_stopping` says so, and when the service is in trouble. A job that was cancelled or
        taken over meanwhile is left alone.

        Args:
            job: The job as it was claimed.
            is_stopping: Asked after every segment.

        Raises:
            JobsUnavailableError: The database failed; the job comes back when its lease is over.
            ArtifactStorageError: The audio could not be stored; the job was handed back.
            Exception: A fault of ours; the job was handed back, and is given up after its last attempt.
        """
        lease = Lease(self._queue, job, is_stopping, stall_s=self._stall_s)
        try:
            with lease.beating(self._pulse):
                known = self._find_equal(job)
                audio = known or self._speak(job, lease)
        except SynthesisCancelledError:
            # Not an attempt: the job did nothing wrong.
            self._queue.release(job, is_attempt=False)
        except SynthesisFailedError as error:
            self._queue.fail(job, FailureCode.SYNTHESIS_FAILED, str(error))
        except ArtifactTooLargeError as error:
            self._queue.fail(job, FailureCode.AUDIO_TOO_LARGE, str(error))
        except ArtifactStorageError:
            # Another job, or this one later, may find room: it waits behind the others.
            self._queue.release(job, is_attempt=False, pause_s=_STORAGE_PAUSE_S)
            raise
        except JobsUnavailableError:
            raise
        except Exception:
            # A fault of ours: tried again, but not for ever.
            self._queue.release(job, is_attempt=True)
            raise
        else:
            self._queue.finish(job, audio, is_spoken=known is None)

    def _find_equal(self, job: Job) -> SpokenAudio | None:
        """Find what an equal job has given already, and keep it for this one too."""
        known = self._queue.find_audio(job.fingerprint) if job.has_equal else None
        if known is None:
            return None
        artifact = self._artifacts.touch(known.artifact)
        if artifact is None:
            return None
        self._artifacts.touch(artifact_name(job.fingerprint, CAPTIONS))
        return SpokenAudio(
            artifact=artifact.name,
            media_type=known.media_type,
            size_bytes=artifact.size_bytes,
            duration_s=known.duration_s,
            segments=known.segments,
            expires_at_ms=artifact.expires_at_ms,
        )

    def _speak(self, job: Job, lease: Lease) -> SpokenAudio:
        request = SpeechRequest(
            text=job.text,
            voice_name=job.voice_name,
            output_format=job.output_format,
            speed_ratio=job.speed_ratio,
            pitch_semitones=job.pitch_semitones,
            sample_rate_hz=job.sample_rate_hz,
            language=job.language or "",
            input_format="ssml" if job.input_format == "ssml" else "text",
        )
        spoken: list[Spoken] = []
        artifact = self._artifacts.write(
            job.fingerprint,
            job.output_format,
            lambda out: spoken.append(self._speaker.synthesize(request, out, on_progress=lease.note_progress)),
            beside=lambda: _captions_of(spoken[0]),
        )
        return SpokenAudio(
            artifact=artifact.name,
            media_type=spoken[0].media_type,
            size_bytes=artifact.size_bytes,
            duration_s=spoken[0].duration_s,
            segments=spoken[0].segments,
            expires_at_ms=artifact.expires_at_ms,
        )


def _captions_of(spoken: Spoken) -> Mapping[str, bytes]:
    return {CAPTIONS: spoken.captions.to_json()} if spoken.captions.segments else {}
