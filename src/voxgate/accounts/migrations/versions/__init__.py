"""One file per change; the number that starts its name is its revision."""
