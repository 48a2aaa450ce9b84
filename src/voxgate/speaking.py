"""The parts that speak, opened as the settings say; server processes and workers have the same."""

from voxgate.gate.clock import Clock
from voxgate.settings import Settings
from voxgate.speech.artifacts import Artifacts
from voxgate.speech.engines.registry import open_engines
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
    """Return the place of finished audio, which every process that speaks or serves must reach."""
    return FolderArtifacts(
        settings.audio_folder,
        now_ms=clock.now_ms,
        ttl_s=settings.audio_ttl_s,
        quota_bytes=settings.audio_quota_bytes,
    )
