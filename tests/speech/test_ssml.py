"""SSML is read by us: what is safe is spoken, everything else is named."""

import json
import re
from pathlib import Path

import pytest
from tests.speech.measure import FLUTTER_S, median_f0

from voxgate.speech.request import Fault, SpeechRequest, find_faults
from voxgate.speech.script import Line
from voxgate.speech.ssml import MAX_DEPTH, MAX_ELEMENTS, SsmlFaults, read_ssml


def lines(body: str) -> tuple[Line, ...]:
    script = read_ssml(f"<speak>{body}</speak>")
    assert not isinstance(script, SsmlFaults), script
    return script.lines


def faults(document: str) -> tuple[str, ...]:
    found = read_ssml(document)
    assert isinstance(found, SsmlFaults), found
    return found.details


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Hello.", (Line("Hello."),)),
        ("  Hello \n there. ", (Line("Hello\nthere."),)),
        ("a<break time='300ms'/>b", (Line("a"), Line("b", pause_s=0.3))),
        ("a<break/>b", (Line("a"), Line("b", pause_s=0.4))),
        ("a<break strength='none'/>b", (Line("a"), Line("b"))),
        ("a<break time='1s'/>", (Line("a"), Line("", pause_s=1.0))),
        ("<break time='1s'/><break time='.5s'/>a", (Line("a", pause_s=1.5),)),
        ("<p>a</p><p>b</p>", (Line("a"), Line("b", pause_s=0.5))),
        ("<s>a</s><s>b</s>", (Line("a"), Line("b"))),
        ("<prosody rate='slow'>a</prosody>", (Line("a", speed_ratio=0.75),)),
        ("<prosody rate='150%'>a</prosody>", (Line("a", speed_ratio=1.5),)),
        ("<prosody rate='+50%' pitch='+2st'>a</prosody>", (Line("a", speed_ratio=1.5, pitch_semitones=2.0),)),
        ("<prosody rate='0.5'>a</prosody>", (Line("a", speed_ratio=0.5),)),
        ("<prosody pitch='+100%'>a</prosody>", (Line("a", pitch_semitones=12.0),)),
        ("<lang xml:lang='vi'>a</lang>", (Line("a", "vi"),)),
        ("<say-as interpret-as='characters'>ab c</say-as>", (Line("A B C"),)),
        ("<say-as interpret-as='telephone'>12-34</say-as>", (Line("1 2-3 4"),)),
        ("<say-as interpret-as='cardinal'>12</say-as>", (Line("12"),)),
        ("<sub alias='World'>W</sub> it", (Line("World it"),)),
        ("one &amp; two &lt;x&gt;", (Line("one & two <x>"),)),
    ],
)
def test_elements_become_plain_lines(body, expected):
    """Every element that is taken, in every form of its values, becomes plain text with its manner."""
    assert lines(body) == expected


def test_sentence_goes_on_across_elements():
    """An emphasized word inside a sentence is no end of one; a full stop is."""
    assert [
        (line.text, line.is_continued) for line in lines("A <emphasis>big</emphasis> dog. <emphasis>No</emphasis>")
    ] == [
        ("A", True),
        ("big", True),
        ("dog.", False),
        ("No", False),
    ]


def test_manners_are_multiplied_and_added_up():
    """Inner elements change what the outer ones have set."""
    nested = "<prosody rate='2' pitch='+2st'><prosody rate='0.5' pitch='+1st'>a</prosody></prosody>"
    assert lines(nested) == (Line("a", speed_ratio=1.0, pitch_semitones=3.0),)


def test_language_of_the_whole_is_inherited():
    """``xml:lang`` holds until an inner one says otherwise, in the namespace of the standard too."""
    script = read_ssml(
        "<speak version='1.1' xmlns='http://www.w3.org/2001/10/synthesis' xml:lang='de'>"
        "<p>a</p><p xml:lang='fr'>b</p></speak>"
    )
    assert [line.language for line in script.lines] == ["de", "fr"]
    assert (script.characters, script.languages) == (2, ("de", "fr"))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("<audio src='/etc/passwd'/>", "<audio>"),
        ("<audio src='http://169.254.169.254/'>x</audio>", "<audio>"),
        ("<lexicon uri='http://x/'/>", "<lexicon>"),
        ("<mark name='http://x/'/>", "<mark>"),
        ("<voice name='../x'>a</voice>", "<voice>"),
        ("<x:y xmlns:x='http://evil'/>", "<y>"),
        ("<p onload='x'>a</p>", "<p> takes no attribute onload"),
        ("<p xmlns:x='http://x' x:href='http://x'>a</p>", "<p> takes no attribute href"),
        ("<prosody volume='loud'>a</prosody>", "<prosody> takes no attribute volume"),
        ("<break time='11s'/>", "<break time>"),
        ("<break time='-1s'/>", "<break time>"),
        ("<break time='1e9s'/>", "<break time>"),
        ("<break strength='huge'/>", "<break strength>"),
        ("<break>a</break>", "<break> holds nothing"),
        ("<prosody rate='9'>a</prosody>", "<prosody rate>"),
        ("<prosody rate='-100%'>a</prosody>", "<prosody rate>"),
        ("<prosody pitch='+13st'>a</prosody>", "<prosody pitch>"),
        ("<prosody pitch='-100%'>a</prosody>", "<prosody pitch>"),
        ("<prosody pitch='100%'>a</prosody>", "<prosody pitch>"),
        ("<say-as interpret-as='currency'>a</say-as>", "<say-as interpret-as>"),
        ("<say-as>a</say-as>", "<say-as> needs interpret-as"),
        ("<lang>a</lang>", "<lang> needs xml:lang"),
        ("<sub>a</sub>", "<sub> needs alias"),
        ("<speak>a</speak>", "<speak> stands only around everything"),
        ("<break time='10s'/>" * 61, "pauses of 600 seconds"),
        ("<s>" * (MAX_DEPTH + 1) + "a" + "</s>" * (MAX_DEPTH + 1), "elements deep"),
        ("<s/>" * (MAX_ELEMENTS + 1), f"have {MAX_ELEMENTS} elements"),
    ],
)
def test_everything_else_is_named(body, named):
    """What holds an address, is unknown or is out of bounds is refused by its name, and nothing is fetched."""
    assert any(named in detail for detail in faults(f"<speak>{body}</speak>"))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("<!DOCTYPE speak><speak>a</speak>", "document type"),
        ("<!DOCTYPE s [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><speak>&a;</speak>", "document type"),
        ("<!DOCTYPE s [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;'>]><speak>&b;</speak>", "document type"),
        ("<speak>&unknown;</speak>", "line 1, column 8"),
        ("<speak>", "line 1, column 8"),
        ("plain", "line 1, column 1"),
        ("<p>a</p>", "one <speak> element"),
    ],
)
def test_documents_that_are_none_are_refused(document, said):
    """Entities are refused before they are read; broken XML is told with its place."""
    assert said in faults(document)[0]


