"""The program behind the two commands, on an imitated checkout."""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def dev(tmp_path, monkeypatch):
    """Load ./dev as a module that believes in an empty checkout and runs nothing."""
    loader = importlib.machinery.SourceFileLoader("dev", str(ROOT / "dev"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("dev", loader))
    loader.exec_module(module)
    (tmp_path / "requirements").mkdir()
    for kind in ("run", "test", "lint", "lock", "bench"):
        (tmp_path / "requirements" / f"{kind}.txt").write_text(kind)
    (tmp_path / "pyproject.toml").write_text("[build-system]\n[project]\n[tool.ruff]\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(module, "UNFINISHED", tmp_path / ".venv/.unfinished")
    module.commands = []

    def imitate(*command):
        module.commands.append(command)
        if "venv" in command:
            make_folder(module)

    monkeypatch.setattr(module, "run", imitate)
    monkeypatch.setattr(module, "starts", lambda *_: True)
    return module


def make_folder(dev):
    dev.PYTHON.parent.mkdir(parents=True)
    dev.PYTHON.touch()
    (dev.VENV / "pyvenv.cfg").write_text("version = {}.{}.{}\n".format(*sys.version_info))


def installs(dev):
    return [Path(command[-1]).name for command in dev.commands if "--require-hashes" in command]


def test_the_first_start_makes_a_venv_and_installs_with_hashes(dev):
    """Nothing but Python and its pip is needed."""
    dev.ensure("run")
    venv, pip, package = dev.commands
    assert venv[-2:] == ("--without-pip", str(dev.VENV))
    assert "--require-hashes" in pip
    assert {"--no-deps", "--no-build-isolation", "-e"} <= set(package)


def test_the_second_start_runs_nothing(dev):
    """It costs no process at all."""
    dev.ensure("run")
    dev.commands.clear()
    dev.ensure("run")
    assert dev.commands == []


@pytest.mark.parametrize(("first", "second"), [("test", "run"), ("lint", "run"), ("lint", "test")])
def test_a_larger_kind_serves_a_smaller_one(dev, first, second):
    """`./dev run` after `./dev test` neither installs nor downgrades."""
    dev.ensure(first)
    dev.ensure(second)
    assert installs(dev) == [f"{first}.txt"]


def test_a_smaller_kind_does_not_serve_a_larger_one(dev):
    """The tests' tools are added."""
    dev.ensure("run")
    dev.ensure("test")
    assert installs(dev) == ["run.txt", "test.txt"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("requirements/run.txt", "other"), ("pyproject.toml", "[build-system]\n[project]\nname = 'other'\n")],
)
def test_changed_requirements_are_installed(dev, name, text):
    """A new dependency arrives at the next start."""
    dev.ensure("run")
    (dev.ROOT / name).write_text(text)
    dev.ensure("run")
    assert installs(dev) == ["run.txt", "run.txt"]


def test_a_changed_tool_section_installs_nothing(dev):
    """Only what an install depends on counts."""
    dev.ensure("run")
    (dev.ROOT / "pyproject.toml").write_text("[build-system]\n[project]\n[tool.mypy]\n")
    dev.ensure("run")
    assert installs(dev) == ["run.txt"]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_an_install_that_was_cut_off_is_never_believed_complete(dev, monkeypatch, step):
    """The next start begins anew, wherever it was cut off."""
    imitate = dev.run

    def cut_off(*command):
        imitate(*command)
        if len(dev.commands) == step:
            raise KeyboardInterrupt

    monkeypatch.setattr(dev, "run", cut_off)
    with pytest.raises(KeyboardInterrupt):
        dev.ensure("run")
    assert not dev.is_ready(["run"])
    left_over = dev.VENV / "half"
    left_over.touch()
    dev.ensure("run")
    assert dev.is_ready(["run"])
    assert step == 1 or not left_over.exists()


def test_a_venv_that_does_not_start_is_made_anew(dev, monkeypatch):
    """A removed Python or a moved folder does not need the reader's hands."""
    dev.ensure("run")
    (dev.ROOT / "requirements/run.txt").write_text("other")
    (dev.VENV / "half").touch()
    monkeypatch.setattr(dev, "starts", lambda program, *_: program != dev.PYTHON)
    dev.ensure("run")
    assert not (dev.VENV / "half").exists()


def test_a_venv_of_another_python_is_made_anew(dev):
    """3.11 and 3.12 do not share packages."""
    make_folder(dev)
    (dev.VENV / "pyvenv.cfg").write_text("version = 3.9.18\n")
    dev.ensure("run")
    assert "--without-pip" in dev.commands[0]


def test_without_the_venv_module_the_folder_is_made_by_hand(dev, monkeypatch):
    """Some distributions leave the module out; Python itself needs only two entries."""
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda _: None)
    dev.make_venv()
    answer = subprocess.run(
        [dev.PYTHON, "-I", "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == str(dev.VENV)


def test_a_python_without_pip_is_told_what_to_install(dev, monkeypatch):
    """One sentence, not a traceback."""
    monkeypatch.setattr(dev, "starts", lambda *_: False)
    with pytest.raises(SystemExit, match="python3-pip"):
        dev.find_pip()


@pytest.mark.parametrize(
    ("given", "added"), [([], True), (["tests/gate"], True), (["-n0"], False), (["--numprocesses=3"], False)]
)
def test_tests_run_on_all_cores_unless_told_otherwise(dev, given, added):
    """The reader's own choice wins."""
    assert bool(dev.spread(given)) is added


def test_run_hands_its_arguments_to_serve(dev, monkeypatch):
    """`./dev run --port 0` is `voxgate serve --port 0`."""
    started = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: started.append((Path(program).name, arguments[1:])))
    monkeypatch.setattr(os, "chdir", lambda _: None)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    dev.main(["run", "--port", "0"])
    assert os.environ["PYTHONDONTWRITEBYTECODE"] == "1"
    dev.main(["test", "-n0", "-k", "x"])
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ  # or each process of the tests compiles all of them
    assert started == [
        ("voxgate", ["serve", "--port", "0"]),
        ("python", ["-m", "pytest", "-n0", "-k", "x"]),
    ]


def test_bench_installs_what_it_compares_with_beside_what_runs(dev, monkeypatch):
    """`./dev bench guard --rounds 3` runs that benchmark with its arguments; an unknown one is not tried."""
    started = []
    monkeypatch.setattr(os, "execv", lambda _, arguments: started.append(arguments[1:]))
    monkeypatch.setattr(os, "chdir", lambda _: None)
    dev.main(["bench", "guard", "--rounds", "3"])
    assert started == [["-m", "benchmarks.guard", "--rounds", "3"]]
    assert installs(dev) == ["run.txt", "bench.txt"]
    assert dev.main(["bench", "nothing"]) == 2


def test_lint_runs_every_check_even_after_a_failure(dev, monkeypatch, capfd):
    """One run shows all that is wrong."""
    ran = []

    def imitate(command, **_):
        ran.append(Path(command[0]).name)
        return subprocess.CompletedProcess(command, returncode=int(ran[-1] == "ruff"))

    monkeypatch.setattr(dev.subprocess, "run", imitate)
    assert dev.lint() == 1
    assert ran == ["ruff", "ruff", "mypy", "lint-imports", "deptry"]
    assert "failed: ruff, ruff" in capfd.readouterr().err


def test_an_unknown_word_prints_what_there_is(dev, monkeypatch, capsys):
    """The usage is the program's own docstring."""
    monkeypatch.setattr(os, "chdir", lambda _: None)
    assert dev.main(["tset"]) == 2
    assert dev.main([]) == 0
    assert "./dev run" in capsys.readouterr().out
