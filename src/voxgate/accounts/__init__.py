"""Who exists: accounts, sessions and keys in SQL, the source of truth."""
