"""A sentence in each language, for hearing what a voice sounds like."""

# ruff: noqa: RUF001 - letters of many scripts are meant

_SENTENCES = {
    "ar": "مرحبا، هكذا يبدو صوتي.",
    "cmn": "你好，这就是我的声音。",
    "cs": "Dobrý den, takhle zní můj hlas.",
    "da": "Hej, sådan lyder min stemme.",
    "de": "Guten Tag, so klingt meine Stimme.",
    "el": "Γεια σας, έτσι ακούγεται η φωνή μου.",
    "en": "Hello, this is how my voice sounds.",
    "es": "Hola, así suena mi voz.",
    "fi": "Hei, tältä ääneni kuulostaa.",
    "fr": "Bonjour, voici comment sonne ma voix.",
    "he": "שלום, ככה נשמע הקול שלי.",
    "hi": "नमस्ते, मेरी आवाज़ ऐसी है।",
    "hu": "Jó napot, így szól a hangom.",
    "id": "Halo, beginilah suara saya.",
    "it": "Ciao, questa è la mia voce.",
    "ja": "こんにちは、これが私の声です。",
    "ko": "안녕하세요, 이것이 제 목소리입니다.",
    "nb": "Hei, slik høres stemmen min ut.",
    "nl": "Hallo, zo klinkt mijn stem.",
    "pl": "Dzień dobry, tak brzmi mój głos.",
    "pt": "Olá, é assim que soa a minha voz.",
    "ro": "Bună ziua, așa sună vocea mea.",
    "ru": "Здравствуйте, вот так звучит мой голос.",
    "sv": "Hej, så här låter min röst.",
    "th": "สวัสดี นี่คือเสียงของฉัน",
    "tr": "Merhaba, sesim böyle.",
    "uk": "Вітаю, ось так звучить мій голос.",
    "vi": "Xin chào, đây là giọng nói của tôi.",
}
_NUMBERS = "1, 2, 3, 4, 5."  # every engine reads them in the language that it speaks


def sample_text(language: str) -> str:
    """Give a sentence in a language, by its primary subtag; numbers where there is none; English without a language."""
    return _SENTENCES.get(language.partition("-")[0] or "en", _NUMBERS)
