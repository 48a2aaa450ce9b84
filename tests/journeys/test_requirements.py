"""The page of requirements is whole and honest: every row has tests that exist, or a reason."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "requirements.md"
ROW = re.compile(r"^\| ([AB]\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::([\w:]+)`")
ROWS = {number: (wish, shown) for number, wish, shown in ROW.findall(PAGE.read_text())}


@cache
def names_in(path):
    """Return every test of a file, with the class that it stands in."""
    body = ast.parse((TESTS / path).read_text()).body
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    alone = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    return alone | {f"{one.name}::{node.name}" for one in classes for node in one.body if hasattr(node, "name")}


def test_every_row_is_there_once():
    """Twenty-two rows of the first document, thirty-one of the second."""
    assert list(ROWS) == [*(f"A{number}" for number in range(1, 23)), *(f"B{number}" for number in range(1, 32))]
    assert len(ROW.findall(PAGE.read_text())) == len(ROWS)


@pytest.mark.parametrize("number", ROWS)
def test_row_is_shown_or_has_a_reason(number):
    """A row names tests, or says what is not built and why."""
    _, shown = ROWS[number]
    assert TEST.search(shown) or re.search(r"\bNot (yet|built): .{10}", shown)


@pytest.mark.parametrize("number", ROWS)
def test_named_tests_exist(number):
    """Each named test stands in the file that is named."""
    for path, name in TEST.findall(ROWS[number][1]):
        assert (TESTS / path).exists(), path
        assert name in names_in(path), f"{path}::{name}"
