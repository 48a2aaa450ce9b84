"""Settings of limits: how much of everything a caller may have."""

from typing import Annotated

from voxgate.settings.forms import LimitText, Modes
from voxgate.settings.setting import Group, Setting


class LimitSettings(Group):
    """The limits of every policy, each counted per account unless it says otherwise."""

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
    ratelimit_openai_speech: Annotated[
        LimitText, Setting("RATELIMIT_OPENAI_SPEECH", "Limit of `POST /v1/audio/speech`, per account.")
    ] = "10 per minute"
    ratelimit_tts_status: Annotated[
        LimitText, Setting("RATELIMIT_TTS_STATUS", "Limit of `GET /api/v1/tts/status`, per account.")
    ] = "100 per minute"
    ratelimit_tts_preview: Annotated[
        LimitText, Setting("RATELIMIT_TTS_PREVIEW", "Limit of `GET /api/v1/tts/voices/<name>/preview`, per account.")
    ] = "60 per minute"
    ratelimit_login: Annotated[
        LimitText, Setting("RATELIMIT_LOGIN", "Limit of logins, per pair of address and account.")
    ] = "3 per minute"
    ratelimit_login_address: Annotated[
        LimitText, Setting("RATELIMIT_LOGIN_ADDRESS", "Limit of logins to any account, per address.")
    ] = "30 per minute"
    ratelimit_login_account: Annotated[
        LimitText,
        Setting(
            "RATELIMIT_LOGIN_ACCOUNT",
            "Failed logins to one account, from all addresses together; several windows make the waits grow.",
        ),
    ] = "10 per 15 minutes; 25 per 3 hours; 60 per day"
    ratelimit_login_device: Annotated[
        LimitText,
        Setting("RATELIMIT_LOGIN_DEVICE", "Failed logins from one device that has logged in to the account before."),
    ] = "5 per 5 minutes; 10 per hour; 30 per day"
    ratelimit_login_total: Annotated[
        LimitText,
        Setting("RATELIMIT_LOGIN_TOTAL", "Failed logins of everybody together, known devices left out."),
    ] = "600 per minute"
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
    ] = ("tts-generate=local", "tts-status=local", "openai-speech=local")
