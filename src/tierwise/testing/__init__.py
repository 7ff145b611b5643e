"""Published conformance suites: what every plugin of a kind must do, as plain functions for any test runner.

    from tierwise.testing import check_strategy

    def test_mine():
        check_strategy(MyStrategy, space)

A suite runs all its checks and raises one AssertionError that names each failing check, what was expected and
what was seen. ``expected_failures=("name_of_check",)`` documents a deviation: that check must really fail.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tierwise.testing.encoding import check_encoding
    from tierwise.testing.evaluator import check_evaluator
    from tierwise.testing.executor import check_executor
    from tierwise.testing.optimiser import check_optimiser
    from tierwise.testing.predictor import check_predictor
    from tierwise.testing.space import check_space
    from tierwise.testing.strategy import check_strategy
    from tierwise.testing.suite import NotConforming

# loaded when first used, so that a worker process of check_executor starts without everything else
_HOME = {
    "NotConforming": "suite",
    "check_encoding": "encoding",
    "check_evaluator": "evaluator",
    "check_executor": "executor",
    "check_optimiser": "optimiser",
    "check_predictor": "predictor",
    "check_space": "space",
    "check_strategy": "strategy",
}
__all__ = [
    "NotConforming",
    "check_encoding",
    "check_evaluator",
    "check_executor",
    "check_optimiser",
    "check_predictor",
    "check_space",
    "check_strategy",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tierwise.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tierwise.testing.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__]
