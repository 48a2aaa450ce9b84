"""The docs: made pages are current, everything is listed, links lead somewhere, one sentence stands on a line."""

import importlib.util
import re
from pathlib import Path

import pytest

from voxgate.gate import events
from voxgate.settings import Settings, load_settings
from voxgate.settings.model import SETTINGS
from voxgate.settings.reference import commented_file
from voxgate.web.app import create_app
from voxgate.web.problems import PROBLEMS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def maker():
    """The program that makes pages, as a module."""
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs/make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def headings_of(page):
    """Return the names that links give to the headings of a page."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in found}


def test_every_made_page_is_current(maker):
    """`./dev docs` brings them up to date."""
    assert maker.main("--check") == 0


def test_a_stale_page_is_told_and_written(maker, tmp_path, monkeypatch, capsys):
    """With --check nothing is changed."""
    page = tmp_path / "page.md"
    monkeypatch.setattr(maker, "ROOT", tmp_path)
    monkeypatch.setattr(maker, "pages", lambda: {page: "new"})
    assert maker.main("--check") == 1
    assert not page.exists()
    assert maker.main() == 0
    assert page.read_text() == "new"
    assert capsys.readouterr().out == "not current: page.md\nwritten: page.md\n"


def test_every_setting_is_in_the_reference():
    """With its name, at least; the page is made from the same place."""
    page = (REFERENCE / "settings.md").read_text()
    assert all(f"| `{setting.name}` |" in page for setting in SETTINGS.values())


def test_every_error_is_in_the_reference():
    """A client can look up every code that it may meet."""
    page = (REFERENCE / "errors.md").read_text()
    assert all(f"| `{problem.code}` |" in page for problem in PROBLEMS.values())


def test_every_event_is_in_the_reference_with_a_meaning(maker):
    """And no meaning is left of an event that is gone."""
    names = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}
    assert names == set(maker.EVENTS)
    page = (REFERENCE / "events.md").read_text()
    assert all(f"| `{name}` |" in page for name in names)


def test_every_route_is_in_the_reference(tmp_path):
    """What is served is told, with each of its methods."""
    app = create_app(Settings(data=tmp_path))
    page = (REFERENCE / "http.md").read_text()
    try:
        for rule in app.url_map.iter_rules():
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                assert f"| `{method} {path}` |" in page, rule
    finally:
        app.extensions["voxgate.services"].close()


def test_the_commented_settings_file_is_right_once_its_comments_are_removed(tmp_path):
    """What init writes is what a reader will uncomment."""
    lines = [line.removeprefix("# ") for line in commented_file().splitlines() if re.match(r"# [A-Z_]+ = ", line)]
    assert len(lines) == len(SETTINGS) - 1
    given = [line for line in lines if not line.endswith('= ""')]
    (tmp_path / "voxgate.toml").write_text("\n".join(given))
    default = load_settings({"VOXGATE_DATA": str(tmp_path / "other")})
    read = load_settings({"VOXGATE_DATA": str(tmp_path)})
    assert read.policies() == default.policies()
    assert read.model_dump(exclude={"data", "database_url", "drain", "engine_workers"}) == default.model_dump(
        exclude={"data", "database_url", "drain", "engine_workers"}
    )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_between_pages_leads_somewhere(page):
    """Links are relative, so that they work in a checkout too."""
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


def test_readme_leads_to_every_page():
    """What is not in the index is not found."""
    readme = (ROOT / "README.md").read_text()
    assert not [name_of(page) for page in PAGES if f"]({name_of(page)})" not in readme and page.name != "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_within_a_page_names_a_heading(page):
    """A link that ends with the name of a part leads to that part."""
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", page.read_text())
    assert not [(path, part) for path, part in links if part not in headings_of(page.parent / path if path else page)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_one_sentence_stands_on_a_line(page):
    """A change of one sentence is a change of one line."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    prose = [line for line in text.splitlines() if line and not line.startswith(("|", "#", "<!--"))]
    crowded = [line for line in prose if re.search(r"[a-z)`][.!?] +[A-Z`]", re.sub(r"`[^`]*`", "x", line))]
    assert not crowded


def test_the_readme_names_the_two_commands():
    """They are the first thing that a stranger looks for."""
    text = (ROOT / "README.md").read_text()
    assert "./dev run" in text
    assert "./dev test" in text
