"""The tables and statements of the embedded store.

account   what the gate knows of an account; a state with a lower version never replaces a newer one
session   one row per session; is_ended never goes back to 0, generation never down, and an ended session may be here
          without an account
key       one row per API key; the same promises as of sessions and accounts; networks are words of bits
window    one row per partition and counter; ``entries`` is the row of window.py or counters.py; a row is dead
          once expires_at_ms has passed, because nothing in it counts any more; in the partition ``held`` the counter
          is the name of what is held, and the row says since when
Times are milliseconds since the epoch, from the store's clock.
"""

import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (
    subject TEXT PRIMARY KEY, tier TEXT NOT NULL, is_active INTEGER NOT NULL, version INTEGER NOT NULL,
    limits TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
    session_id TEXT PRIMARY KEY, subject TEXT NOT NULL, expires_at_ms INTEGER NOT NULL, is_ended INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0, idle_ends_at_ms INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_expiry ON session (expires_at_ms);
CREATE TABLE IF NOT EXISTS key (
    key_id TEXT PRIMARY KEY, subject TEXT NOT NULL, digest BLOB NOT NULL, scopes TEXT NOT NULL,
    expires_at_ms INTEGER, is_ended INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 0,
    networks TEXT NOT NULL DEFAULT '', limits TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS window (
    partition TEXT NOT NULL, counter TEXT NOT NULL, entries BLOB NOT NULL, expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (partition, counter)
);
"""

FIND_SESSION = """
SELECT s.subject, s.is_ended, s.expires_at_ms, s.generation, s.idle_ends_at_ms, a.tier, a.is_active, a.limits
FROM session s LEFT JOIN account a ON a.subject = s.subject WHERE s.session_id = ?
"""
FIND_KEY = """
SELECT k.subject, k.is_ended, k.expires_at_ms, a.tier, a.is_active, a.limits, k.digest, k.scopes, k.networks,
    k.limits AS key_limits
FROM key k LEFT JOIN account a ON a.subject = k.subject WHERE k.key_id = ?
"""
FIND_WINDOW = "SELECT entries FROM window WHERE partition = ? AND counter = ?"

PUT_ACCOUNT = """
INSERT INTO account (subject, tier, is_active, version, limits) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (subject) DO UPDATE SET tier = excluded.tier, is_active = excluded.is_active, version = excluded.version,
    limits = excluded.limits
WHERE excluded.version >= account.version
"""
PUT_SESSION = """
INSERT INTO session (session_id, subject, expires_at_ms, is_ended, generation, idle_ends_at_ms)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (session_id) DO UPDATE SET
    subject = excluded.subject, expires_at_ms = excluded.expires_at_ms, is_ended = max(is_ended, excluded.is_ended),
    generation = max(generation, excluded.generation),
    idle_ends_at_ms =
        coalesce(max(idle_ends_at_ms, excluded.idle_ends_at_ms), idle_ends_at_ms, excluded.idle_ends_at_ms)
"""
PUT_KEY = """
INSERT INTO key (key_id, subject, digest, scopes, networks, limits, expires_at_ms, is_ended, version)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key_id) DO UPDATE SET
    is_ended = max(is_ended, excluded.is_ended),
    (subject, digest, scopes, networks, limits, expires_at_ms, version) = (
        SELECT excluded.subject, excluded.digest, excluded.scopes, excluded.networks, excluded.limits,
            excluded.expires_at_ms, excluded.version
        WHERE excluded.version >= key.version
        UNION ALL
        SELECT key.subject, key.digest, key.scopes, key.networks, key.limits, key.expires_at_ms, key.version
        WHERE excluded.version < key.version
    )
"""
PUT_WINDOW = """
INSERT INTO window (partition, counter, entries, expires_at_ms) VALUES (?, ?, ?, ?)
ON CONFLICT (partition, counter) DO UPDATE SET entries = excluded.entries, expires_at_ms = excluded.expires_at_ms
"""

# Never down, and an idle end never beyond the end.
KEEP_GENERATION = """
UPDATE session SET generation = max(generation, ?), idle_ends_at_ms = coalesce(min(expires_at_ms, ?), idle_ends_at_ms)
WHERE session_id = ?
"""
END_SESSION = """
INSERT INTO session (session_id, subject, expires_at_ms, is_ended) VALUES (?, ?, ?, 1)
ON CONFLICT (session_id) DO UPDATE SET is_ended = 1
"""
END_KEY = """
INSERT INTO key (key_id, subject, digest, scopes, expires_at_ms, is_ended) VALUES (?, ?, x'', '', NULL, 1)
ON CONFLICT (key_id) DO UPDATE SET is_ended = 1
"""

DROP_WINDOW = "DELETE FROM window WHERE partition = ? AND counter = ?"
RESET_PARTITION = "DELETE FROM window WHERE partition = ?"
# A few rows at a time: sweeping rides on ordinary decisions and must stay unnoticed. Windows are walked by row and not
# by an index of their expiry, because every decision would have to write that index too.
SWEEP_WINDOWS = "DELETE FROM window WHERE rowid > ? AND rowid <= ? AND expires_at_ms <= ?"
LAST_WINDOW = "SELECT max(rowid) FROM window"
SWEEP_SESSIONS = (
    "DELETE FROM session WHERE session_id IN"
    " (SELECT session_id FROM session WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT 64)"
)

_HAS_COLUMN = "SELECT count(*) FROM pragma_table_info(?) WHERE name = ?"
PING = "SELECT 1 FROM account LIMIT 1"

_ADDED = (
    ("account", "limits", "TEXT NOT NULL DEFAULT ''"),
    ("session", "generation", "INTEGER NOT NULL DEFAULT 0"),
    ("session", "idle_ends_at_ms", "INTEGER"),
    ("key", "version", "INTEGER NOT NULL DEFAULT 0"),
    ("key", "networks", "TEXT NOT NULL DEFAULT ''"),
    ("key", "limits", "TEXT NOT NULL DEFAULT ''"),
)


def make_tables(connection: sqlite3.Connection) -> None:
    """Make what is missing: every table in a new file, later columns in an older one."""
    connection.executescript(SCHEMA)
    connection.execute("BEGIN IMMEDIATE")
    for table, column, kind in _ADDED:
        (is_there,) = connection.execute(_HAS_COLUMN, (table, column)).fetchone()
        if not is_there:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
    connection.execute("COMMIT")
