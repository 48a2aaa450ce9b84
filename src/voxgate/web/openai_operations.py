"""The operations in OpenAI's form; their errors have that form too."""

from voxgate.speech.formats.registry import FORMATS
from voxgate.web import openai_schemas as schemas
from voxgate.web.operation import ANY, Media, Operation, Parameter

_SOUND = tuple(form.media_type for form in FORMATS.values())

OPENAI_OPERATIONS = (
    Operation(
        "post",
        "/v1/audio/speech",
        "Speak a text, as OpenAI's clients ask it",
        {200: Media("The audio while it is made, bare or as events.", (*_SOUND, "text/event-stream"))},
        credentials=ANY,
        body=schemas.SpeechBody,
        codes=("MODEL_NOT_FOUND", "TEXT_OVER_BUDGET", "SYNTHESIS_FAILED", "ENGINE_UNAVAILABLE", "STREAMS_FULL"),
    ),
    Operation(
        "get",
        "/v1/models",
        "List every name that a request may give as its model",
        {200: schemas.ModelsAnswer},
        credentials=ANY,
    ),
    Operation(
        "get",
        "/v1/models/{model}",
        "See one model",
        {200: schemas.ModelAnswer},
        credentials=ANY,
        codes=("MODEL_NOT_FOUND",),
        parameters=(Parameter("model", "path", "A name of `GET /v1/models`."),),
    ),
)
