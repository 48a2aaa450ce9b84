"""Long answers in few pieces: the first ones as they come, the rest so large that a slow client holds no thread.

A server's thread waits while an answer has more pieces than the server's buffers take, which for a client that reads
slowly, or not at all, is for ever. Granian takes sixteen pieces or about 400 KiB without the client's help, and one
piece more; so what follows the first quarter of a MiB goes in one piece, and the thread is free.
"""

from collections.abc import Callable, Iterator

FIRST_PIECES = 10
FIRST_BYTES = 1 << 18
PIECE_BYTES = 1 << 24
"""More than this is not kept in memory for one client: beyond it a slow one does hold its thread."""


def gather(chunks: Iterator[bytes], *, has_time: Callable[[], bool] = lambda: True) -> Iterator[bytes]:
    """Give the same bytes in other pieces.

    Args:
        chunks: The bytes as they are made or read.
        has_time: Whether the client has enough to go on with, so that more can be gathered before it gets some.

    Raises:
        Exception: What ``chunks`` raises, after everything that was there before it.
    """
    given = 0
    for count, chunk in enumerate(chunks, 1):
        yield chunk
        given += len(chunk)
        if count == FIRST_PIECES or given >= FIRST_BYTES:
            break
    fault: list[Exception] = []
    while piece := _gathered(chunks, has_time, fault):
        yield piece
    if fault:
        raise fault[0]


def _gathered(chunks: Iterator[bytes], has_time: Callable[[], bool], fault: list[Exception]) -> bytes:
    """Return what comes next, as much as there is time and room for; none at the end or at a fault, which is noted."""
    kept = bytearray()
    try:
        for chunk in chunks:
            kept += chunk
            if len(kept) >= PIECE_BYTES or not has_time():
                break
    except Exception as error:  # noqa: BLE001 -- raised again when its turn comes
        fault.append(error)
    return bytes(kept)
