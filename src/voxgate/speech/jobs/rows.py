"""Transactions of the queue and the rows that come out of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from voxgate.speech.jobs.base import Job, JobState, JobsUnavailableError


@contextmanager
def open_transaction(engine: Engine) -> Iterator[Connection]:
    """Open one transaction; its trouble is told without the statement's parameters, hence without anybody's text."""
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        # PostgreSQL quotes the row from the second line on.
        raise JobsUnavailableError(str(error.orig).partition("\n")[0]) from None
    except PoolTimeoutError as error:
        raise JobsUnavailableError(f"no connection: {error}") from error


def job_of(row: Row[tuple[object, ...]]) -> Job:
    """Return a row as the job that it is."""
    values = {**row._mapping}  # noqa: SLF001 -- SQLAlchemy's public name for a row as a mapping
    values["state"] = JobState(values["state"])
    return Job(**values)
