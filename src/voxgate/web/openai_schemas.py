"""The shape of every body of OpenAI's form."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

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
    """What is to be said, and how, in OpenAI's words; fields that only other servers know are passed over."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(description="A name of `GET /v1/models`.", examples=["tts-1"])
    input: str = Field(
        description="Text to speak, 1 to 5000 characters, or what the tier allows; markup is not counted.",
        examples=["Hello from voxgate."],
    )
    voice: Voice = Field(description="Name of a voice of `GET /api/v1/tts/voices`, or `{id}`.", examples=["alloy"])
    instructions: str | None = Field(None, description="Accepted and ignored: the voices take no directions.")
    response_format: str | None = Field(
        None, description="`mp3` (default), `opus`, `aac`, `flac`, `wav` or `pcm` (24 kHz, 16 bit)."
    )
    speed: float | None = Field(None, description="Ratio of the speaking rate, 0.25 to 4.0; 1 if it is not given.")
    stream_format: Literal["audio", "sse"] | None = Field(
        None, description="Bare audio (default), or events that carry it."
    )
    language: str | None = Field(
        None, description="Language to speak, a BCP 47 tag such as `pt-BR`; otherwise it is guessed from the text."
    )
    input_format: Literal["text", "ssml"] | None = Field(
        None, description="Whether the input is plain (default) or one `<speak>` element of SSML."
    )
    pitch: float | None = Field(None, description="Shift of the pitch in semitones, -10 to 10.")
    sample_rate: int | None = Field(
        None, description="Samples per second, 8000 to 48000; otherwise the voice's, or the format's own."
    )
    captions: bool | None = Field(
        None, description="`true` sends, among events, the words of each sentence with their times before its audio."
    )


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
