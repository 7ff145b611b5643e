"""Every installed plugin of every kind passes its published suite, on NAS-Bench-201 and on other spaces."""

from __future__ import annotations

from typing import Any

import pytest

from tests.small_spaces import Costed, Flat, tiny
from tierwise import registry
from tierwise.space import Space
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import (
    check_encoding,
    check_evaluator,
    check_executor,
    check_predictor,
    check_space,
    check_strategy,
)

SPACES: dict[str, Space] = {"nasbench201": NASBench201(), "tiny": tiny(cls=Costed)}
# settings with which a plugin is quick; everything else runs with its defaults
QUICK: dict[tuple[str, str], dict[str, Any]] = {
    ("predictor", "nar"): {
        "d_model": 16, "heads": 2, "d_k": 8, "layers": 1, "ffn": 32, "tier_hidden": 16, "score_hidden": 32,
        "flops_scale": 1e6, "params_scale": 1e4,  # so small a network learns little from unscaled costs
        "n_tiers": 3, "bins": 3, "epochs": 12, "batch": 20, "lr_factor": 0.3, "dropout": 0.0,
    },
    ("executor", "local"): {"workers": 2},
}  # fmt: skip


def names(kind: registry.Kind) -> list[str]:
    found = list(registry.installed(kind))
    assert found, f"no {kind} is installed: reinstall the package to refresh its entry points"
    return found


def make(kind: registry.Kind, name: str) -> Any:
    return registry.make(kind, name, **QUICK.get((kind, name), {}))


@pytest.mark.parametrize("name", names("space"))
def test_space(name: str) -> None:
    check_space(make("space", name))


@pytest.mark.parametrize("space", [tiny(), tiny(5), tiny(cls=Costed), Flat()], ids=repr)
def test_spaces_of_other_sizes(space: Space) -> None:
    check_space(space)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", names("encoding"))
def test_encoding(name: str, space: str) -> None:
    check_encoding(make("encoding", name), SPACES[space])


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", names("predictor"))
def test_predictor(name: str, space: str) -> None:
    check_predictor(lambda: make("predictor", name), SPACES[space], op=SPACES[space].choices[0].options[3])


@pytest.mark.parametrize("space", ["nasbench201", "tiny without costs"])
@pytest.mark.parametrize("name", names("strategy"))
def test_strategy(name: str, space: str) -> None:
    check_strategy(lambda: make("strategy", name), SPACES.get(space, tiny()))


@pytest.mark.parametrize("name", ["evolution", "random"])
def test_strategy_on_a_space_too_large_to_list(name: str) -> None:
    check_strategy(lambda: make("strategy", name), Flat())


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "imagenet16-120"])
@pytest.mark.parametrize("name", names("benchmark"))
def test_benchmark(name: str, dataset: str) -> None:
    benchmark = registry.make("benchmark", name, dataset=dataset)
    check_evaluator(benchmark, benchmark.space, archs=20)


@pytest.mark.parametrize("name", names("executor"))
def test_executor(name: str) -> None:
    check_executor(lambda: make("executor", name))
