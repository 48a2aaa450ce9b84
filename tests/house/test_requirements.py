"""The requirement files: exact versions with hashes, and nothing about where a package came from."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[0-9][0-9a-z.+]*)(?P<marker> ; [^\\]+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def pins_of(path):
    """Return the version of each package, after checking that every line is a pin or a hash."""
    pins = {}
    for block in re.split(r"\n(?=\S)", path.read_text().strip()):
        first, *rest = [line.strip().removesuffix("\\").strip() for line in block.splitlines()]
        pin = PIN.fullmatch(first)
        assert pin, first
        assert rest, f"{first} has no hash"
        assert all(HASH.fullmatch(line) for line in rest), block
        pins[pin["name"]] = pin["version"]
    return pins


def test_there_is_a_file_for_every_use():
    """The four files that ./dev installs from."""
    assert {"lint", "lock", "run", "test"} <= {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_requirement_is_exact_and_hashed_and_names_no_address(path):
    """What is installed tomorrow is what was tested today, from whatever index the machine uses."""
    assert pins_of(path)
    assert not re.search(r"https?:|//|--index|--find-links|@", path.read_text())


def test_every_kind_holds_the_versions_of_the_smaller_one():
    """`./dev run` after `./dev lint` finds everything in place."""
    by_kind = {path.stem: pins_of(path) for path in FILES}
    assert by_kind["run"].items() <= by_kind["test"].items() <= by_kind["lint"].items()


def test_benchmarks_compare_at_the_versions_that_run():
    """What the compared libraries share with the service is the same for both."""
    bench, ours = pins_of(ROOT / "requirements/bench.txt"), pins_of(ROOT / "requirements/lint.txt")
    shared = bench.keys() & ours.keys()
    assert {"flask", "redis", "sqlalchemy"} <= shared
    assert {name: bench[name] for name in shared} == {name: ours[name] for name in shared}


def test_the_build_backend_is_pinned_with_what_runs():
    """The editable install happens without build isolation, so nothing unpinned is fetched."""
    assert {"hatchling", "editables"} <= pins_of(ROOT / "requirements/run.txt").keys()


def test_what_runs_can_be_listed_for_others():
    """`./dev sbom` names every package with its version and the hash of every file, and the same each time."""
    told = subprocess.run([sys.executable, ROOT / "dev", "sbom"], capture_output=True, check=True, timeout=60).stdout
    listed = json.loads(told)
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    assert {each["name"]: each["version"] for each in listed["components"]} == pins_of(ROOT / "requirements/run.txt")
    files = [file["content"] for each in listed["components"] for file in each["externalReferences"][0]["hashes"]]
    assert sorted(files) == sorted(re.findall(r"sha256:(\w+)", (ROOT / "requirements/run.txt").read_text()))
    assert all(each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}" for each in listed["components"])
