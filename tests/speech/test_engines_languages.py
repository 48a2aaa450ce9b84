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
        ("Le café est à côté de la gare", "fr"),
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


PLAIN_SENTENCES = {
    "en-us": [
        "I would like a cup of tea, please.",
        "Die hard",
        "John met Maria in São Paulo",
        "Where is the station?",
        "OK",
    ],
    "es": ["¿Dónde está la estación de tren?", "Me gustaría una taza de té, por favor.", "El tiempo es bueno hoy."],
    "fr": ["Où est la gare, s'il vous plaît ?", "Je voudrais une tasse de thé.", "Il fait beau aujourd'hui."],
    "de": ["Wo ist der Bahnhof, bitte?", "Ich hätte gern eine Tasse Tee.", "Das Wetter ist heute schön."],
    "it": ["Dov'è la stazione, per favore?", "Vorrei una tazza di tè.", "Oggi il tempo è bello."],
    "pt": ["Onde fica a estação, por favor?", "Eu gostaria de uma xícara de chá.", "O tempo está bom hoje."],
    "nl": ["Waar is het station, alstublieft?", "Ik wil graag een kopje thee.", "Het weer is vandaag mooi."],
    "sv": ["Var ligger stationen, tack?", "Jag skulle vilja ha en kopp te.", "Vädret är fint idag."],
    "fi": ["Missä on rautatieasema, kiitos?", "Haluaisin kupin teetä, kiitos.", "Sää on tänään kaunis."],
    "pl": ["Gdzie jest dworzec, proszę?", "Chciałbym filiżankę herbaty.", "Dziś jest ładna pogoda."],
    "cs": ["Kde je nádraží, prosím?", "Dal bych si šálek čaje.", "Dnes je hezké počasí."],
    "hu": ["Hol van az állomás?", "Szeretnék egy csésze teát.", "Ma szép az idő."],
    "ro": ["Unde este gara, vă rog?", "Aș dori o ceașcă de ceai.", "Astăzi vremea este frumoasă."],
    "tr": ["İstasyon nerede, lütfen?", "Bir fincan çay istiyorum.", "Bugün hava çok güzel."],
    "id": ["Di mana stasiun kereta?", "Saya ingin secangkir teh.", "Cuaca hari ini bagus."],
}


def test_most_sentences_in_latin_letters_are_known():
    """Everyday sentences that the lists were not made from: five of six and more, and English never as another."""
    guesses = [
        (language, guess_language(text, Context(text))) for language, texts in PLAIN_SENTENCES.items() for text in texts
    ]
    assert all(guess == "en-us" for language, guess in guesses if language == "en-us")
    right = sum(language == guess for language, guess in guesses)
    assert right >= 0.85 * len(guesses), [pair for pair in guesses if pair[0] != pair[1]]


@pytest.mark.parametrize("language", [language for language in PLAIN_SENTENCES if language != "en-us"])
def test_whole_text_decides_for_its_sentences(language):
    """Three sentences together leave no doubt, and each of them follows, a name alone too."""
    text = " ".join([*PLAIN_SENTENCES[language], "Maria."])
    assert guess_language(text, Context(text)) == language
    assert guess_language("Maria.", Context(text)) == language


def test_quotation_in_another_language_is_heard_as_such():
    """A sentence that is clearly English within another language's text is English."""
    text = "Er hat es nicht gesagt. " * 8 + "She said that this is not what we were there for."
    assert guess_language("She said that this is not what we were there for.", Context(text)) == "en-us"
    assert guess_language("Er hat es nicht gesagt.", Context(text)) == "de"
