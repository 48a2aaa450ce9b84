"""Settings of the server: where it listens, where its data lies, what it lets in."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from voxgate.settings.forms import Bytes, Origins, Seconds
from voxgate.settings.setting import Group, Setting

_REDIS_SCHEMES = (
    *("redis://", "rediss://", "unix://", "valkey://", "valkeys://"),
    *("redis+sentinel://", "rediss+sentinel://", "redis+cluster://", "rediss+cluster://"),
)
_MAX_WORKERS = 64


class Profile(StrEnum):
    """The two sets of rules that a house can run under."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


def default_data_folder() -> Path:
    """Return the folder that XDG gives to an application's data: ``~/.local/share/voxgate`` on most machines."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "voxgate"


def _database_in(known: dict[str, Any]) -> str:
    return f"sqlite:///{known['data'] / 'voxgate.db'}" if "data" in known else "sqlite://"


def _check_redis(value: str) -> str:
    if not value.startswith(_REDIS_SCHEMES):
        raise ValueError("write an address such as redis://localhost:6379/0")
    return value


def _absolute(value: Path) -> Path:
    return value.expanduser().absolute()


class ServerSettings(Group):
    """Where the service listens and keeps its data."""

    profile: Annotated[
        Profile,
        Setting(
            "VOXGATE_PROFILE",
            "Rules to run under. `production` refuses to start without a real secret and holds the stricter "
            "password policy.",
        ),
    ] = Profile.DEVELOPMENT
    data: Annotated[
        Path,
        AfterValidator(_absolute),
        Setting(
            "VOXGATE_DATA",
            "Folder that holds the databases, the signing key, the audio and the security log.",
            default_doc="~/.local/share/voxgate",
        ),
    ] = Field(default_factory=default_data_folder)
    database_url: Annotated[
        str,
        Setting(
            "VOXGATE_DATABASE_URL",
            "Address of the accounts and jobs: `sqlite:////path/voxgate.db`, or "
            "`postgresql://user:password@host/database` (extra `postgres`), which several machines can share.",
            default_doc="voxgate.db in the data folder",
            is_secret=True,
        ),
    ] = Field(default_factory=_database_in, repr=False, min_length=1)
    redis_url: Annotated[
        Annotated[str, AfterValidator(_check_redis)] | None,
        Setting(
            "VOXGATE_REDIS_URL",
            "Address of a Redis that several machines share as the gate's store. "
            "`RATELIMIT_STORAGE_URI` and `RATELIMIT_STORAGE_URL` mean the same.",
            default_doc="none: gate.db in the data folder",
            is_secret=True,
        ),
    ] = Field(default=None, repr=False)
    host: Annotated[str, Setting("VOXGATE_HOST", "Address to listen on.")] = Field(default="127.0.0.1", min_length=1)
    port: Annotated[int, Setting("VOXGATE_PORT", "TCP port to listen on; 0 takes a free one.")] = Field(
        default=5000, ge=0, le=65_535
    )
    workers: Annotated[int, Setting("VOXGATE_WORKERS", "Server processes.", "processes")] = Field(
        default=1, ge=1, le=_MAX_WORKERS
    )
    drain: Annotated[
        Seconds | None,
        Setting(
            "VOXGATE_DRAIN",
            "How long `/readyz` says 503 before a stop by SIGTERM, while everything is still answered; 0 to 9 seconds. "
            "Longer than what is before the service takes to notice.",
            "seconds",
            default_doc="0 in development, 3 seconds in production",
        ),
        Field(ge=0, le=9),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Setting("VOXGATE_LOG_LEVEL", "Least level that is written to standard error."),
    ] = "info"
    root_routes: Annotated[
        bool, Setting("VOXGATE_ROOT_ROUTES", "Serve `/login`, `/protected`, `/refresh` and `/logout` too.")
    ] = True
    cors_origins: Annotated[
        Origins, Setting("VOXGATE_CORS_ORIGINS", "Origins whose browser pages may call the API, spelled exactly.")
    ] = ()
    max_body_bytes: Annotated[Bytes, Setting("VOXGATE_MAX_BODY_BYTES", "Longest request body.", "bytes")] = Field(
        default=131_072, ge=1024, le=16_777_216
    )
