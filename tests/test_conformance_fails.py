"""The suites can fail: every check of every suite finds the plugin that breaks it, and passes a sound one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import broken_plugins as plugins
from tests.small_spaces import Costed, tiny
from tierwise.encodings.onehot import OneHot
from tierwise.errors import UnknownName
from tierwise.testing import (
    NotConforming,
    check_encoding,
    check_evaluator,
    check_executor,
    check_predictor,
    check_space,
    check_strategy,
    encoding,
    evaluator,
    executor,
    predictor,
    space,
    strategy,
)

COSTED = tiny(cls=Costed)


def expect_failure(name: str, suite: Callable[..., None], *arguments: Any, **settings: Any) -> None:
    with pytest.raises(NotConforming) as caught:
        suite(*arguments, **settings)
    assert name in caught.value.failures, f"another check failed instead: {caught.value}"
    assert f"{name}: " in str(caught.value)
    suite(*arguments, **settings, expected_failures=tuple(caught.value.failures))  # documented, they are no failure


@pytest.mark.parametrize("name", plugins.SPACES)
def test_broken_space(name: str) -> None:
    expect_failure(name, check_space, plugins.broken_space(name))


@pytest.mark.parametrize("name", plugins.ENCODINGS)
def test_broken_encoding(name: str) -> None:
    expect_failure(name, check_encoding, plugins.broken(OneHot, **plugins.ENCODINGS[name])(), COSTED)


@pytest.mark.parametrize("name", plugins.PREDICTORS)
def test_broken_predictor(name: str) -> None:
    make = plugins.broken(plugins.Linear, **plugins.PREDICTORS[name])
    expect_failure(name, check_predictor, make, COSTED, op="conv3x3")


@pytest.mark.filterwarnings("ignore:strategy proposed known")  # the study says so too
@pytest.mark.parametrize("name", plugins.STRATEGIES)
def test_broken_strategy(name: str) -> None:
    expect_failure(name, check_strategy, plugins.STRATEGIES[name], COSTED)


@pytest.mark.parametrize("name", plugins.EVALUATORS)
def test_broken_evaluator(name: str) -> None:
    expect_failure(name, check_evaluator, plugins.EVALUATORS[name](), tiny())


@pytest.fixture
def orphan() -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        plugins.Orphaning.pid = process.pid
        yield
        process.kill()


@pytest.mark.usefixtures("orphan")
@pytest.mark.parametrize("name", plugins.EXECUTORS)
def test_broken_executor(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "GRACE", 0.2)
    check = next(check for check in executor.CHECKS if check.__name__ == name)
    with pytest.raises(AssertionError, match="expected"):  # this check alone: the others would start processes as well
        check(executor.ExecutorCase(plugins.EXECUTORS[name]))


def test_sound_ones_pass() -> None:
    check_space(COSTED)
    check_encoding(OneHot(), COSTED)
    check_predictor(plugins.Linear, COSTED, op="conv3x3")
    check_strategy(plugins.Plain, COSTED)
    check_evaluator(plugins.Sound(), tiny())
    check_evaluator(plugins.sound, tiny())
    check_executor(plugins.inline)


@pytest.mark.parametrize(
    ("suite", "faults"),
    [
        (space, plugins.SPACES),
        (encoding, plugins.ENCODINGS),
        (predictor, plugins.PREDICTORS),
        (strategy, plugins.STRATEGIES),
        (evaluator, plugins.EVALUATORS),
        (executor, plugins.EXECUTORS),
    ],
)
def test_every_check_has_a_plugin_that_breaks_it(suite: Any, faults: dict[str, Any]) -> None:
    assert sorted(check.__name__ for check in suite.CHECKS) == sorted(faults)


def test_expected_failures_must_be_checks_and_must_fail() -> None:
    with pytest.raises(UnknownName, match="pickle_round_trip"):
        check_space(COSTED, expected_failures=["pickle_round_tripp"])
    with pytest.raises(NotConforming, match="take it out of expected_failures"):
        check_space(COSTED, expected_failures=["pickle_round_trip"])


def test_a_failure_names_check_expectation_and_observation() -> None:
    with pytest.raises(NotConforming, match=r"text_round_trip: .*expected.*") as caught:
        check_space(plugins.broken_space("text_round_trip"))
    assert caught.value.suite == "check_space"
    assert isinstance(caught.value, AssertionError)
