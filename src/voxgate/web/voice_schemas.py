"""The shape of what is told about voices."""

from pydantic import Field

from voxgate.web.schemas import Answer


class VoiceAnswer(Answer):
    """One voice."""

    name: str
    language: str = Field(description="The language it speaks; empty when it speaks that of the text.")
    engine: str
    style: str | None
    gender: str | None
    preview_url: str = Field(description="Where a sentence in this voice is.")


class VoicesAnswer(Answer):
    """Every voice that was asked for."""

    voices: list[VoiceAnswer]
