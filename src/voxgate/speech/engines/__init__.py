"""Engines: what makes audio of one segment; reached only through their registry."""
