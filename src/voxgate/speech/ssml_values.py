"""The values of SSML's attributes: times, rates, pitches, and how a text is to be said."""

import math
import re

MAX_BREAK_S = 10.0
MIN_RATE, MAX_RATE = 0.25, 4.0
MAX_PITCH_SEMITONES = 12.0

BREAKS_S = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.8, "x-strong": 1.2}
"""Silence of ``<break strength>``; the standard leaves it open (SSML 1.1, section 3.2.3)."""

RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
PITCHES = {"x-low": -6.0, "low": -3.0, "medium": 0.0, "default": 0.0, "high": 3.0, "x-high": 6.0}
EMPHASES = {"strong": (0.85, 2.0), "moderate": (0.92, 1.0), "none": (1.0, 0.0), "reduced": (1.1, -1.0)}
"""Speed and semitones of ``<emphasis level>``."""

SPELLED = frozenset(("characters", "spell-out", "verbatim"))
DIGITS = frozenset(("digits", "telephone"))
MANNERS = SPELLED | DIGITS | frozenset(("cardinal", "number"))
"""Values of ``<say-as interpret-as>``; the last two are what an engine does anyway."""

_TIME = re.compile(r"(\d{1,6}(?:\.\d{1,3})?|\.\d{1,3})(ms|s)")
_PERCENT = re.compile(r"([+-]?)(\d{1,4}(?:\.\d{1,3})?)%")
_NUMBER = re.compile(r"\d{1,3}(?:\.\d{1,3})?")
_SEMITONES = re.compile(r"([+-]\d{1,3}(?:\.\d{1,3})?)st")


def read_break_s(text: str) -> float | None:
    """Read a time such as ``1.5s`` or ``300ms``, at most ten seconds; None if it is none."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        return None
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1)
    return seconds if seconds <= MAX_BREAK_S else None


def read_rate(text: str) -> float | None:
    """Read a rate: a word, a ratio such as ``1.2``, ``120%`` of the usual, or ``+20%``; None if it is none.

    SSML 1.1, section 3.2.4, knows no signs; the clouds' dialects do, and they mean a change.
    """
    text = text.strip()
    rate = RATES.get(text)
    if found := _PERCENT.fullmatch(text):
        share = float(found[2]) / 100
        rate = {"": share, "+": 1 + share, "-": 1 - share}[found[1]]
    elif _NUMBER.fullmatch(text):
        rate = float(text)
    return rate if rate is not None and MIN_RATE <= rate <= MAX_RATE else None


def read_pitch(text: str) -> float | None:
    """Read a shift of the pitch in semitones: a word, ``+2st`` or ``-10%``; None if it is none."""
    text = text.strip()
    shift = PITCHES.get(text)
    if found := _SEMITONES.fullmatch(text):
        shift = float(found[1])
    elif (found := _PERCENT.fullmatch(text)) and found[1]:
        ratio = 1 + float(found[1] + found[2]) / 100
        shift = 12 * math.log2(ratio) if ratio > 0 else None
    return shift if shift is not None and abs(shift) <= MAX_PITCH_SEMITONES else None


def said_as(text: str, manner: str) -> str:
    """Write a text so that an engine says it in that manner: letter by letter, digit by digit, or as it stands."""
    if manner in SPELLED:
        return " ".join(char.upper() for char in text if not char.isspace())
    if manner in DIGITS:
        return re.sub(r"(?<=\d)(?=\d)", " ", text)
    return text
