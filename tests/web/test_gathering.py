"""Long answers in few pieces: nothing is lost, nothing begins late, and a client that does not read holds nobody up."""

import pytest

from voxgate.web import gathering
from voxgate.web.gathering import FIRST_PIECES, PIECE_BYTES, gather

SERVERS_PIECES = 16
SERVERS_BYTES = 400 << 10


@pytest.mark.parametrize("size", [1, 1000, 65_536, 1 << 20])
@pytest.mark.parametrize("count", [0, 1, FIRST_PIECES, FIRST_PIECES + 1, 40])
def test_bytes_stay_the_same(size, count):
    """Whatever the pieces, the answer is the same."""
    chunks = [bytes([at % 256]) * size for at in range(count)]
    assert b"".join(gather(iter(chunks))) == b"".join(chunks)


def test_first_bytes_do_not_wait():
    """The first pieces are given one by one, before the next is made."""
    made = []

    def make():
        for at in range(FIRST_PIECES):
            made.append(at)
            yield b"x"

    for given, _ in enumerate(gather(make()), 1):
        assert len(made) == given


@pytest.mark.parametrize("size", [100, 8_192, 48_000, 65_536])
def test_server_takes_all_of_it_without_the_client(size):
    """Before the last piece there is no more than the server's buffers take, so its thread is free at once."""
    *before, last = gather(bytes(size) for _ in range(PIECE_BYTES // size // 2))
    assert len(before) < SERVERS_PIECES
    assert sum(map(len, before)) < SERVERS_BYTES
    assert len(last) <= PIECE_BYTES


def test_memory_for_one_client_is_bounded(monkeypatch):
    """What is longer comes in several pieces, none of them longer than a chunk beyond the bound."""
    monkeypatch.setattr(gathering, "PIECE_BYTES", 1 << 20)
    pieces = list(gather(bytes(1 << 16) for _ in range(100)))
    assert max(map(len, pieces)) <= (1 << 20) + (1 << 16)


def test_slow_speech_is_not_kept_back():
    """Without time to gather everything is given as it is made."""
    assert len(list(gather((b"x" for _ in range(50)), has_time=lambda: False))) == 50


def test_fault_comes_after_everything_before_it():
    """What was made before a fault is heard, and then the fault is the caller's."""

    def make():
        yield from (b"x" for _ in range(FIRST_PIECES + 5))
        raise OSError("gone")

    given = []
    with pytest.raises(OSError, match="gone"):
        given.extend(gather(make()))
    assert len(b"".join(given)) == FIRST_PIECES + 5
