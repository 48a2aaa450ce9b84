"""The gate: who may, and how often. A library of its own."""
