"""The shape of every body of OpenAI's form."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from voxgate.web.schemas import Answer, Body


def _name_of(voice: object) -> object:
    """Return the name in ``{"id": name}``; anything else is judged as it is."""
    return voice["id"] if isinstance(voice, dict) and voice.keys() == {"id"} else voice


Voice = Annotated[
    str,
    BeforeValidator(_name_of),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"id": {"type": "string"}},
                    "required": ["id"],
                    "additionalProperties": False,
                },
            ],
        }
    ),
]


class SpeechBody(Body):
    """What is to be said, and how, in OpenAI's words."""

    model: str = Field(description="A name of `GET /v1/models`.", examples=["tts-1"])
    input: str = Field(
        description="Plain text to speak, 1 to 5000 characters, or what the tier allows.",
        examples=["Hello from voxgate."],
    )
    voice: Voice = Field(description="Name of a voice of `GET /api/v1/tts/voices`, or `{id}`.", examples=["alloy"])
    instructions: str = Field("", description="Accepted and ignored: the voices take no directions.")
    response_format: str = Field("mp3", description="`mp3`, `opus`, `aac`, `flac`, `wav` or `pcm` (24 kHz, 16 bit).")
    speed: float = Field(1.0, description="Ratio of the speaking rate, 0.25 to 4.0.")
    stream_format: Literal["audio", "sse"] = Field("audio", description="Bare audio, or events that carry it.")


class ModelAnswer(Answer):
    """One model."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Seconds since the epoch, UTC.")
    owned_by: Literal["voxgate"] = "voxgate"


class ModelsAnswer(Answer):
    """Every model."""

    object: Literal["list"] = "list"
    data: list[ModelAnswer]


class ErrorAnswer(Answer):
    """What went wrong, in OpenAI's form."""

    message: str
    type: str
    param: str | None = Field(description="The first bad field.")
    code: str | None = Field(description="Stable, lower case; read this.")


class OpenAIErrorAnswer(Answer):
    """Every error of the paths under `/v1/`."""

    error: ErrorAnswer
