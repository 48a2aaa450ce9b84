"""Many requests by several clients, hostile texts among them; `./dev bench soak` is the same with two thousand."""

import pytest

from benchmarks.service import WIDE, Client
from benchmarks.soak import soak

REQUESTS = 150


@pytest.fixture
def client(serve):
    client = Client(serve(**WIDE).url)
    client.join()
    yield client
    client.close()


def test_no_good_request_fails_among_hostile_ones(client):
    """Streams and jobs: every good text is spoken, and no hostile one is answered as a fault of ours."""
    report = soak(client, REQUESTS)
    assert (report.requests, report.hostile) == (REQUESTS, REQUESTS // 5)
    assert report.failed == ()
    assert report.unkind == ()
    assert 0 < report.p50_s <= report.p99_s <= report.most_s
