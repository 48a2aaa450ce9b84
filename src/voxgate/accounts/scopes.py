"""The permission words: the closed vocabulary of what a credential may be held to."""

from typing import Literal, get_args

Scope = Literal["tts:generate", "tts:read"]
"""``tts:generate`` starts jobs; ``tts:read`` sees voices, jobs and audio. A test holds it against the routes."""

SCOPES: tuple[str, ...] = get_args(Scope)
