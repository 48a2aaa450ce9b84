"""The shape of every JSON body, in and out; the OpenAPI document is made from these."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, StringConstraints

MAX_IDENTIFIER_CHARACTERS = 320  # the longest e-mail address (RFC 3696, erratum 1690)
MAX_PASSWORD_CHARACTERS = 1024


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold U+0000")
    return text


Identifier = Annotated[str, StringConstraints(max_length=MAX_IDENTIFIER_CHARACTERS), AfterValidator(_without_nul)]
Password = Annotated[str, StringConstraints(max_length=MAX_PASSWORD_CHARACTERS), AfterValidator(_without_nul)]


class Body(BaseModel):
    """A request body: strict types, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Answer(BaseModel):
    """A success body: exactly the fields that are documented."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RegisterBody(Body):
    """Who wants an account."""

    username: Identifier = Field(description="Name of the account, unique.", examples=["testuser"])
    email: Identifier = Field(description="E-mail address of the account, unique.", examples=["test@example.com"])
    password: Password = Field(
        description="Password in clear text; the profile sets its least length.", examples=["four plain words here"]
    )


class LoginBody(Body):
    """Who wants a session."""

    username: Identifier = Field(description="User name or e-mail address.", examples=["testuser"])
    password: Password = Field(description="Password in clear text.", examples=["four plain words here"])


class SessionBody(LoginBody):
    """Who wants a session, and where its tokens are to be."""

    cookies: bool = Field(
        default=False, description="`true` sets the tokens as cookies that no script can read; the body has none then."
    )


class GenerateBody(Body):
    """What is to be said, and how."""

    # A whole one, because a page that makes its own of the fields writes "string" for a language.
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text": "Hello from voxgate.", "voice_name": "Alnilam", "output_format": "mp3"}]
        }
    )

    text: str = Field(
        description="What to speak, 1 to 5000 characters, or what the tier allows; markup is not counted.",
        examples=["Hello from voxgate."],
    )
    input_format: Literal["text", "ssml"] = Field(
        "text", description="Whether the text is plain or one `<speak>` element of SSML."
    )
    language: str | None = Field(
        None, description="Language to speak, a BCP 47 tag such as `pt-BR`; otherwise it is guessed from the text."
    )
    voice_name: str = Field("Alnilam", description="Name of a voice of `GET /api/v1/tts/voices`.")
    output_format: str = Field(
        "wav", description="Audio format: `wav`, `mp3`, `flac`, `opus`, `aac` or `pcm` (24 kHz), as installed."
    )
    speed: float = Field(1.0, description="Ratio of the speaking rate, 0.5 to 2.0.")
    pitch: float = Field(0.0, description="Shift of the pitch in semitones, -10 to 10.")
    sample_rate: int | None = Field(
        None, description="Samples per second, 8000 to 48000; otherwise the voice's, or the format's own."
    )


class Registered(Answer):
    """A new account with its first API key, which is shown only here."""

    message: Literal["User created successfully"] = "User created successfully"
    user_id: str
    api_key: str


class UserAnswer(Answer):
    """An account as its owner sees it."""

    id: str
    username: str
    email: str
    tier: str
    is_premium: bool
    is_active: bool
    created_at: str = Field(description="RFC 3339, UTC.")


class TokenAnswer(Answer):
    """A session's new tokens."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 -- a kind of token, not a secret
    expires_in: int = Field(description="Life of the access token in seconds.")
    refresh_expires_in: int = Field(description="Seconds until the session ends unless it is refreshed before.")


class RefreshAnswer(TokenAnswer):
    """A session's next tokens; the refresh token that was shown works until one of them is used."""

    message: str = Field(description="Until when the refresh token that was shown still works.")


class LoginAnswer(TokenAnswer):
    """A new session: its tokens and whose it is."""

    user: UserAnswer


class CookieTokenAnswer(Answer):
    """A session's new tokens are in cookies."""

    expires_in: int = Field(description="Life of the access token in seconds.")