def test_every_fault_is_told_at_once_up_to_twenty():
    """A document is mended in one round, and the answer stays short."""
    assert len(faults("<speak><audio/><mark/><break time='x'/></speak>")) == 3
    assert len(faults("<speak>" + "".join(f"<x{number}/>" for number in range(50)) + "</speak>")) == 20


@pytest.mark.parametrize(
    ("text", "details"),
    [
        ("<speak/>", ["Text cannot be empty"]),
        ("<speak><break/></speak>", ["Text cannot be empty"]),
        ("", ["Text cannot be empty"]),
        (f"<speak>{'a' * 101}</speak>", ["Text too long"]),
        (f"<speak>{'<s/>' * 200}a</speak>", ["Text too long"]),
        ("<speak>jav<s>ascr</s>ipt:</speak>", []),
        ("<speak>bad&#32;word</speak>", ["Text contains potentially harmful content"]),
    ],
)
def test_request_counts_what_is_spoken(text, details):
    """Markup is not counted, up to a bound; blocked texts are found also where markup hides them."""
    request = SpeechRequest(text, input_format="ssml")
    known = {"voices": ("Alnilam",), "formats": ("wav",), "blocked_patterns": ("bad word", "javascript:")}
    assert find_faults(request, **known, max_characters=100) == [Fault("text", detail) for detail in details]


def test_breaks_are_silence_of_that_length(speak):
    """A pause lengthens the audio by its time, and nothing else but the voice's flutter does."""
    without, with_pause = (
        speak(f"<speak>Hello.{pause}There.</speak>", input_format="ssml").duration_s
        for pause in ("<break strength='none'/>", "<break time='2s'/>")
    )
    assert with_pause == pytest.approx(without + 2, abs=FLUTTER_S)


def test_break_at_the_end_is_heard(speak):
    """Silence after the last word belongs to the audio too."""
    usual = speak("<speak>Hello.</speak>", input_format="ssml").duration_s
    longer = speak("<speak>Hello.<break time='1s'/></speak>", input_format="ssml").duration_s
    assert longer == pytest.approx(usual + 1, abs=FLUTTER_S)


def test_rate_and_pitch_are_heard(speak):
    """Twice the rate halves the time, and an octave doubles the pitch, as the fields of a request do."""
    text = "The quick brown fox jumps over the lazy dog."
    usual = speak(text)
    fast = speak(f"<speak><prosody rate='200%'>{text}</prosody></speak>", input_format="ssml")
    high = speak(f"<speak><prosody pitch='+6st'>{text}</prosody></speak>", input_format="ssml")
    assert fast.duration_s == pytest.approx(usual.duration_s / 2, rel=0.02)
    assert median_f0(high) == pytest.approx(median_f0(usual) * 2**0.5, rel=0.03)


def test_emphasis_within_a_sentence_makes_no_pause(speak):
    """The words around an emphasized one follow at once: no more than a quarter longer than without."""
    plain = speak("This is a very big house.").duration_s
    marked = speak("<speak>This is a <emphasis>very</emphasis> big house.</speak>", input_format="ssml").duration_s
    assert plain < marked < plain * 1.25


def test_document_of_the_guide_is_taken():
    """What the guide shows is spoken as it says."""
    guide = (Path(__file__).parents[2] / "docs/guides/ssml-and-captions.md").read_text()
    body = json.loads(re.search(r"```json\n(.*?)```", guide, re.DOTALL)[1])
    script = read_ssml(body["text"])
    assert [line.text for line in script.lines] == ["Good", "morning.", "Now slowly.", "Xin chào"]
