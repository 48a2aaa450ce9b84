"""Benchmarks: what a guarded request costs, here and in the parts that people use today."""
