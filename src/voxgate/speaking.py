"""The parts that speak, opened as the settings say; server processes and workers have the same."""

from voxgate.gate.clock import Clock
from voxgate.gate.errors import ConfigurationError
from voxgate.settings import Settings
from voxgate.speech.artifacts import Artifacts
from voxgate.speech.engines.registry import open_engines
from voxgate.speech.storage.address import parse_bucket
from voxgate.speech.storage.folder import FolderArtifacts
from voxgate.speech.synthesis import Synthesizer


def open_synthesizer(settings: Settings) -> Synthesizer:
    """Return the voices; their processes start when they first speak."""
    return Synthesizer(
        open_engines(workers=settings.engine_workers),
        max_audio_s=settings.max_audio_s,
        segment_deadline_s=settings.segment_deadline_s,
    )


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
