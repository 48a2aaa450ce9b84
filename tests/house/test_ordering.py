"""The order of the tests over several processes."""

import pytest
from tests.support.ordering import FIRST, deal

LONG = [f"tests/journeys/test_{name}.py::test_{number}" for name in "abcdef" for number in range(5)]
SHORT = [f"tests/web/test_{name}.py::test_{number}" for name in "abcdef" for number in range(20)]
TESTS = SHORT[:60] + LONG + SHORT[60:]


@pytest.mark.parametrize("processes", [1, 2, 4, 7])
@pytest.mark.parametrize("tests", [TESTS, SHORT, LONG, [], LONG[:1]], ids=["both", "short", "long", "none", "one"])
def test_every_test_runs_once(tests, processes):
    """None is lost or doubled, however many there are of either kind."""
    assert sorted(deal(tests, processes)) == list(range(len(tests)))


@pytest.mark.parametrize("processes", [2, 4])
def test_each_process_begins_with_long_ones(processes):
    """The part of each, as pytest-xdist gives it out."""
    dealt = deal(TESTS, processes)
    while dealt:
        part, dealt = dealt[: len(dealt) // processes], dealt[len(dealt) // processes :]
        assert TESTS[part[0]].startswith(FIRST)
        processes -= 1


def test_long_files_stay_whole():
    """What a file starts is started in one process."""
    dealt = [TESTS[number] for number in deal(TESTS, 4)]
    files = [test.partition("::")[0] for test in dealt if test.startswith(FIRST)]
    assert len([file for at, file in enumerate(files) if at == 0 or files[at - 1] != file]) == 6
