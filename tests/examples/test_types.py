"""The library is typed for those who use it: strict checking knows what a guarded view is."""

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_examples_pass_strict_type_checking(tmp_path):
    """No decorator of the gate makes a view untyped, and what a view asks of the gate has a type."""
    mypy = pytest.importorskip("mypy.api", reason="the type checker comes with ./dev lint")
    out, _, status = mypy.run(["--strict", "--cache-dir", str(tmp_path), "--no-error-summary", str(EXAMPLES)])
    assert status == 0, out
