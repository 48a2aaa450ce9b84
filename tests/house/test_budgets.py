"""The budgets of the house: how long, how many, where from, and in which words."""

import ast
import functools
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src/voxgate").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
WAITING = ROOT / "tests/support/waiting.py"
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 40
MAX_ARGUMENTS = 6

# Each library has its rooms. What stands here is imported nowhere else.
ROOMS_OF = {
    "alembic": ("accounts/",),
    "argon2": ("accounts/",),
    "bcrypt": ("accounts/",),
    "av": ("speech/formats/ffmpeg.py",),
    "click": ("cli/",),
    "celery": ("speech/jobs/celery.py",),
    "ctypes": ("speech/engines/espeak_worker.py", "speech/engines/sonic.py"),
    "defusedxml": ("speech/ssml.py",),
    "espeakng_loader": ("speech/engines/",),
    "flask": ("gate/flask/", "web/", "testing/"),
    "granian": ("cli/",),
    "joserfc": ("gate/signing/",),
    "lameenc": ("speech/formats/mp3.py",),
    "obstore": ("speech/storage/bucket.py",),
    "openapi_pydantic": ("web/",),
    "pydantic": ("settings/", "web/"),
    "onnxruntime": ("speech/engines/piper_worker.py",),
    "piper": ("speech/engines/piper_worker.py",),
    "psycopg": ("accounts/postgres",),
    "pytest": ("testing/",),
    "redis": ("gate/stores/redis",),
    "soundfile": ("speech/formats/sndfile.py",),
    "sqlalchemy": ("accounts/", "speech/jobs/", "cli/database_checks.py"),
    "werkzeug": ("gate/flask/", "web/", "testing/"),
}
# Words that say nothing, in names and in texts.
EMPTY_WORDS = re.compile(r"(?i)(?:^|_|(?<=[a-z]))(?:manager|helper|utils?|blacklist)(?:$|_|s?\b|(?=[A-Z]))")
# Names of the second document, kept for code that is moved here.
DOCUMENT_NAMES = {"TokenManager", "PasswordManager", "SecurityUtils"}
# Methods that a library calls by names of its own choosing.
HOOKS = {"_do_return_conn"}
EMPTY_VERBS = re.compile(r"^_*(?:handle|process|do|perform)_(?!nothing)")


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def place_of(path):
    return path.relative_to(ROOT / "src/voxgate").as_posix()


@functools.cache
def tree_of(path):
    return ast.parse(path.read_text())


def arguments_of(function):
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


def functions_of(path):
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def code_lines(path, function):
    """Count the lines of a function that hold code: no docstring, comment or blank line."""
    lines = path.read_text().splitlines()[function.lineno - 1 : function.end_lineno]
    first = function.body[0]
    docstring = 0
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        docstring = len(
            [
                line
                for line in lines[first.lineno - function.lineno :][: first.end_lineno - first.lineno + 1]
                if line.strip()
            ]
        )
    return len([line for line in lines if line.strip() and not line.strip().startswith("#")]) - docstring


def imports_of(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_a_module_is_short_enough_to_be_read_at_once():
    """At most 300 lines."""
    assert not [name_of(path) for path in SOURCES if len(path.read_text().splitlines()) > MAX_MODULE_LINES]


def test_a_module_says_its_purpose_in_its_first_sentence():
    """The first line is a docstring; it becomes the tree in ARCHITECTURE.md."""
    first = {name_of(path): path.read_text().partition("\n")[0] for path in SOURCES}
    assert not {name: line for name, line in first.items() if not re.match(r'"""[A-Z`a-z].+[.]("""|$)', line)}


def test_functions_are_short_and_take_few_arguments():
    """At most 40 lines of code and 6 arguments; a schema change is one list of plain statements and may be longer."""
    long = [
        f"{name_of(path)}: {function.name}"
        for path in SOURCES
        if "migrations" not in path.parts
        for function in functions_of(path)
        if code_lines(path, function) > MAX_FUNCTION_LINES or arguments_of(function) > MAX_ARGUMENTS
    ]
    assert not long


def test_a_library_is_used_in_its_rooms_only():
    """A library has few doors, so that it can be replaced."""
    strays = [
        f"{name_of(path)}: {library}"
        for path in SOURCES
        for library in imports_of(path)
        if not place_of(path).startswith(ROOMS_OF.get(library, ("",)))
    ]
    assert not strays


def test_names_say_something():
    """No manager, helper, util; no handle_, process_, do_."""
    empty = []
    for path in SOURCES:
        nodes = ast.walk(tree_of(path))
        names = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        names = [name for name in names if name not in DOCUMENT_NAMES | HOOKS]
        empty += [name for name in (*names, path.stem) if EMPTY_WORDS.search(name) or EMPTY_VERBS.search(name)]
    assert not empty


def test_nothing_is_left_to_be_done():
    """What is open is an issue, not a comment."""
    assert not [name_of(path) for path in SOURCES if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", path.read_text())]


def test_every_test_says_what_it_guarantees():
    """The docstring of a test is its guarantee, in one sentence."""
    mute = [
        f"{name_of(path)}: {function.name}"
        for path in TESTS
        for function in functions_of(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not mute


def test_no_test_sleeps():
    """Time is given, except to journeys, which meet served processes; what must be waited for is a condition."""
    sleepers = [
        f"{name_of(path)}:{node.lineno}"
        for path in TESTS
        if path != WAITING and "journeys" not in path.parts
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "sleep"}
    ]
    assert not sleepers


def test_libraries_are_named_that_exist():
    """A room that is not there would allow everything."""
    for library, rooms in ROOMS_OF.items():
        missing = [room for room in rooms if not list((ROOT / "src/voxgate").glob(f"{room.rstrip('/')}*"))]
        assert not missing or library == "redis", (library, missing)
