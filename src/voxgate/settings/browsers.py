"""Settings of browsers: which pages may call the API, and whether they may log in with cookies."""

from typing import Annotated, Literal

from voxgate.settings.setting import Group, Setting


class BrowserSettings(Group):
    """What browsers may do."""

    cookies: Annotated[
        bool,
        Setting(
            "VOXGATE_COOKIES",
            "Take cookies as credentials, and set them at logins that ask for them; off, tokens and keys are left.",
        ),
    ] = True
    cookies_same_site: Annotated[
        Literal["Strict", "Lax"],
        Setting(
            "VOXGATE_COOKIES_SAMESITE",
            "`SameSite` of the cookies: `Lax` sends them also when a link of another site leads here.",
        ),
    ] = "Strict"
