"""How guessable a password is: the pieces that people make passwords of, found offline and weighed in bits."""

import re

THRESHOLD_BITS = 35
"""What is weighed less is refused in production: three common words, or two with a year and a sign."""

# Bases of the passwords that every survey finds, written down by hand; what people add to them is found by rule.
_WORDS = frozenset(
    """
    access account admin administrator adobe alex alexander amanda america andrea andrew angel angela anthony apple
    april arsenal ashley august austin auto autumn baby babygirl bailey banana barbara baseball basketball batman bear
    beautiful beauty berlin biteme blink blue bond boomer boston brandon buster butterfly buddy camera cameron canada
    carlos change changeme charles charlie cheese chelsea chester chicken chocolate christian chris coffee company
    computer connect cookie cool corvette correct cowboy dallas daniel danielle david debbie december default diamond
    dolphin donald dragon eagle edward elephant emma england enter falcon family father february ferrari firebird fish
    flower football forever france frank freedom friday friend friends fuck fuckyou game garfield george germany ginger
    girl golden golf google gordon green guest guitar hannah happy harley hello hockey home horse hotdog house hunter
    iceman iloveu iloveyou internet jackson jake james january jasmine jason jennifer jessica jesus john johnny jordan
    jose joseph joshua july june junior justin killer king kitty knight ladybug lakers lauren letmein liberty linkedin
    liverpool login london love lovely lover lucky maggie manager manchester march marina marine marlboro martin master
    matrix matthew maverick mercedes merlin michael michelle mickey midnight miller monday money monica monkey monster
    morgan mother mountain muffin murphy music mustang myspace naruto nascar natasha nathan nicholas nicole ninja
    november number october office olivia open orange pass passw passwd password patrick peaches peanut pepper phoenix
    player please pokemon porsche power prince princess private purple qazwsx rabbit rachel rainbow ranger red richard
    robert rocket root samantha samsung sarah saturday scooter scorpio secret secure security september server service
    shadow simple silver snoopy soccer sophie spiderman spring staple star starwars steven stupid summer sunday
    sunshine superman support system taylor temp temporary tennis test tester thomas thunder thursday tiger tigger
    trust trustno truman tuesday turtle user vanessa victoria viking wednesday welcome whatever william windows winner
    winter wizard work world yamaha yankees yellow zxcvbn the and you for not one
    """.split()  # noqa: SIM905 -- hundreds of quotes would hide the words
)
_LONGEST = max(map(len, _WORDS))
_WALKS = tuple(
    walk + walk[::-1]
    for walk in (
        "`1234567890-=",
        "qwertyuiop[]",
        "asdfghjkl;'",
        "zxcvbnm,./",
        "qwertzuiop",
        "yxcvbnm",
        "azertyuiop",
        "qsdfghjklm",
        "wxcvbn",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
        "1q2w3e4r5t6y7u8i9o0p",
        "q1w2e3r4t5y6u7i8o9p0",
        "zaq12wsxcde34rfvbgt5",
        "abcdefghijklmnopqrstuvwxyz",
        "!@#$%^&*()_+",
        '!"§$%&/()=?',
        "0123456789",
        "3.14159265358979",
    )
)
_MIN_WALK = 3
# A one stands for two letters.
_LEET = tuple(str.maketrans("013456789@$!|+€", f"o{one}easgtbgasilte") for one in "li")
_DATE = re.compile(r"(?:19|20)\d\d|[0-3]?\d[01]\d(?:19|20)?\d\d|(?:19|20)?\d\d[01]\d[0-3]\d")
_LONGEST_DATE = 8
# Longer than this and only what repeats is looked for: nobody guesses so many pieces.
_MAX_JUDGED = 64

_WORD_BITS, _CONTEXT_BITS, _WALK_BITS, _DATE_BITS, _REPEAT_BITS = 9.0, 2.0, 6.0, 7.0, 3.0
_DIGIT_BITS, _LETTER_BITS, _OTHER_BITS = 3.3, 4.7, 5.5


def estimate_bits(folded: str, *, context: frozenset[str] = frozenset()) -> float:
    """Return about how many bits a guesser needs who tries words, walks on the keyboard, dates and repetitions first.

    Args:
        folded: The password as names are compared: without case.
        context: Words that are known of the account, folded, four characters and more.
    """
    period = _find_period(folded)
    if period < len(folded):
        return estimate_bits(folded[:period], context=context) + _REPEAT_BITS
    if len(folded) > _MAX_JUDGED:
        return float(len(folded))
    spellings = (folded, *(folded.translate(table) for table in _LEET))
    cheapest = [0.0]
    for end in range(1, len(folded) + 1):
        choices = [cheapest[end - 1] + _bits_of_character(folded, end - 1)]
        for begin in range(end - 2, -1, -1):
            piece = folded[begin:end]
            bits = _bits_of_piece(piece, {piece[::-1], *(each[begin:end] for each in spellings)}, context)
            if bits is not None:
                choices.append(cheapest[begin] + bits)
        cheapest.append(min(choices))
    return cheapest[-1]


def _find_period(text: str) -> int:
    """Return the length of the shortest text that makes this one by repetition, its last part cut perhaps."""
    for period in range(1, len(text) // 2 + 1):
        if text.startswith(text[period:]):
            return period
    return len(text)


def _bits_of_character(text: str, position: int) -> float:
    character = text[position]
    if position and character == text[position - 1]:
        return 1.0
    if character.isdigit():
        return _DIGIT_BITS
    return _LETTER_BITS if character.isascii() and character.isalpha() else _OTHER_BITS


def _bits_of_piece(piece: str, spellings: set[str], context: frozenset[str]) -> float | None:
    if spellings & context:
        return _CONTEXT_BITS
    if len(piece) <= _LONGEST and spellings & _WORDS:
        return _WORD_BITS
    if len(piece) >= _MIN_WALK and any(piece in walk for walk in _WALKS):
        return _WALK_BITS
    if len(piece) <= _LONGEST_DATE and _DATE.fullmatch(piece):
        return _DATE_BITS
    return None
