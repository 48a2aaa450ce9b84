"""The pool of connections: once closed it keeps none, whoever comes late."""

import logging

from sqlalchemy import QueuePool
from sqlalchemy.pool import ConnectionPoolEntry

# SQLAlchemy calls a pool's logger by the name of its class, so its notes for developers would be lines of the service.
logging.getLogger(__name__).setLevel(logging.WARNING)


class ClosingPool(QueuePool):
    """A pool that can be closed while threads are still at work.

    A thread that gives a connection back after the end, or asks for one then, has it closed behind it; SQLAlchemy's own
    pool would leave it to the collector.
    """

    _is_closed = False

    def dispose(self) -> None:
        """Close every idle connection now, and each that is in use when it comes back."""
        self._is_closed = True
        super().dispose()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        if self._is_closed:  # asked only now: the end may have come while it was put back
            super().dispose()
