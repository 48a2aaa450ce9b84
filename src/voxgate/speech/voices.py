"""Which language a voice speaks when it is asked for one, by the tags of BCP 47."""

import re
from collections.abc import Collection

from voxgate.speech.engines.base import Voice

MAX_TAG_CHARS = 35

_TAG = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,8})*")
# What tags say that people write, and what the same language is called here.
_ALIASES = {
    "zh-hk": "yue",
    "zh-mo": "yue",
    "zh-yue": "yue",
    "zh-cmn": "cmn",
    "zh": "cmn",
    "no": "nb",
    "nn": "nb",
    "iw": "he",
    "in": "id",
    "mo": "ro",
    "fa-ir": "fa",
}


def read_tag(tag: str) -> str | None:
    """Read a language tag in any case, such as ``pt-BR``; None if it has not the form of one."""
    lowered = tag.lower()
    return lowered if len(tag) <= MAX_TAG_CHARS and _TAG.fullmatch(lowered) else None


def match_language(tag: str, known: Collection[str]) -> str | None:
    """Find the language among those known that a tag means: RFC 4647, section 3.4, then any of the same language.

    Args:
        tag: As a caller sends it.
        known: Languages in lower case.
    """
    wanted = read_tag(tag)
    while wanted:
        wanted = _ALIASES.get(wanted, wanted)
        if wanted in known:
            return wanted
        primary = wanted
        wanted = wanted.rpartition("-")[0]
        if len(wanted.rpartition("-")[2]) == 1:  # what introduces an extension is not looked up either
            wanted = wanted.rpartition("-")[0]
    near = sorted(one for one in known if read_tag(tag) and _primary(one) == primary)
    return near[0] if near else None


def language_for(voice: Voice, tag: str, known: Collection[str]) -> str | None:
    """Find what a voice speaks when a language is asked for; None when it cannot speak it.

    Args:
        voice: Whose voice.
        tag: As a caller sends it.
        known: Languages of the voice's engine, for a voice that speaks them all; none when it does not tell.
    """
    if not voice.language:
        return match_language(tag, known) if known else read_tag(tag)
    return voice.language if match_language(tag, {voice.language}) else None


def _primary(tag: str) -> str:
    first = tag.partition("-")[0]
    return _ALIASES.get(first, first)
