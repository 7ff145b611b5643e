"""Benchmarks: evaluators that look a real table up. One file each."""
