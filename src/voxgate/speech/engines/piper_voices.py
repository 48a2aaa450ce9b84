"""Piper's voices in a folder: a model ``name.onnx`` and its description ``name.onnx.json`` beside it."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_MAX_DESCRIPTION_BYTES = 1 << 20
_MAX_SPEAKERS = 1000


@dataclass(frozen=True, slots=True)
class PiperModel:
    """One speaker of a model.

    Attributes:
        name: What a request names: the file's name, and the speaker's behind a dot when there are several.
        file: Name of the model's file in the folder.
        language: Such as ``en-us``.
        style: Its quality and where it is from, in a few words.
        speaker: The number of the speaker; None for a model of one.
    """

    name: str
    file: str
    language: str
    style: str
    speaker: int | None


def read_models(folder: Path) -> dict[str, PiperModel]:
    """Read every voice of a folder, by name; what has no readable description is no voice."""
    models: dict[str, PiperModel] = {}
    for path in sorted(folder.glob("*.onnx")):
        description = _read_description(path)
        if description is not None and _NAME.fullmatch(path.stem):
            models |= {model.name: model for model in _speakers(path, description)}
    return models


def folder_version(folder: Path) -> str:
    """Give a text that changes whenever a file of the folder's voices does."""
    files = sorted([*folder.glob("*.onnx"), *folder.glob("*.onnx.json")])
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def _read_description(path: Path) -> dict[str, Any] | None:
    try:
        with Path(f"{path}.json").open("rb") as file:
            told = json.loads(file.read(_MAX_DESCRIPTION_BYTES))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def _speakers(path: Path, told: dict[str, Any]) -> Iterable[PiperModel]:
    language = _language(told)
    quality = _part(told, "audio").get("quality")
    style = f"neural, {quality}" if isinstance(quality, str) and quality else "neural"
    names = _part(told, "speaker_id_map")
    if told.get("num_speakers", 1) == 1 or not names:
        yield PiperModel(path.stem, path.name, language, style, None)
        return
    for speaker, number in list(names.items())[:_MAX_SPEAKERS]:
        name = f"{path.stem}.{speaker}"
        if isinstance(number, int) and _NAME.fullmatch(name):
            yield PiperModel(name, path.name, language, style, number)


def _language(told: dict[str, Any]) -> str:
    """Give the language that a description tells: newer ones have a code, all have a voice for their phonemes."""
    code = _part(told, "language").get("code") or _part(told, "espeak").get("voice") or ""
    return str(code).replace("_", "-").lower()


def _part(told: dict[str, Any], name: str) -> dict[str, Any]:
    part = told.get(name)
    return part if isinstance(part, dict) else {}
