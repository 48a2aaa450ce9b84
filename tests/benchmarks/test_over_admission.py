"""Racing processes: a limit is exact whoever asks, and the check would see it if it were not."""

from benchmarks import over_admission
from benchmarks.over_admission import find_excess


def spans(*moments):
    return [(moment, moment) for moment in moments]


def test_no_store_admits_more_than_the_quota_to_eight_racing_processes(capsys):
    """Exact on both stores, across window edges, whatever a client believes about the time."""
    assert over_admission.main(["--seconds", "1.2", "--window", "1"]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1] for row in rows] == ["10 per 1 s", "1000 per 1 s"] * 2
    assert all(int(row[3]) >= 10 for row in rows), "a store that lets nobody in proves nothing"


def test_exact_window_has_no_excess():
    """A request that comes when the first one leaves is in the next window."""
    assert find_excess(spans(0, 500, 1000, 1500), quota=2, window_ms=1000) == 0


def test_one_too_many_across_a_window_edge_is_found():
    """The edge is where inexact limits fail."""
    assert find_excess(spans(0, 900, 950, 1050, 1100), quota=2, window_ms=1000) == 2


def test_request_that_may_have_been_admitted_later_proves_nothing():
    """Only what is certain counts as excess."""
    assert find_excess([(0, 0), (1, 1), (2, 1200)], quota=2, window_ms=1000) == 0
