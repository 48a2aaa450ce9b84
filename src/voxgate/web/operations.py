"""The table of every operation over HTTP."""

from voxgate.speech.formats.registry import FORMATS
from voxgate.web import schemas
from voxgate.web.account_operations import ACCOUNT_OPERATIONS
from voxgate.web.admin_operations import ADMIN_OPERATIONS
from voxgate.web.oauth_operations import OAUTH_OPERATIONS
from voxgate.web.openai_operations import OPENAI_OPERATIONS
from voxgate.web.operation import ACCESS, ANY, REFRESH, Media, Operation, Parameter
from voxgate.web.voice_operations import VOICE_OPERATIONS

_LOGIN = ("CREDENTIALS_MISSING", "INVALID_CREDENTIALS", "LOGIN_DISABLED", "HASHING_BUSY")

_DEVICE = Parameter(
    "X-Device-Token",
    "header",
    "What an earlier login answered under this name. A device that shows it is not shut out by the guesses of others.",
)
_JOB_ID = Parameter("job_id", "path", "The job's id, as `POST /api/v1/tts/generate` gave it.")
_AUDIO = tuple(form.media_type for form in FORMATS.values())
_AUDIO_HEADERS = ("Content-Disposition", "ETag", "Accept-Ranges")

_AUTH = (
    Operation(
        "post",
        "/api/v1/auth/register",
        "Make an account and its first API key",
        {201: schemas.Registered},
        body=schemas.RegisterBody,
        codes=("MISSING_FIELDS", "USERNAME_TAKEN", "EMAIL_TAKEN", "HASHING_BUSY"),
    ),
    Operation(
        "post",
        "/api/v1/auth/login",
        "Open a session",
        {200: schemas.NewSessionAnswer},
        body=schemas.SessionBody,
        codes=(*_LOGIN, "CSRF_FAILED"),
        parameters=(_DEVICE,),
        headers=("X-Device-Token",),
    ),
    Operation(
        "post",
        "/api/v1/auth/refresh",
        "Get a new access token for the session",
        {200: schemas.NewTokensAnswer},
        credentials=REFRESH,
    ),
    Operation(
        "get",
        "/api/v1/auth/csrf",
        "Get a CSRF token, for a program that shows cookies",
        {200: schemas.CsrfAnswer},
        credentials=ACCESS,
    ),
    Operation(
        "post",
        "/api/v1/auth/logout",
        "End the session, its access and refresh tokens",
        {200: schemas.MessageAnswer},
        credentials=ACCESS,
    ),
    Operation(
        "post",
        "/api/v1/auth/revoke",
        "End the session, its access and refresh tokens",
        {200: schemas.MessageAnswer},
        credentials=ACCESS,
    ),
    Operation(
        "post",
        "/api/v1/auth/api-key",
        "Make one more API key",
        {200: schemas.ApiKeyAnswer},
        credentials=ACCESS,
        codes=("TOO_MANY_KEYS",),
    ),
    Operation("get", "/api/v1/auth/me", "See the own account", {200: schemas.UserAnswer}, credentials=ANY),
    *ACCOUNT_OPERATIONS,
    *ADMIN_OPERATIONS,
)

_TTS = (
    Operation(
        "get",
        "/api/v1/tts/",
        "List the own jobs, newest first, with the voices and formats",
        {200: schemas.OverviewAnswer},
        credentials=ANY,
        codes=("BAD_REQUEST",),
        parameters=(Parameter("before", "query", "Id of a job; the page begins behind it."),),
    ),
    *VOICE_OPERATIONS,
    Operation(
        "post",
        "/api/v1/tts/generate",
        "Start a job that speaks a text",
        {202: schemas.Started},
        credentials=ANY,
        body=schemas.GenerateBody,
        codes=(
            *("BAD_REQUEST", "IDEMPOTENCY_KEY_REUSED", "TEXT_OVER_BUDGET"),
            *("TOO_MANY_JOBS", "QUEUE_FULL", "STORAGE_FULL", "STORAGE_UNAVAILABLE"),
        ),
        parameters=(
            Parameter(
                "Idempotency-Key",
                "header",
                "A name of this request, such as a random UUID: sent again within a day it starts no second job.",
            ),
        ),
        headers=("Location", "Idempotency-Replayed"),
    ),
    Operation(
        "get", "/api/v1/tts/status", "See the recent jobs and the limits", {200: schemas.StatusAnswer}, credentials=ANY
    ),
    Operation(
        "get",
        "/api/v1/tts/status/{job_id}",
        "See one job",
        {200: schemas.JobAnswer},
        credentials=ANY,
        codes=("BAD_REQUEST", "JOB_NOT_FOUND"),
        parameters=(
            _JOB_ID,
            Parameter("wait", "query", "Seconds, at most 30, to wait for the end of the job before it is shown."),
        ),
    ),
    Operation(
        "delete",
        "/api/v1/tts/jobs/{job_id}",
        "Cancel a job that has not ended, or remove one that has",
        {204: Media("It has ended, or is gone.")},
        credentials=ANY,
        codes=("JOB_NOT_FOUND",),
        parameters=(_JOB_ID,),
    ),
    Operation(
        "get",
        "/api/v1/tts/audio/{job_id}",
        "Fetch the audio of a job, whole or in a range",
        {
            200: Media("The audio.", _AUDIO, _AUDIO_HEADERS),
            206: Media("One range of the audio.", _AUDIO, (*_AUDIO_HEADERS, "Content-Range")),
            302: Media("The audio is at another address, for a few minutes.", (), ("Location",)),
            304: Media("The audio is the one you have.", (), ("ETag",)),
        },
        credentials=ANY,
        codes=(
            "JOB_NOT_FOUND",
            "AUDIO_NOT_READY",
            "AUDIO_EXPIRED",
            "STREAMS_FULL",
            "PRECONDITION_FAILED",
            "RANGE_NOT_SATISFIABLE",
            "STORAGE_UNAVAILABLE",
        ),
        parameters=(
            _JOB_ID,
            Parameter("Range", "header", "One range of bytes; several are answered with the whole audio."),
        ),
    ),
    Operation(
        "get",
        "/api/v1/limits",
        "See every limit that binds the caller, spending nothing",
        {200: schemas.LimitsAnswer},
        credentials=ANY,
    ),
)

