"""What the gate offers by name, and that its core needs no Flask."""

import subprocess
import sys

import pytest

import voxgate.gate
import voxgate.gate.flask


@pytest.mark.parametrize("package", [voxgate.gate, voxgate.gate.flask])
def test_every_name_of_the_surface_is_there(package):
    """As it is listed, each at its place in the alphabet."""
    assert all(getattr(package, name) for name in package.__all__)
    assert package.__all__ == sorted(package.__all__, key=lambda name: (name == "events", name))


def test_other_names_are_not():
    """Said as Python says it."""
    with pytest.raises(AttributeError, match="Door"):
        voxgate.gate.Door  # noqa: B018


def test_core_imports_no_flask():
    """Until the gate for Flask is asked for."""
    program = "import sys, voxgate.gate, voxgate.gate.admission; sys.exit('flask' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
