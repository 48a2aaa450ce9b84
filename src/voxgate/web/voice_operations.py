"""The operations on voices and captions."""

from voxgate.web.captions import MEDIA_TYPES
from voxgate.web.operation import ANY, Media, Operation, Parameter
from voxgate.web.voice_schemas import VoicesAnswer

_LANGUAGE = Parameter("language", "query", "Only what speaks this language, a BCP 47 tag such as `pt-BR`.")
_SAMPLE = Parameter("language", "query", "Language of the sentence, a BCP 47 tag; otherwise the voice's, or English.")

VOICE_OPERATIONS = (
    Operation(
        "get",
        "/api/v1/tts/voices",
        "List every voice, or those of one language",
        {200: VoicesAnswer},
        credentials=ANY,
        codes=("BAD_REQUEST",),
        parameters=(_LANGUAGE,),
    ),
    Operation(
        "get",
        "/api/v1/tts/voices/{name}/preview",
        "Hear a voice",
        {
            200: Media("A sentence in this voice.", ("audio/mpeg",), ("ETag",)),
            304: Media("The sentence is the one you have.", (), ("ETag",)),
        },
        credentials=ANY,
        codes=(
            *("BAD_REQUEST", "VOICE_NOT_FOUND", "SYNTHESIS_FAILED", "ENGINE_UNAVAILABLE"),
            *("STORAGE_FULL", "STORAGE_UNAVAILABLE"),
        ),
        parameters=(Parameter("name", "path", "Name of the voice."), _SAMPLE),
    ),
    Operation(
        "get",
        "/api/v1/tts/captions/{job_id}.{form}",
        "Fetch the captions of a job",
        {
            200: Media(
                "What is heard when. JSON has `exact`, `duration_s` and `segments` with their `words`.",
                tuple(MEDIA_TYPES.values()),
                ("Content-Disposition", "ETag"),
            ),
            304: Media("The captions are the ones you have.", (), ("ETag",)),
        },
        credentials=ANY,
        codes=("JOB_NOT_FOUND", "NOT_FOUND", "AUDIO_NOT_READY", "AUDIO_EXPIRED", "STORAGE_UNAVAILABLE"),
        parameters=(
            Parameter("job_id", "path", "The job's id, as `POST /api/v1/tts/generate` gave it."),
            Parameter("form", "path", "`srt`, `vtt` or `json`."),
        ),
    ),
)
