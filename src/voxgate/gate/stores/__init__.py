"""Stores of the gate, and the one way to open them."""
