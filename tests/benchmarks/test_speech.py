"""What the benchmarks of speech make of what they have measured."""

import pytest

from benchmarks.soak import HOSTILE, Outcome, _ask, _summarize
from benchmarks.speakers import Sample
from benchmarks.speech import _summarize as summarize_samples


def good(took_s, *, is_good=True):
    return Outcome(is_hostile=False, is_job=False, is_good=is_good, took_s=took_s, told="200" if is_good else "500")


def test_soak_counts_good_and_hostile_apart():
    """A hostile text may be refused or fail, but not as a fault of ours; p99 is of good ones alone."""
    hostile = [Outcome(is_hostile=True, is_job=True, is_good=False, took_s=99, told=told) for told in ("failed", "500")]
    report = _summarize([good(each / 100) for each in range(1, 101)] + hostile + [good(0.5, is_good=False)])
    assert (report.requests, report.hostile) == (103, 2)
    assert report.failed == ("500",)
    assert report.unkind == ("500",)
    assert (report.p50_s, report.p99_s, report.most_s) == (0.5, 0.99, 1.0)


class Deaf:
    """A client whose service breaks off."""

    def ask(self, *_):
        raise ConnectionResetError

    def close(self):
        pass


@pytest.mark.parametrize(("number", "is_hostile", "is_job"), [(0, True, True), (1, False, False), (4, False, True)])
def test_answer_that_breaks_off_is_a_failure(number, is_hostile, is_job):
    """It is told as such, and the soak goes on."""
    outcome = _ask(Deaf(), number)
    assert (outcome.is_hostile, outcome.is_job, outcome.is_good) == (is_hostile, is_job, False)
    assert outcome.told == "broken off: ConnectionResetError"


def test_hostile_texts_are_within_what_a_request_may_hold():
    """They are refused by nobody for their length, so they reach the engine."""
    assert all(len(text) < 4090 for text in HOSTILE)


def test_ratios_are_made_within_a_round():
    """A round that was slow for all changes no ratio."""
    ours = [Sample(0.01, 0.1, 0.2, 10), Sample(0.1, 1, 2, 10), Sample(0.01, 0.1, 0.2, 10)]
    theirs = [Sample(each.first_s * 2, each.whole_s, each.cpu_s / 2, 10) for each in ours]
    found = summarize_samples(theirs, ours, 100)
    assert found["cpu_ratio"] == pytest.approx(0.5)
    assert found["first_ratio"] == pytest.approx(2)
    assert found["cpu_us_per_character"] == pytest.approx(1000)
    assert found["rtf_cpu"] == pytest.approx(0.01)
