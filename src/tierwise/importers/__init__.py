"""Readers of the files that benchmarks are published in; ``convert.add`` makes Parquet tables of them, once."""
