"""Benchmark claims: a TOML file that says what is measured and what must come out, its run and its page."""

from tierwise.harness.report import report
from tierwise.harness.run import Result, run_claim

__all__ = ["Result", "report", "run_claim"]
