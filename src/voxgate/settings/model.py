"""The settings themselves: each with its name, type, unit, default, bounds and meaning, in one place."""

import os
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from voxgate.settings.forms import Bytes, LimitText, Modes, Origins, Seconds, Texts

_REDIS_SCHEMES = (
    *("redis://", "rediss://", "unix://", "valkey://", "valkeys://"),
    *("redis+sentinel://", "rediss+sentinel://", "redis+cluster://", "rediss+cluster://"),
)
_MAX_CORES = 64


class Profile(StrEnum):
    """The two sets of rules that a house can run under."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Setting:
    """What the reference says of one setting, beside its type, default and bounds.

    Attributes:
        name: Its name in the environment and in the TOML file.
        doc: What it means, in one or two sentences.
        unit: Unit of its value, or an empty text.
        default_doc: Stands for a default that is made at run time.
        is_secret: Its value is never shown.
    """

    name: str
    doc: str
    unit: str = ""
    default_doc: str = ""
    is_secret: bool = False


def default_data_folder() -> Path:
    """Return the folder that XDG gives to an application's data: ``~/.local/share/voxgate`` on most machines."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "voxgate"


def _database_in(known: dict[str, Any]) -> str:
    return f"sqlite:///{known['data'] / 'voxgate.db'}" if "data" in known else "sqlite://"


def _cores() -> int:
    return min(os.cpu_count() or 1, _MAX_CORES)


def _check_redis(value: str) -> str:
    if not value.startswith(_REDIS_SCHEMES):
        raise ValueError("write an address such as redis://localhost:6379/0")
    return value


def _absolute(value: Path) -> Path:
    return value.expanduser().absolute()


