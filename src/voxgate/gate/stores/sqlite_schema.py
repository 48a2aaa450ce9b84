"""The tables and statements of the embedded store.

account   what the gate knows of an account; a state with a lower version never replaces a newer one
session   one row per session; is_ended never goes back to 0, and an ended session may be here without an account
key       one row per API key; the same promise
window    one row per partition and counter; ``entries`` is the row of window.py or counters.py; a row is dead
          once expires_at_ms has passed, because nothing in it counts any more
Times are milliseconds since the epoch, from the store's clock.
"""

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (
    subject TEXT PRIMARY KEY, tier TEXT NOT NULL, is_active INTEGER NOT NULL, version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
    session_id TEXT PRIMARY KEY, subject TEXT NOT NULL, expires_at_ms INTEGER NOT NULL, is_ended INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_expiry ON session (expires_at_ms);
CREATE TABLE IF NOT EXISTS key (
    key_id TEXT PRIMARY KEY, subject TEXT NOT NULL, digest BLOB NOT NULL, scopes TEXT NOT NULL,
    expires_at_ms INTEGER, is_ended INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS window (
    partition TEXT NOT NULL, counter TEXT NOT NULL, entries BLOB NOT NULL, expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (partition, counter)
);
"""

FIND_SESSION = """
SELECT s.subject, s.is_ended, s.expires_at_ms, a.tier, a.is_active
FROM session s LEFT JOIN account a ON a.subject = s.subject WHERE s.session_id = ?
"""
FIND_KEY = """
SELECT k.subject, k.is_ended, k.expires_at_ms, a.tier, a.is_active, k.digest, k.scopes
FROM key k LEFT JOIN account a ON a.subject = k.subject WHERE k.key_id = ?
"""
FIND_WINDOW = "SELECT entries FROM window WHERE partition = ? AND counter = ?"

PUT_ACCOUNT = """
INSERT INTO account (subject, tier, is_active, version) VALUES (?, ?, ?, ?)
ON CONFLICT (subject) DO UPDATE SET tier = excluded.tier, is_active = excluded.is_active, version = excluded.version
WHERE excluded.version >= account.version
"""
PUT_SESSION = """
INSERT INTO session (session_id, subject, expires_at_ms, is_ended) VALUES (?, ?, ?, ?)
ON CONFLICT (session_id) DO UPDATE SET
    subject = excluded.subject, expires_at_ms = excluded.expires_at_ms, is_ended = max(is_ended, excluded.is_ended)
"""
PUT_KEY = """
INSERT INTO key (key_id, subject, digest, scopes, expires_at_ms, is_ended) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key_id) DO UPDATE SET
    subject = excluded.subject, digest = excluded.digest, scopes = excluded.scopes,
    expires_at_ms = excluded.expires_at_ms, is_ended = max(is_ended, excluded.is_ended)
"""
PUT_WINDOW = """
INSERT INTO window (partition, counter, entries, expires_at_ms) VALUES (?, ?, ?, ?)
ON CONFLICT (partition, counter) DO UPDATE SET entries = excluded.entries, expires_at_ms = excluded.expires_at_ms
"""

END_SESSION = """
INSERT INTO session (session_id, subject, expires_at_ms, is_ended) VALUES (?, ?, ?, 1)
ON CONFLICT (session_id) DO UPDATE SET is_ended = 1
"""
END_KEY = """
INSERT INTO key (key_id, subject, digest, scopes, expires_at_ms, is_ended) VALUES (?, ?, x'', '', NULL, 1)
ON CONFLICT (key_id) DO UPDATE SET is_ended = 1
"""

RESET_PARTITION = "DELETE FROM window WHERE partition = ?"
# A few rows at a time: sweeping rides on ordinary decisions and must stay unnoticed. Windows are walked by row and not
# by an index of their expiry, because every decision would have to write that index too.
SWEEP_WINDOWS = "DELETE FROM window WHERE rowid > ? AND rowid <= ? AND expires_at_ms <= ?"
LAST_WINDOW = "SELECT max(rowid) FROM window"
SWEEP_SESSIONS = (
    "DELETE FROM session WHERE session_id IN"
    " (SELECT session_id FROM session WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT 64)"
)

PING = "SELECT 1 FROM account LIMIT 1"
