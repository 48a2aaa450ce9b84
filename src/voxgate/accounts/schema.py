"""The schema of the database: written at once into an empty file, and otherwise changed step by step, by Alembic."""

from pathlib import Path

from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
WHOLE = MIGRATIONS / "whole.sql"
"""What the migrations make of an empty file, made from them by `./dev docs`; a test compares."""

_BETWEEN = ";\n\n"
_EVERYTHING = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"


def head_revision() -> str:
    """Return the newest revision, read from the file names: importing Alembic would cost a third of a second."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def upgrade(connection: Connection) -> None:
    """Bring the schema to this version, within the transaction of the caller, who holds the lock for it."""
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql(_EVERYTHING).first() is None:
        for statement in WHOLE.read_text(encoding="utf-8").split(_BETWEEN):
            connection.exec_driver_sql(statement)
    else:
        migrate(connection)


def migrate(connection: Connection) -> None:
    """Run every migration that the database has not seen yet, within the transaction of the caller."""
    from alembic import command  # noqa: PLC0415 -- costs a third of a second and is rarely needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def write_out(connection: Connection) -> str:
    """Return the statements that make an empty file what a fresh one of SQLite is now."""
    made = connection.exec_driver_sql(_EVERYTHING).scalars().all()
    stamp = f"INSERT INTO alembic_version VALUES ('{head_revision()}')"  # noqa: S608 -- the name of a file of ours
    return _BETWEEN.join([*made, stamp]) + "\n"