class Settings(BaseModel):
    """Everything that can be set, read once; docs/reference/settings.md is made from this class."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

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
            "SQLAlchemy address of the accounts and jobs.",
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
        default=1, ge=1, le=_MAX_CORES
    )
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
        default=1800, ge=1, le=86_400
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
    queue_max: Annotated[
        int, Setting("VOXGATE_QUEUE_MAX", "Jobs that may wait before new ones are refused.", "jobs")
    ] = Field(default=10_000, ge=1, le=1_000_000)
    hash_workers: Annotated[
        int, Setting("VOXGATE_HASH_WORKERS", "Passwords that are hashed at the same time.", "threads")
    ] = Field(default=2, ge=1, le=16)
    hash_queue: Annotated[
        int, Setting("VOXGATE_HASH_QUEUE", "Passwords that may wait for hashing before logins are refused.", "logins")
    ] = Field(default=32, ge=1, le=1024)
    jwt_secret_key: Annotated[
        SecretStr | None,
        Setting(
            "JWT_SECRET_KEY",
            "Key that signs tokens, at least 32 random bytes.",
            default_doc="secret.key in the data folder",
            is_secret=True,
        ),
    ] = None
    jwt_algorithm: Annotated[Literal["HS256"], Setting("JWT_ALGORITHM", "Signature algorithm of tokens.")] = "HS256"
    jwt_access_token_expires_s: Annotated[
        Seconds, Setting("JWT_ACCESS_TOKEN_EXPIRES", "Life of an access token.", "seconds")
    ] = Field(default=900, ge=1, le=86_400)
    jwt_refresh_token_expires_s: Annotated[
        Seconds, Setting("JWT_REFRESH_TOKEN_EXPIRES", "Life of a session, and so of its refresh token.", "seconds")
    ] = Field(default=2_592_000, ge=1, le=31_536_000)
    jwt_issuer: Annotated[str, Setting("JWT_ENCODE_ISSUER", "The `iss` of tokens.")] = Field(
        default="voxgate", min_length=1, max_length=200
    )
    jwt_audience: Annotated[str, Setting("JWT_ENCODE_AUDIENCE", "The `aud` of tokens.")] = Field(
        default="voxgate", min_length=1, max_length=200
    )
    jwt_leeway_s: Annotated[
        Seconds, Setting("JWT_DECODE_LEEWAY", "Clock difference that `exp` and `nbf` forgive.", "seconds")
    ] = Field(default=0, ge=0, le=10)
    ratelimit_default: Annotated[
        LimitText, Setting("RATELIMIT_DEFAULT", "Limit of routes that no other policy binds, per caller or address.")
    ] = "100 per minute"
    ratelimit_standard: Annotated[LimitText, Setting("RATELIMIT_STANDARD", "Limit of a standard account.")] = (
        "100 per minute"
    )
    ratelimit_premium: Annotated[LimitText, Setting("RATELIMIT_PREMIUM", "Limit of a premium account.")] = (
        "1000 per minute"
    )
    ratelimit_tts_generate: Annotated[
        LimitText, Setting("RATELIMIT_TTS_GENERATE", "Limit of `POST /api/v1/tts/generate`, per account.")
    ] = "10 per minute"
    ratelimit_tts_status: Annotated[
        LimitText, Setting("RATELIMIT_TTS_STATUS", "Limit of `GET /api/v1/tts/status`, per account.")
    ] = "100 per minute"
    ratelimit_login: Annotated[
        LimitText, Setting("RATELIMIT_LOGIN", "Limit of logins, per pair of address and account.")
    ] = "3 per minute"
    ratelimit_login_address: Annotated[
        LimitText, Setting("RATELIMIT_LOGIN_ADDRESS", "Limit of logins to any account, per address.")
    ] = "30 per minute"
    ratelimit_register: Annotated[LimitText, Setting("RATELIMIT_REGISTER", "Limit of registrations, per address.")] = (
        "30 per minute"
    )
    ratelimit_refresh: Annotated[LimitText, Setting("RATELIMIT_REFRESH", "Limit of token refreshes.")] = "30 per minute"
    ratelimit_account: Annotated[
        LimitText, Setting("RATELIMIT_ACCOUNT", "Limit of managing one's own keys, sessions and password.")
    ] = "60 per minute"
    ratelimit_protected: Annotated[LimitText, Setting("RATELIMIT_PROTECTED", "Limit of `GET /protected`.")] = (
        "5 per minute"
    )
    on_trouble: Annotated[
        Modes,
        Setting(
            "VOXGATE_ON_TROUBLE",
            "What a policy does while the gate's store is out of reach: `closed` (503, the default), `local` (what "
            "this process has just seen alive passes, within its share of the limit) or `open` (signed tokens pass).",
        ),
    ] = ("tts-generate=local", "tts-status=local")
    blocked_patterns: Annotated[
        Texts,
        Setting(
            "TTS_BLOCKED_PATTERNS",
            "Content policy: a text that holds one of these, in any case, is refused. `[]` switches it off.",
        ),
    ] = ("<script", "javascript:", "onload=", "onerror=")

    @property
    def is_production(self) -> bool:
        """Whether the production profile runs."""
        return self.profile is Profile.PRODUCTION

    @property
    def secret_key_path(self) -> Path:
        """Where the generated signing key lies."""
        return self.data / "secret.key"

    @property
    def gate_database_path(self) -> Path:
        """Where the embedded store of the gate lies."""
        return self.data / "gate.db"

    @property
    def audio_folder(self) -> Path:
        """Where finished audio lies."""
        return self.data / "audio"

    @property
    def security_log_path(self) -> Path:
        """Where security events are written."""
        return self.data / "security.log"

    @property
    def is_on_loopback(self) -> bool:
        """Whether only this machine can reach the host that is listened on."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def policies(self) -> dict[str, str]:
        """Return the limit text of every policy by the policy's name, such as ``tts-generate``."""
        prefix = "ratelimit_"
        return {
            attribute.removeprefix(prefix).replace("_", "-"): getattr(self, attribute)
            for attribute in type(self).model_fields
            if attribute.startswith(prefix)
        }

    def modes(self) -> dict[str, str]:
        """Return for each policy that is named what it does while the store is out of reach."""
        return dict(mode.split("=", 1) for mode in self.on_trouble)


SETTINGS: dict[str, Setting] = {
    attribute: next(item for item in field.metadata if isinstance(item, Setting))
    for attribute, field in Settings.model_fields.items()
}
"""What the reference says of each setting, by its attribute."""
