"""Guess the language of a text that does not say it: by its script, its small words, and Vietnamese syllables."""

import re
import unicodedata
from collections import Counter
from functools import cached_property

from voxgate.speech.engines.latin import guess_latin, score_latin

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
_ONLY_VIETNAMESE = frozenset("đ\u0306\u0309\u031b\u0323")  # the breve, the hook, the horn and the dot below
_CLEAR_WORDS = 3
_MIN_SHARE = 0.6
# One Latin letter is less than one character of a script that writes a syllable or a word with each.
_LATIN_WEIGHT = 3


class Context:
    """A whole text, asked about by its parts; what it answers is worked out once, however many parts it has.

    Args:
        text: All that is spoken together.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def letters(self) -> frozenset[str]:
        """Every character that occurs."""
        return frozenset(self._text)

    @cached_property
    def has_kana(self) -> bool:
        """Whether it is Japanese."""
        return any(_SCRIPT_LANGUAGES.get(_script(char)) == "ja" for char in self.letters)

    @cached_property
    def latin(self) -> Counter[str]:
        """What speaks for each language that is written in Latin letters."""
        return score_latin(self._text)

    @cached_property
    def is_vietnamese(self) -> bool:
        """Whether most of its words are Vietnamese syllables, and one bears a mark that says so."""
        share, is_marked = _vietnamese_share(self._text)
        return is_marked and share >= _MIN_SHARE


def guess_language(text: str, context: Context) -> str:
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
        other = guess_latin(text, context.latin)
        return "vi" if _is_vietnamese(text, context) and not _is_clearly(other, text) else other
    if spoken["ja"] or ("cmn" in spoken and context.has_kana):
        return "ja"
    return _by_letters(spoken.most_common(1)[0][0], context.letters)


def _script(char: str) -> str:
    if char.isascii():
        return "LATIN" if char.isalpha() else ""
    return unicodedata.name(char, "").split(" ", 1)[0] if char.isalpha() else ""


def _by_letters(language: str, letters: frozenset[str]) -> str:
    if language == "ru" and letters & _UKRAINIAN:
        return "uk"
    if language == "ar" and letters & _URDU:
        return "ur"
    if language == "ar" and letters & _PERSIAN:
        return "fa"
    return language


def _is_clearly(language: str, text: str) -> bool:
    """Tell whether a text whose syllables could be Vietnamese is another language: no letter of Vietnamese alone."""
    marks = unicodedata.normalize("NFD", text.lower())
    return score_latin(text)[language] >= _CLEAR_WORDS and _ONLY_VIETNAMESE.isdisjoint(marks)


def _is_vietnamese(text: str, context: Context) -> bool:
    share, is_marked = _vietnamese_share(text)
    return share >= _MIN_SHARE and (is_marked or context.is_vietnamese)


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
