"""Programs of Debian for the tests: the machine's own, or unpacked from their packages without being installed."""

import contextlib
import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

_FOLDER = Path(sys.prefix) / "debian"
_INSTALLED = Path("/var/lib/dpkg/status")
_OWN_STATE = ("lists/partial", "cache/archives/partial")


def program(name, *packages):
    """Return the path of a program.

    One that the machine has is taken as it is.
    Otherwise its packages are fetched by apt, with a state folder of its own, and unpacked beside the tests'
    libraries: no root is needed, and no service is started.

    Args:
        name: The program's name, such as ``nginx``.
        packages: The packages that hold it and the libraries that it lacks here.
    """
    found = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if found:
        return found
    root = unpacked(*packages)
    found = next((path for path in root.glob(f"usr/*bin/{name}") if path.is_file()), None)
    assert found is not None, f"{packages} hold no program {name}"
    return str(found)


def unpacked(*packages, has_libraries=False):
    """Return the folder in which some packages are unpacked; fails with the one line that would mend it.

    Args:
        packages: Their names.
        has_libraries: Whether what they depend on is unpacked too, as far as the machine lacks it.
    """
    root = _FOLDER / "+".join(packages)
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with _alone():
        if not root.exists():
            try:
                _unpack(packages, root, has_libraries=has_libraries)
            except (OSError, subprocess.CalledProcessError) as error:
                told = getattr(error, "stderr", None) or error
                mend = f"apt-get install {' '.join(packages)}"
                raise AssertionError(f"cannot fetch Debian's packages ({told}); run: {mend}") from error
    return root


def _unpack(packages, root, *, has_libraries):
    state = _FOLDER / "apt"
    for name in _OWN_STATE:
        (state / name).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    status = _INSTALLED if has_libraries else state / "status"
    fetched = state / "fetched"
    shutil.rmtree(fetched, ignore_errors=True)
    (fetched / "partial").mkdir(parents=True)
    own = [
        *("-o", f"Dir::State::Lists={state / 'lists'}", "-o", f"Dir::State::status={status}"),
        *("-o", f"Dir::Cache={state / 'cache'}", "-o", f"Dir::Cache::Archives={fetched}"),
        *("-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=1"),
    ]
    _run("apt-get", *own, "-qq", "update", cwd=fetched)
    if has_libraries:
        whole = ("-qq", "--yes", "--no-install-recommends", "--download-only", "install")
        _run("apt-get", *own, *whole, *packages, cwd=fetched)
    else:
        _run("apt-get", *own, "-qq", "download", *packages, cwd=fetched)
    partial = root.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for file in sorted(fetched.glob("*.deb")):
        _run("dpkg", "-x", str(file), str(partial), cwd=fetched)
    partial.rename(root)
    shutil.rmtree(fetched)


def _run(*command, cwd):
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=600)


@contextlib.contextmanager
def _alone():
    """Let one process of the tests fetch at a time."""
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
