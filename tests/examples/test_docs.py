"""The guides: every block of Python on them runs, in order, as a reader would type it."""

import re
from pathlib import Path

import pytest

pytest_plugins = ["voxgate.testing"]

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]*)(?:#([^)]*))?\)")


def blocks_of(path, language):
    """Return the blocks of a page, each at its own line, so that a failure names the line of the page."""
    text = path.read_text(encoding="utf-8")
    return [
        "\n" * text.count("\n", 0, match.start(2)) + match[2] for match in BLOCK.finditer(text) if match[1] == language
    ]


@pytest.fixture(params=GUIDES, ids=lambda path: path.stem)
def page(request):
    return request.param


def test_every_block_runs(page, tmp_path, monkeypatch, gate_clock):
    """One program per page, in a folder of its own, without a warning; and the tests that a page shows pass."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for block in blocks_of(page, "python"):
        exec(compile(block, str(page), "exec"), names)  # noqa: S102 -- the project's own pages
    for test in [value for name, value in names.items() if name.startswith("test_")]:
        test(app=names["create_app"](), gate_clock=gate_clock)


def test_every_link_leads_somewhere(page):
    """Files that are there, and headings that are on the page."""
    text = page.read_text(encoding="utf-8")
    headings = {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in headings_of(text)}
    for target, anchor in LINK.findall(BLOCK.sub("", text)):
        if not target:
            assert anchor in headings
        elif not target.startswith("https://"):
            assert (page.parent / target).exists(), target


def headings_of(text):
    return [line for line in BLOCK.sub("", text).splitlines() if line.startswith("#")]


def test_every_sentence_has_a_line_of_its_own(page):
    """So that a change of one sentence is a change of one line."""
    prose = [line for line in BLOCK.sub("", page.read_text(encoding="utf-8")).splitlines() if not line.startswith("|")]
    assert [line for line in prose if re.search(r"[a-z`)]\. [A-Z`]", line)] == []
