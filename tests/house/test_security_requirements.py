"""The page of security requirements is whole and honest: every row has tests that exist, or a reason."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "security-requirements.md"
ROW = re.compile(r"^\| ([A-Z]\d\d) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::([\w:]+)`")
ROWS = dict(ROW.findall(PAGE.read_text()))
COUNTS = {"T": 12, "S": 8, "C": 9, "L": 8, "W": 7, "A": 3, "J": 6, "G": 7, "R": 24}


@cache
def names_in(path):
    """Return every test of a file, with the class that it stands in."""
    body = ast.parse((TESTS / path).read_text()).body
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    alone = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    return alone | {f"{one.name}::{node.name}" for one in classes for node in one.body if hasattr(node, "name")}


def test_every_row_is_there_once():
    """Sixty requirements and twenty-four faults, in order."""
    wanted = [f"{letter}{number:02}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
    assert list(ROWS) == wanted
    assert len(ROW.findall(PAGE.read_text())) == len(wanted)


@pytest.mark.parametrize("number", ROWS)
def test_row_is_shown_or_has_a_reason(number):
    """A row names tests, or says what is not held and why."""
    assert TEST.search(ROWS[number]) or re.search(r"\*\*Not held\*\* .{20}", ROWS[number])


@pytest.mark.parametrize("number", ROWS)
def test_named_tests_exist(number):
    """Each named test stands in the file that is named."""
    for path, name in TEST.findall(ROWS[number]):
        assert (TESTS / path).exists(), path
        assert name in names_in(path), f"{path}::{name}"
