"""Guess the language of a text that does not say it: by its script, and Vietnamese by its syllables."""

import re
import unicodedata
from collections import Counter

DEFAULT_LANGUAGE = "en-us"

_SCRIPT_LANGUAGES = {  # by the first word of a letter's Unicode name
    "CJK": "cmn",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "KATAKANA-HIRAGANA": "ja",
    "HANGUL": "ko",
    "CYRILLIC": "ru",
    "GREEK": "el",
    "ARABIC": "ar",
    "HEBREW": "he",
    "THAI": "th",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "GURMUKHI": "pa",
    "GUJARATI": "gu",
    "ORIYA": "or",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "MYANMAR": "my",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "ETHIOPIC": "am",
    "CHEROKEE": "chr",
}
_UKRAINIAN = frozenset("іїєґІЇЄҐ")
_PERSIAN = frozenset("پچژگ")
_URDU = frozenset("ٹڈڑےں")

_WORD = re.compile(r"[^\W\d_]+")
_VOWELS = "aăâeêioôơuưy"
_SYLLABLE = re.compile(
    rf"(?:ngh|ng|nh|ph|th|tr|ch|kh|gh|gi|qu|[bcdđghklmnpqrstvx])?[{_VOWELS}]{{1,3}}(?:ng|nh|ch|[cmnpt])?"
)
_TONES = dict.fromkeys(map(ord, "\u0300\u0301\u0303\u0309\u0323"))
_MARKED = frozenset("ăâđêôơư")
_MIN_SHARE = 0.6
# One Latin letter is less than one character of a script that writes a syllable or a word with each.
_LATIN_WEIGHT = 3


def guess_language(text: str, context: str) -> str:
    """Guess the language code of ``text``, which is a part of ``context``.

    The context decides what the part leaves open: plain letters inside a Vietnamese text are Vietnamese, Chinese
    characters inside a text with kana are Japanese.
    """
    scripts = Counter(script for script in map(_script, text) if script)
    latin = scripts.pop("LATIN", 0)
    spoken = Counter[str]()
    for script, count in scripts.items():
        spoken[_SCRIPT_LANGUAGES.get(script, DEFAULT_LANGUAGE)] += count
    if not spoken or spoken.total() * _LATIN_WEIGHT < latin:
        return "vi" if _is_vietnamese(text, context) else DEFAULT_LANGUAGE
    if spoken["ja"] or ("cmn" in spoken and _has_kana(context)):
        return "ja"
    return _by_letters(spoken.most_common(1)[0][0], context)


def _script(char: str) -> str:
    if char.isascii():
        return "LATIN" if char.isalpha() else ""
    return unicodedata.name(char, "").split(" ", 1)[0] if char.isalpha() else ""


def _has_kana(text: str) -> bool:
    return any(_SCRIPT_LANGUAGES.get(_script(char)) == "ja" for char in text)


def _by_letters(language: str, context: str) -> str:
    letters = frozenset(context)
    if language == "ru" and letters & _UKRAINIAN:
        return "uk"
    if language == "ar" and letters & _URDU:
        return "ur"
    if language == "ar" and letters & _PERSIAN:
        return "fa"
    return language


def _is_vietnamese(text: str, context: str) -> bool:
    share, is_marked = _vietnamese_share(text)
    if share < _MIN_SHARE:
        return False
    if is_marked:
        return True
    context_share, is_marked = _vietnamese_share(context)
    return is_marked and context_share >= _MIN_SHARE


def _vietnamese_share(text: str) -> tuple[float, bool]:
    """Give the share of words that are Vietnamese syllables, and whether one bears a Vietnamese mark."""
    words = [word.lower() for word in _WORD.findall(text)]
    bare = [_without_tone(word) for word in words]
    syllables = [word for word in bare if _SYLLABLE.fullmatch(word)]
    is_marked = any(
        _SYLLABLE.fullmatch(plain) and (plain != word or _MARKED.intersection(plain))
        for word, plain in zip(words, bare, strict=True)
    )
    return len(syllables) / max(1, len(words)), is_marked


def _without_tone(word: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", word).translate(_TONES))
