"""The scripts inside Redis: what their headers say is what their code does."""

import re
from importlib.resources import files

import pytest
from tests.support.queries import TEN, TWO, by_key, by_nobody, by_session

from voxgate.gate.decision import Charge, SessionState
from voxgate.gate.limits import parse_limits
from voxgate.gate.stores import redis_scripts
from voxgate.gate.stores.redis_scripts import Script

FOLDER = files("voxgate.gate.stores") / "lua"
SOURCES = {path.name.removesuffix(".lua"): path.read_text("utf-8") for path in FOLDER.iterdir()}
# Those that do something alone; the others are parts of them.
WHOLE = ["account", "decide", "hold", "note", "pointer", "record", "refund"]
TYPES = "string|list|set|ms|number|flag|text|hex|words"
every_source = pytest.mark.parametrize("name", sorted(SOURCES))
every_whole = pytest.mark.parametrize("name", WHOLE)


def header_of(name):
    return re.match(r"(--.*\n)+", SOURCES[name])[0]


def code_of(name):
    return re.sub(r"--.*", "", SOURCES[name])


@every_source
def test_script_opens_with_what_it_does_and_guarantees(name):
    """In one sentence and then in its guarantees, within 150 lines."""
    assert re.match(r"-- [A-Z].*[.;]\n", header_of(name))
    assert re.search(r"\n-- Guarantees: ", header_of(name))
    assert len(SOURCES[name].splitlines()) <= 150
    assert max(map(len, SOURCES[name].splitlines())) <= 120


@every_whole
@pytest.mark.parametrize("table", ["KEYS", "ARGV"])
def test_header_names_every_key_and_argument_with_its_type_or_unit(name, table):
    """By number, or as the rest; what is not used is not named, and what is used is."""
    told = re.findall(
        rf"^-- {table}\[(\d+|\.\.)\] +(?:string|list|set|ms|number|flag|text|hex|words)\b",
        header_of(name),
        re.MULTILINE,
    )
    used = set(re.findall(rf"\b{table}\[(\d+)\]", code_of(name)))
    assert {each for each in told if each != ".."} == used
    has_rest = re.search(rf"\b{table}\b(?!\[\d)", code_of(name)) is not None
    assert (".." in told) is has_rest


@every_whole
def test_header_names_every_form_of_the_answer(name):
    """At its end."""
    assert re.search(r"^-- Returns ", header_of(name), re.MULTILINE)
    assert "return" in code_of(name)


@every_whole
def test_every_key_and_argument_has_a_name(name):
    """A number says nothing in the middle of the code."""
    lines = [line for line in code_of(name).splitlines() if re.search(r"\b(KEYS|ARGV)\[\d", line)]
    assert lines
    assert all(line.startswith("local ") for line in lines)


@every_source
def test_every_write_has_an_expiry(name):
    """No command that makes a key stands without one."""
    code = code_of(name)
    assert all("'PX'" in line or "'KEEPTTL'" in line for line in code.splitlines() if "'SET'" in line)
    if re.search(r"'(LPUSH|ZADD|SADD)'(?!.*'XX')", code):
        assert "'PEXPIRE'" in code


@every_source
def test_time_comes_from_the_server(name):
    """From one place."""
    assert ("'TIME'" in SOURCES[name]) is (name == "clock")
    assert "os.time" not in SOURCES[name]


def test_every_script_is_loaded_and_none_is_left_over():
    """What stands in the folder is used."""
    loaded = b"\n".join(each.text for each in vars(redis_scripts).values() if isinstance(each, Script))
    assert all(source.encode() in loaded for source in SOURCES.values())


@pytest.mark.redis
@pytest.mark.parametrize("store_kind", ["valkey"])
def test_every_key_in_the_server_expires_and_is_told_in_the_list_of_keys(known, clock, server_of, prefix):
    """Whatever was written: accounts, sessions, keys, ended ones, counters of every kind."""
    limits = [TEN, TWO, *(parse_limits(f"9 {text}", name="l")[0] for text in ("per calendar day", "at once"))]
    known.put_state(SessionState("over", "u1", clock.now_ms() - 5000))
    known.end_session("never", expires_at_ms=clock.now_ms())
    known.end_key("never")
    known.end_key("k1")
    known.decide(by_session(*(Charge(limit) for limit in limits), lease_id="a"))
    known.decide(by_nobody(Charge(TEN, "ip:{a}", cost=7)))
    known.decide(by_key())
    server = server_of("valkey")
    keys = sorted(server.call("KEYS", f"{prefix}*"))
    assert all(0 < server.call("PTTL", key) <= 400 * 86_400_000 for key in keys)
    assert [key.decode().removeprefix(prefix) for key in keys] == [
        "counters",
        "key:k1",
        "key:never",
        "session:never",
        "session:over",
        "session:s1",
        "{ip:%7Ba%7D}:of:ten:60",
        "{u1}:account",
        "{u1}:key:k1",
        "{u1}:own:l:300o",
        "{u1}:own:l:86400d",
        "{u1}:own:ten:60",
        "{u1}:own:two:60",
        "{u1}:session:over",
        "{u1}:session:s1",
    ]