class CookieLoginAnswer(CookieTokenAnswer):
    """A new session: its tokens are in cookies."""

    user: UserAnswer


class NewSessionAnswer(RootModel[LoginAnswer | CookieLoginAnswer]):
    """A new session: its tokens, unless they are in cookies, and whose it is."""


class NewTokensAnswer(RootModel[RefreshAnswer | CookieTokenAnswer]):
    """A session's new tokens, unless they are in cookies."""


class CsrfAnswer(Answer):
    """The proof that a request with a cookie is wanted by who sends it."""

    csrf_token: str = Field(description="Goes into `X-CSRF-Token`; good for the session that asked.")


class MessageAnswer(Answer):
    """What was done."""

    message: str


class RootLogoutAnswer(Answer):
    """What was done, under the name that the first document uses as well."""

    msg: str
    message: str


class LoggedInAnswer(Answer):
    """Who asks."""

    logged_in_as: str


class ApiKeyAnswer(Answer):
    """A new API key, shown only here."""

    api_key: str


class Started(Answer):
    """A job that was accepted."""

    message: Literal["Audio generation started"] = "Audio generation started"
    job_id: str
    status: str
    status_url: str


class JobAnswer(Answer):
    """A job as it stands."""

    job_id: str
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: float = Field(ge=0, le=1)
    audio_url: str | None = Field(description="Where the audio is, once the job is done.")
    captions_url: str | None = Field(description="Where its captions are; `.srt` and `.vtt` instead of `.json` too.")
    duration_s: float | None = Field(description="Length of the audio in seconds, once the job is done.")
    characters: int = Field(description="Characters that are spoken; markup is not counted.")
    error: str | None = Field(description="Why the job failed.")
    estimated_s: int | None = Field(
        description="Seconds until the job has ended, as far as that can be told; null once it has."
    )


class OverviewAnswer(Answer):
    """The caller's jobs, newest first, and what can be asked for."""

    jobs: list[JobAnswer]
    next: str | None = Field(description="Address of the next page of jobs, or null.")
    voices: list[str] = Field(description="Names of the voices.")
    formats: list[str] = Field(description="Audio formats.")


class LimitAnswer(Answer):
    """One limit as it stands; reading it spends nothing."""

    limit: int
    current_count: int
    remaining: int
    window: int = Field(description="Length of the window in seconds; 0 for what is counted as it stands.")
    reset_after: int = Field(description="Seconds until more is available, rounded up; 0 when nothing is spent.")
    policy: str


class LimitsAnswer(RootModel[dict[str, LimitAnswer]]):
    """Every limit that binds the caller: by endpoint, ``*`` for every other, or by what it counts: ``jobs at once``."""

    model_config = ConfigDict(frozen=True)


class StatusAnswer(Answer):
    """The caller's recent jobs and limits."""

    jobs: list[JobAnswer]
    limits: dict[str, LimitAnswer] = Field(
        description="By endpoint, as `GET /api/v1/limits` gives them; none while the store is away."
    )


class HealthAnswer(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadyAnswer(Answer):
    """Every dependency by name."""

    status: Literal["ready"] = "ready"
    checks: dict[str, str]


class FieldFaultAnswer(Answer):
    """One bad field."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into the request's body.")
    detail: str


class ProblemAnswer(BaseModel):
    """Every error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str = Field(description="`urn:request:<id>`, the answer's `X-Request-ID`.")
    error: str = Field(description="What went wrong, in a few words.")
    message: str = Field(description="What happened and what to do.")
    code: str = Field(description="Stable, upper snake case; read this.")
    retry_after: int | None = Field(None, ge=1, description="Whole seconds after which the same request can pass.")
    errors: list[FieldFaultAnswer] | None = Field(None, description="Every bad field at once.")
    checks: dict[str, str] | None = Field(None, description="Each dependency by name, on `/readyz`.")
    msg: str | None = Field(None, description="The error on the routes of the first document.")
