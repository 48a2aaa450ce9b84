"""A real Chromium for the tests: the machine's own, or Debian's, unpacked beside the tests' libraries."""

import os
import shutil
from pathlib import Path

import pytest
from tests.support.debian import unpacked

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-dejavu-core", "libatomic1")
MEND = "install Chromium (Debian: apt-get install chromium), or set CHROMIUM to the path of one"
ARGUMENTS = (
    "--no-sandbox",  # it is asked for pages of the tests alone, and root in a container has no sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)

_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""


def launch(playwright):
    """Start the browser; fails, and never skips, where there is none and none can be fetched."""
    path, environment = find()
    return playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS), env=environment)


def find():
    """Return the program of a Chromium, and the environment that it needs."""
    given = os.environ.get("CHROMIUM")
    if given:
        return given, dict(os.environ)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found, dict(os.environ)
    if shutil.which("apt-get") is None:
        pytest.fail(f"there is no Chromium here, and no apt to fetch it: {MEND}")
    try:
        return _of(unpacked(*PACKAGES, has_libraries=True))
    except AssertionError as error:
        pytest.fail(f"there is no Chromium here, and it cannot be fetched ({error}): {MEND}")


def _of(root):
    """Return the program in a folder of unpacked packages; its libraries and fonts are found there first."""
    program = root / "usr/lib/chromium/chromium"
    assert program.is_file(), f"{PACKAGES} hold no {program}"
    fonts = root / "fonts.conf"
    fonts.write_text(_FONTS.format(fonts=root / "usr/share/fonts", cache=root / "fonts-cache"))
    folders = dict.fromkeys(str(path.parent) for path in root.rglob("*.so*") if path.is_file())
    libraries = ":".join([*folders, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])])
    return str(program), {**os.environ, "LD_LIBRARY_PATH": libraries, "FONTCONFIG_FILE": str(Path(fonts))}
