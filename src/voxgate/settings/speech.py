"""Settings of speech: how much is spoken at once, how long, and how long audio is kept."""

import os
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from voxgate.settings.forms import Bytes, Characters, Seconds, Texts
from voxgate.settings.setting import Group, Setting
from voxgate.speech.storage.address import parse_bucket

_MAX_CORES = 64
_BROKERS = ("redis://", "rediss://", "redis+socket://", "amqp://", "amqps://")


def _cores() -> int:
    return min(os.cpu_count() or 1, _MAX_CORES)


def _check_broker(value: str | None, known: ValidationInfo) -> str | None:
    if value is None and known.data.get("jobs") == "celery":
        raise ValueError("VOXGATE_JOBS=celery needs a broker, such as redis://localhost:6379/1 or amqp://localhost")
    if value is not None and not value.startswith(_BROKERS):
        raise ValueError("write an address such as redis://localhost:6379/1 or amqp://localhost")
    return value


def _check_bucket(value: str) -> str:
    parse_bucket(value)
    return value


class SpeechSettings(Group):
    """What may be spoken, and what becomes of it."""

    jobs: Annotated[
        Literal["local", "worker", "celery"],
        Setting(
            "VOXGATE_JOBS",
            "Who speaks the jobs: `local` the server processes themselves, `worker` only `voxgate worker`, of which "
            "any number can share a database and the audio, `celery` the same, told by a broker (extra `celery`).",
        ),
    ] = "local"
    broker_url: Annotated[
        str | None,
        AfterValidator(_check_broker),
        Setting(
            "VOXGATE_BROKER_URL",
            "Broker that tells workers of jobs, with `VOXGATE_JOBS=celery`: `redis://host/1` or "
            "`amqp://user:password@host`.",
            default_doc="none",
            is_secret=True,
        ),
    ] = Field(default=None, repr=False)
    engine_workers: Annotated[
        int,
        Setting(
            "VOXGATE_ENGINE_WORKERS",
            "Speech engine processes, started when first needed.",
            "processes",
            default_doc="one per core",
        ),
    ] = Field(default_factory=_cores, ge=1, le=_MAX_CORES)
    max_audio_s: Annotated[Seconds, Setting("VOXGATE_MAX_AUDIO_S", "Longest audio of one request.", "seconds")] = Field(
        default=3600, ge=1, le=86_400
    )
    segment_deadline_s: Annotated[
        Seconds,
        Setting(
            "VOXGATE_SEGMENT_DEADLINE_S",
            "Time that an engine may take for one segment before its process is replaced.",
            "seconds",
        ),
    ] = Field(default=10, ge=1, le=600)
    audio_ttl_s: Annotated[Seconds, Setting("VOXGATE_AUDIO_TTL_S", "Time that finished audio is kept.", "seconds")] = (
        Field(default=604_800, ge=60, le=31_536_000)
    )
    audio_quota_bytes: Annotated[
        Bytes, Setting("VOXGATE_AUDIO_QUOTA_BYTES", "Most bytes that the audio folder may hold.", "bytes")
    ] = Field(default=2_147_483_648, ge=1_048_576, le=1 << 50)
    audio_store: Annotated[
        Annotated[str, AfterValidator(_check_bucket)] | None,
        Setting(
            "VOXGATE_AUDIO_STORE",
            "S3-compatible store of the audio that all machines reach (extra `s3`): "
            "`s3://bucket/prefix?endpoint=https://s3.example.org`; credentials come from the environment, as in "
            "`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.",
            default_doc="none: audio in the data folder",
        ),
    ] = None
    audio_download: Annotated[
        Literal["proxy", "redirect"],
        Setting(
            "VOXGATE_AUDIO_DOWNLOAD",
            "How audio in a store of its own is fetched: `proxy` through the service, `redirect` from the store, by an "
            "address that opens it for five minutes.",
        ),
    ] = "proxy"
    queue_max: Annotated[
        int, Setting("VOXGATE_QUEUE_MAX", "Jobs that may wait before new ones are refused.", "jobs")
    ] = Field(default=10_000, ge=1, le=1_000_000)
    streams_max: Annotated[
        int,
        Setting(
            "VOXGATE_STREAMS_MAX",
            "Answers of `POST /v1/audio/speech` that one server process makes at once; each holds one of its threads "
            "while it is spoken. Audio of more than 32 MiB takes such a place while it is fetched.",
            "streams",
        ),
    ] = Field(default=3, ge=1, le=1_000)
    max_characters: Annotated[
        Characters,
        Setting(
            "TTS_MAX_CHARACTERS",
            "Longest text of one request for each tier, such as `standard=5000; premium=50000`; a tier that is not "
            "named has that of `standard`. Markup is not counted.",
            "characters",
        ),
    ] = "standard=5000; premium=50000"  # type: ignore[assignment]
    waiters_max: Annotated[
        int,
        Setting(
            "VOXGATE_WAITERS_MAX",
            "Requests for a job's status that one server process lets wait at once; more are answered at once, as each "
            "holds one of its threads.",
            "requests",
        ),
    ] = Field(default=2, ge=0, le=1_000)
    blocked_patterns: Annotated[
        Texts,
        Setting(
            "TTS_BLOCKED_PATTERNS",
            "Content policy: a text that holds one of these, in any case, is refused. `[]` switches it off.",
        ),
    ] = ("<script", "javascript:", "onload=", "onerror=")
