"""Settings of credentials: tokens, their key, and passwords."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from voxgate.settings.forms import Seconds
from voxgate.settings.setting import Group, Setting


class CredentialSettings(Group):
    """How credentials are made and checked."""

    hash_workers: Annotated[
        int, Setting("VOXGATE_HASH_WORKERS", "Passwords that are hashed at the same time.", "threads")
    ] = Field(default=2, ge=1, le=16)
    hash_queue: Annotated[
        int, Setting("VOXGATE_HASH_QUEUE", "Passwords that may wait for hashing before logins are refused.", "logins")
    ] = Field(default=32, ge=1, le=1024)
    password_blocklist: Annotated[
        Path | None,
        Setting(
            "VOXGATE_PASSWORD_BLOCKLIST",
            "File of passwords that are refused beside those that are built in: one a line, or sorted SHA-1 or SHA-256 "
            "digests. The development profile warns of them only.",
        ),
    ] = None
    jwt_secret_key: Annotated[
        SecretStr | None,
        Setting(
            "JWT_SECRET_KEY",
            "Key that signs tokens, at least 32 random bytes.",
            default_doc="secret.key in the data folder",
            is_secret=True,
        ),
    ] = None
    jwt_algorithm: Annotated[
        Literal["HS256", "EdDSA", "ES256", "RS256"] | None,
        Setting(
            "JWT_ALGORITHM",
            "Signature algorithm of tokens. A key is made when the one that signs has another, and that one goes on "
            "verifying.",
            default_doc="that of the key that signs, HS256 for the first",
        ),
    ] = None
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
