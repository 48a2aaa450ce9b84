"""Statements that are written out once: SQLAlchemy builds each one, and from then on the driver is handed its text.

To run a statement through SQLAlchemy takes ten times as long as SQLite needs for it, and every job needs several.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler


@dataclass(frozen=True, slots=True)
class _Written:
    """A statement as one kind of driver takes it.

    Attributes:
        sql: Its text.
        fixed: The values that stand in it, by name.
        order: The names of all its values where the driver takes them by their place; None where by their name.
    """

    sql: str
    fixed: Mapping[str, object]
    order: Sequence[str] | None


class Prepared:
    """One statement; safe to share between threads.

    Its values go to the driver as they are given, so they are plain: numbers, texts, None.

    Attributes:
        statement: The statement as SQLAlchemy builds it.
    """

    def __init__(self, statement: Executable) -> None:
        """Take a statement; it is written out when it is first needed."""
        self.statement: Any = statement
        self._written: dict[str, _Written] = {}

    def bound(self, dialect: Dialect, given: Mapping[str, object]) -> tuple[str, Any]:
        """Return the text for a database, and the values as its driver takes them; none may be missing."""
        written = self._written.get(dialect.name) or self._write(dialect)
        values = {**written.fixed, **given}
        if written.order is None:
            return written.sql, values
        return written.sql, [values[name] for name in written.order]

    def _write(self, dialect: Dialect) -> _Written:
        compiled: SQLCompiler = self.statement.compile(dialect=dialect)
        asked = {name for name, bind in compiled.binds.items() if bind.required}
        fixed = {name: value for name, value in compiled.params.items() if name not in asked}
        order = tuple(compiled.positiontup or ()) if compiled.positional else None
        written = self._written[dialect.name] = _Written(compiled.string, fixed, order)
        return written
