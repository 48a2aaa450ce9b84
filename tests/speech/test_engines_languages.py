"""The language of a text is guessed from its letters."""

# ruff: noqa: RUF001 - letters of many scripts are meant

import pytest

from voxgate.speech.engines import languages
from voxgate.speech.engines.languages import Context, guess_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello, world", "en-us"),
        ("A café in Đà Nẵng is a nice place", "en-us"),
        ("Le café est à côté de la gare", "en-us"),
        ("résumé", "en-us"),
        ("12345", "en-us"),
        ("", "en-us"),
        ("Xin chào", "vi"),
        ("XIN CHÀO CÁC BẠN", "vi"),
        ("Việt Nam là một quốc gia", "vi"),
        ("Mình dùng Google để tìm đường về nhà", "vi"),
        ("đi", "vi"),
        ("你好，世界", "cmn"),
        ("我用 Python 写程序", "cmn"),
        ("こんにちは世界", "ja"),
        ("カタカナ", "ja"),
        ("안녕하세요", "ko"),
        ("Привет, мир", "ru"),
        ("Привіт, світе", "uk"),
        ("Καλημέρα", "el"),
        ("مرحبا بالعالم", "ar"),
        ("سلام، چطوری؟", "fa"),
        ("ٹھیک ہے", "ur"),
        ("สวัสดี", "th"),
        ("नमस्ते", "hi"),
        ("שלום", "he"),
        ("வணக்கம்", "ta"),
        ("ᚠᚢᚦ", "en-us"),
    ],
)
def test_language_is_guessed_by_script(text, language):
    """Each script has its language; plain Latin letters are English, Vietnamese syllables with marks Vietnamese."""
    assert guess_language(text, Context(text)) == language


@pytest.mark.parametrize(
    ("text", "context", "language"),
    [
        ("Ba con voi", "Hôm nay có ba con. Ba con voi.", "vi"),
        ("The weather is nice.", "Hôm nay trời đẹp. The weather is nice.", "en-us"),
        ("Ba con voi", "Ba con voi. The rest of this long text is written in English.", "en-us"),
        ("日本語", "これは何ですか。日本語", "ja"),
        ("Hello", "你好。Hello", "en-us"),
    ],
)
def test_context_decides_what_a_part_leaves_open(text, context, language):
    """A sentence without marks takes the language of the text around it."""
    assert guess_language(text, Context(context)) == language


def test_context_is_read_once_for_all_its_parts(monkeypatch):
    """A text of a thousand short lines costs what it holds, not the square of it."""
    read, share = [], languages._vietnamese_share

    def count(text):
        read.append(len(text))
        return share(text)

    monkeypatch.setattr(languages, "_vietnamese_share", count)
    context = Context("ba\n" * 1000)
    for _ in range(1000):
        guess_language("ba", context)
    assert sum(read) == 1000 * 2 + 1000 * 3
