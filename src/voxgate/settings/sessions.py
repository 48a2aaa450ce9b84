"""Settings of sessions: how long one lives, and how often its refresh token works."""

from typing import Annotated

from pydantic import Field

from voxgate.settings.forms import Seconds
from voxgate.settings.setting import Group, Setting


class SessionSettings(Group):
    """How sessions are carried on; their absolute life is ``JWT_REFRESH_TOKEN_EXPIRES``."""

    jwt_refresh_idle_expires_s: Annotated[
        Seconds,
        Setting("JWT_REFRESH_IDLE_EXPIRES", "Time after which a session ends unless it was refreshed.", "seconds"),
    ] = Field(default=604_800, ge=1, le=31_536_000)
    jwt_refresh_strict: Annotated[
        bool,
        Setting(
            "JWT_REFRESH_STRICT",
            "Whether a refresh token works once only; else a lost answer can be asked for again until the new tokens "
            "are used.",
        ),
    ] = False