ROOT_OPERATIONS = (
    Operation(
        "post",
        "/login",
        "Open a session",
        {200: schemas.TokenAnswer},
        body=schemas.LoginBody,
        codes=_LOGIN,
        parameters=(_DEVICE,),
        headers=("X-Device-Token",),
    ),
    Operation("get", "/protected", "See who asks", {200: schemas.LoggedInAnswer}, credentials=ACCESS),
    Operation(
        "post",
        "/refresh",
        "Get a new access token for the session",
        {200: schemas.RefreshAnswer},
        credentials=REFRESH,
    ),
    Operation("post", "/logout", "End the session", {200: schemas.RootLogoutAnswer}, credentials=ACCESS),
)

_HTML = Media("A page.", ("text/html",))

_DECIDED = Media(
    "The request may pass.", (), ("X-Gate-Subject", "X-Gate-Tier", "X-Gate-Kind", "X-Gate-Scopes", "RateLimit")
)
# Limited inside, by the rule of the other service's path.
_DECIDE_CODES = (
    *("BAD_REQUEST", "PREMIUM_REQUIRED", "FORBIDDEN"),
    *("RATE_LIMITED", "STORE_UNAVAILABLE", "DATABASE_UNAVAILABLE"),
)
_EDGE = (
    Operation(
        "get",
        "/api/v1/gate/decide",
        "Decide a request to another service, for nginx and Traefik",
        {200: _DECIDED},
        credentials=ANY,
        is_limited=False,
        codes=_DECIDE_CODES,
        parameters=(
            Parameter("as", "query", "`nginx` tells every refusal as 403, and the true answer in `X-Gate-*` headers."),
            Parameter("X-Original-Method", "header", "The method; Traefik's `X-Forwarded-Method` means the same."),
            Parameter("X-Original-URI", "header", "The path; Traefik's `X-Forwarded-Uri` means the same."),
        ),
    ),
    *(
        Operation(
            method,
            "/api/v1/gate/decide/path/{original}",
            "Decide a request to another service, for Envoy",
            {200: _DECIDED},
            credentials=ANY,
            is_limited=False,
            codes=_DECIDE_CODES,
            parameters=(Parameter("original", "path", "The path of the request, with its slashes."),),
        )
        for method in ("get", "post", "put", "patch", "delete")
    ),
)

_SERVICE = (
    Operation("get", "/healthz", "Tell that the process answers", {200: schemas.HealthAnswer}, is_limited=False),
    Operation(
        "get",
        "/readyz",
        "Tell whether every dependency answers",
        {200: schemas.ReadyAnswer},
        is_limited=False,
        codes=("NOT_READY",),
    ),
    Operation(
        "get",
        "/openapi.json",
        "Get this document",
        {200: Media("The OpenAPI 3.1 document.", ("application/json",))},
        is_limited=False,
    ),
    Operation(
        "get",
        "/",
        "Go to the page",
        {302: Media("The page is at `/docs`.", (), ("Location",))},
        is_limited=False,
    ),
    Operation("get", "/docs", "Read and try the interface", {200: _HTML}, is_limited=False),
    Operation(
        "get",
        "/docs/assets/{name}",
        "Get a file of the page",
        {
            200: Media("The file.", ("text/css", "text/javascript", "image/svg+xml"), ("ETag",)),
            304: Media("The file is the one you have.", (), ("ETag",)),
        },
        is_limited=False,
        codes=("NOT_FOUND",),
        parameters=(Parameter("name", "path", "Name of the file."),),
    ),
)

OPERATIONS = (*_AUTH, *_EDGE, *_TTS, *OPENAI_OPERATIONS, *OAUTH_OPERATIONS, *_SERVICE)
