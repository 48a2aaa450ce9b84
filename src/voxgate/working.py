"""The parts that do jobs, opened as the settings say: who tells of a job, who does it, and where the audio goes."""

import contextlib
from collections.abc import Iterator

from voxgate.gate.clock import Clock
from voxgate.gate.errors import ConfigurationError
from voxgate.settings import Settings
from voxgate.speech.artifacts import Artifacts
from voxgate.speech.jobs import (
    Sender,
    check_celery_broker,
    open_celery_dispatcher,
    open_celery_sender,
    open_dispatcher,
)
from voxgate.speech.jobs.local import LocalDispatcher
from voxgate.speech.jobs.queue import JobQueue
from voxgate.speech.storage.address import parse_bucket
from voxgate.speech.storage.folder import FolderArtifacts
from voxgate.speech.synthesis import Synthesizer


def job_threads(settings: Settings) -> int:
    """Return how many jobs run at once in a process: one more than there are engine processes.

    So every engine has words to speak while a job is claimed, or written to the disk at its end.
    """
    return settings.engine_workers + 1


def open_worker(
    settings: Settings, queue: JobQueue, synthesizer: Synthesizer, *, clock: Clock, poll_s: float
) -> LocalDispatcher:
    """Start to run jobs in threads of this process: those that it finds in the table, or that a broker tells of.

    Raises:
        ConfigurationError: The library for the broker or for the audio's place is not installed.
    """
    threads, artifacts = job_threads(settings), open_artifacts(settings, clock)
    if settings.jobs != "celery":
        return open_dispatcher(
            queue, synthesizer, artifacts=artifacts, now_ms=clock.now_ms, threads=threads, poll_s=poll_s
        )
    with _celery(settings) as url:
        return open_celery_dispatcher(
            queue, synthesizer, artifacts=artifacts, now_ms=clock.now_ms, threads=threads, broker_url=url
        )


def open_sender(settings: Settings) -> Sender:
    """Start to tell the broker of jobs.

    Raises:
        ConfigurationError: The library for the broker is not installed.
    """
    with _celery(settings) as url:
        return open_celery_sender(url)


def check_broker(settings: Settings) -> None:
    """Return when the broker answers.

    Raises:
        ConfigurationError: The library for the broker is not installed.
        BrokerUnavailableError: It does not answer.
    """
    with _celery(settings) as url:
        check_celery_broker(url)


@contextlib.contextmanager
def _celery(settings: Settings) -> Iterator[str]:
    try:
        yield settings.broker_url or ""  # which is set: the settings are refused otherwise
    except ModuleNotFoundError as error:
        reason = "Celery is not installed: pip install 'voxgate[celery]'"
        raise ConfigurationError("VOXGATE_JOBS", reason) from error


def open_artifacts(settings: Settings, clock: Clock) -> Artifacts:
    """Return the place of finished audio, which every process that speaks or serves must reach.

    Raises:
        ConfigurationError: The place is a bucket, and the library for it is not installed.
    """
    if settings.audio_store is not None:
        return _open_bucket(settings, settings.audio_store, clock)
    return FolderArtifacts(
        settings.audio_folder,
        now_ms=clock.now_ms,
        ttl_s=settings.audio_ttl_s,
        quota_bytes=settings.audio_quota_bytes,
    )


def _open_bucket(settings: Settings, url: str, clock: Clock) -> Artifacts:
    try:
        from voxgate.speech.storage.bucket import BucketArtifacts  # noqa: PLC0415 -- its library is an extra
    except ModuleNotFoundError as error:
        reason = "the client of S3-compatible stores is not installed: pip install 'voxgate[s3]'"
        raise ConfigurationError("VOXGATE_AUDIO_STORE", reason) from error
    return BucketArtifacts(
        parse_bucket(url),
        now_ms=clock.now_ms,
        ttl_s=settings.audio_ttl_s,
        quota_bytes=settings.audio_quota_bytes,
        signs_urls=settings.audio_download == "redirect",
    )
