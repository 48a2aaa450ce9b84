"""Guess the language of a text in Latin letters by its small words, and by letters that few languages have.

The words are those that every text of a few sentences holds; none of them is an English word, so that a title or a
name does not turn English into something else. What gives no sign is English.
"""

# ruff: noqa: E501 - a list of words is no code

import re
from collections import Counter

_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = "en-us"

_WORDS = {
    _ENGLISH: "the of and to in is are was were be been that this these those it its with for not you your he she they "
    "we our have has had will would can could from by at an or if there their what which who when how a i my me "
    "his her him do does did but as on so all hello please thanks",
    "es": "la tiene todo nadie ni el los las una unos del que y con para por pero está están esta este estos estas fue muy más también como "
    "su sus ser son hay cuando donde qué nos yo tú usted ustedes ellos ellas mi hola gracias buenos buenas días "
    "hoy aquí porque todos todas tiene tienen nacen entre",
    "fr": "la à en ni tout nul le les des une du et est sont dans avec pour pas vous nous je tu il elle ils elles que qui sur ce cette ces "
    "aux plus très mais où être avoir fait leur leurs c'est bonjour merci oui au par ne se ont tous doivent",
    "de": "der das und ist sind nicht ein eine einen einem einer mit für auf dem den des ich du er sie wir ihr auch "
    "sich von zu im wird werden haben hat wie aber oder nach bei aus hallo danke guten heute sehr alle noch kein "
    "geboren einander sollen",
    "it": "la alla ogni ed il lo gli della delle degli dei del che di e è sono non con per una nel nella anche più questo questa ma "
    "come io tu lei noi voi loro ciao grazie buongiorno oggi dove quando sia hanno essi tutti verso altri",
    "pt": "à ao todo os as um uma do da dos das que e é são não com para por em no na nos nas mais também como mas eu você ele "
    "ela nós isto esta este muito olá obrigado obrigada bom dia hoje seu sua está todos devem agir",
    "nl": "zal of niemand het een van en zijn niet met voor op dat deze die ik jij hij zij wij ook maar naar bij uit wordt worden "
    "heeft hebben er aan hallo dank goedemorgen vandaag waar alle mensen geboren",
    "sv": "ingen och att det som är en ett inte med för på av den jag du han hon vi ni de till har var kan skall ska eller "
    "om från hej tack idag alla födda mycket",
    "da": "mig ingen ret hvordan og at det som er en et ikke med for på af den jeg du han hun vi til har kan skal eller om fra hej tak i dag "
    "alle født hvad meget de bør mod",
    "nb": "meg ingen rett samme hvordan og at det som er en et ikke med for på av den jeg du han hun vi til har kan skal eller om fra hei takk i dag "
    "alle født hva mye de bør mot",
    "fi": "ja on ei se että hän minä sinä me te he ovat oli mutta kun joka mitä tämä niin myös hei kiitos tänään kaikki "
    "ihmiset heidän on",
    "pl": "ma każdy i w na z że się nie jest są to jak ale po dla od co był była przez oraz ten ta tym cześć dziękuję dzień "
    "dobry dziś wszyscy rodzą",
    "cs": "a je v na se že si jsou to s z do ale jak pro od která který byl ahoj děkuji dobrý den dnes všichni lidé",
    "hu": "a az és egy nem hogy van is de ez ezt meg mint volt vagy csak szia köszönöm jó napot ma minden",
    "ro": "și în este sunt cu pe la nu un o că din pentru mai ce care lui bună ziua mulțumesc azi toate ființele",
    "tr": "hiç veya her ve bir bu için ile de da ne çok değil var ben sen biz siz onlar gibi daha merhaba teşekkürler bugün bütün "
    "doğarlar",
    "id": "dan yang di ke dari ini itu dengan untuk tidak adalah pada saya kamu kami kita mereka akan sudah bisa "
    "selamat terima kasih hari semua orang",
}
_LETTERS = {
    "es": "ñ¿¡",
    "fr": "œçêëù",
    "de": "ßäöü",
    "pt": "ãõç",
    "sv": "åäö",
    "da": "æøå",
    "nb": "æøå",
    "fi": "äö",
    "pl": "ąćęłńśźż",
    "cs": "ěřůčšž",
    "hu": "őű",
    "ro": "șțăî",
    "tr": "ğışç",
}
_MARGIN = 0.5  # more than a name's letter
_CLEAR = 3  # words more than the language of the whole text has
_LETTER_WEIGHT = 0.4  # of a word: many languages share them, and names travel
_ALSO_ENGLISH = "no die on me men per fast war bin hat man sin son come dove more pour van den"
_SHARES_WITH_ENGLISH = frozenset((*_WORDS[_ENGLISH].split(), *_ALSO_ENGLISH.split()))
_OF_WORD: dict[str, tuple[str, ...]] = {}
for _language, _text in _WORDS.items():
    for _one in set(_text.split()):
        if _language == _ENGLISH or _one not in _SHARES_WITH_ENGLISH:
            _OF_WORD[_one] = (*_OF_WORD.get(_one, ()), _language)


def score_latin(text: str) -> Counter[str]:
    """Count what speaks for each language: small words, and letters that few languages have.

    A word that several languages have counts for each of them.
    """
    scores: Counter[str] = Counter()
    for word in _WORD.findall(text.lower()):
        for language in _OF_WORD.get(word, ()):
            scores[language] += 1
        if not word.isascii():
            for language, letters in _LETTERS.items():
                if not set(letters).isdisjoint(word):
                    scores[language] += _LETTER_WEIGHT  # type: ignore[assignment]
    return scores


def guess_latin(text: str, context: Counter[str]) -> str:
    """Guess the language of a part of a text, of which the whole scores as ``context`` says.

    A part that says clearly what it is, is believed; else the whole decides; without a sign it is English.
    """
    scores, whole = score_latin(text), _best(context)
    own = _best(scores)
    return own if scores[own] >= scores[whole] + _CLEAR else whole


def _best(scores: Counter[str]) -> str:
    """Give the language with the most signs; English when nothing else has clearly more."""
    language, most = max(scores.items(), key=lambda item: item[1], default=(_ENGLISH, 0))
    return language if most >= 1 and most > scores[_ENGLISH] + _MARGIN else _ENGLISH
