"""Every installed plugin of every kind passes its published suite, on NAS-Bench-201 and on other spaces."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DATA
from tests.small_networks import Built
from tests.small_spaces import Costed, Flat, Unordered, tiny
from tests.training import small
from tierwise import registry, zero_cost
from tierwise.importers.convert import add
from tierwise.importers.plain import PlainTable
from tierwise.space import Space
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.testing import (
    check_encoding,
    check_evaluator,
    check_executor,
    check_optimiser,
    check_predictor,
    check_space,
    check_strategy,
    executor,
)

EXAMPLES = Path(__file__).parents[1] / "examples"
SPACES: dict[str, Space] = {"nasbench201": NASBench201(), "tiny": tiny(cls=Costed)}
# settings with which a plugin is quick; everything else runs with its defaults
QUICK: dict[tuple[str, str], dict[str, Any]] = {
    ("predictor", "nar"): {
        "d_model": 16, "heads": 2, "d_k": 8, "layers": 1, "ffn": 32, "tier_hidden": 16, "score_hidden": 32,
        "flops_scale": 1e6, "params_scale": 1e4,  # so small a network learns little from unscaled costs
        "n_tiers": 3, "bins": 3, "epochs": 12, "batch": 20, "lr_factor": 0.3, "dropout": 0.0,
    },
    ("predictor", "graph_network"): {"steps": 40, "members": 2, "width": 24},
    ("predictor", "ctnas"): {"steps": 40, "members": 2, "width": 24},
    ("predictor", "acenas"): {"steps": 40, "pretraining_steps": 20, "members": 2, "width": 24},
    ("predictor", "graph_transformer"): {"steps": 40, "members": 2, "layers": 2, "width": 16, "learning_rate": 0.01},
    ("predictor", "weaknas"): {"hidden": (64, 64), "trees": 40},
    ("predictor", "arch2vec"): {"pretraining_epochs": 1},
    ("predictor", "stacking"): {"predictors": ("gp", "forest"), "folds": 3},
    ("predictor", "assessor"): {"steps": 40, "members": 2, "width": 32, "unlabelled": 64},
    ("predictor", "general"): {
        "unlabelled": 64, "pretraining_steps": 10, "steps": 40, "members": 1, "width": 24, "layers": 3,
    },
    ("encoding", "arch2vec"): {"epochs": 1},
    ("strategy", "acenas"): {"predictor": "forest", "pool": 200},
    ("strategy", "arch2vec-bo"): {"pretraining_epochs": 1, "draws": 500},
    ("strategy", "arch2vec-rl"): {"pretraining_epochs": 1, "draws": 500},
    ("strategy", "ctnas"): {"iterations": 2},
    ("strategy", "dcnas"): {"pool": 100, "clusters": 4},
    ("strategy", "lissnas"): {"sample": 200, "seeds": 10},
    ("strategy", "novelty"): {"passes": 3, "candidates": 100},
    ("strategy", "ranknas"): {"draws": 2_000},
    ("strategy", "weaknas"): {"predictor": "forest", "draws": 2_000},
    ("executor", "local"): {"workers": 2},
    ("executor", "slurm"): {"workers": 2, "cluster": "local", "folder": tempfile.mkdtemp()},
}  # fmt: skip


def names(kind: registry.Kind) -> list[str]:
    found = list(registry.installed(kind))
    assert found, f"no {kind} is installed: reinstall the package to refresh its entry points"
    return found


def make(kind: registry.Kind, name: str, **more: Any) -> Any:
    return registry.make(kind, name, **QUICK.get((kind, name), {}), **more)


@pytest.mark.parametrize("name", names("space"))
def test_space(name: str) -> None:
    check_space(make("space", name))


@pytest.mark.parametrize("space", [tiny(), tiny(5), tiny(cls=Costed), Flat(), Unordered()], ids=repr)
def test_spaces_of_other_sizes(space: Space) -> None:
    check_space(space)


# what is made of recorded numbers or of another predictor has no default; its own tests run the suite
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", sorted({*names("encoding")} - {"columns", "predicted", *zero_cost.installed()}))
def test_encoding(name: str, space: str) -> None:
    check_encoding(make("encoding", name), SPACES[space])


def four(space: Space) -> Space:
    """Four cells of it: a proxy builds and runs every network."""
    for k, choice in enumerate(space.choices):
        space = space.narrow(choice.path, [choice.options[3], *choice.options[:1]][: 2 if k < 2 else 1])
    return space


@pytest.mark.parametrize("space", [four(NASBench201()), four(tiny(cls=Built))], ids=repr)
@pytest.mark.parametrize("name", zero_cost.installed())
def test_proxy(name: str, space: Space) -> None:
    check_encoding(registry.make("encoding", name, batch=4, classes=4, shape=(3, 4, 4)), space)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", names("predictor"))
def test_predictor(name: str, space: str) -> None:
    alone = {"members": ()} if (name, space) == ("auto", "tiny") else {}  # all of it on the other space
    check_predictor(lambda: make("predictor", name, **alone), SPACES[space], op=SPACES[space].choices[0].options[3])


@pytest.mark.parametrize("name", names("strategy"))
def test_strategy(name: str) -> None:
    check_strategy(lambda: make("strategy", name), tiny())


# the slow ones' own tests run the suite on this space, with smaller predictors
@pytest.mark.parametrize(
    "name", sorted({*names("strategy")} - {"arch2vec-bo", "arch2vec-rl", "ctnas", "lissnas", "ranknas"})
)
def test_strategy_on_a_benchmark(name: str) -> None:
    check_strategy(lambda: make("strategy", name), SPACES["nasbench201"])


@pytest.mark.parametrize("name", ["evolution", "random"])
def test_strategy_on_a_space_too_large_to_list(name: str) -> None:
    check_strategy(lambda: make("strategy", name), Flat())


# what draws for each candidate finds something else where candidates stand in another order
DRAWN = ("balenas", "fair", "gdas", "ista", "zarts")


@pytest.mark.parametrize("name", names("optimiser"))
def test_optimiser(name: str) -> None:
    failing = ["permuted_candidates_permute_the_weights"] if name in DRAWN else []
    check_optimiser(lambda: make("optimiser", name), expected_failures=failing)


TASKS = ("stereo", "textline")  # of data that are made here
# every benchmark that is there without a file of somebody else's; those of added files follow below
BENCHMARKS: list[tuple[str, dict[str, Any]]] = [
    *(("nasbench201", {"dataset": dataset}) for dataset in ("cifar10", "cifar100", "imagenet16-120")),
    ("nasbench201", {"label": "validation#noise"}),
    *(("nasbench-graph", {"dataset": dataset}) for dataset in ("cora", "proteins")),
    ("mnist1d", {"label": "validation#noise"}),
    ("own", {"space": str(EXAMPLES / "own_table.toml"), "table": str(EXAMPLES / "own_table.csv")}),
    (
        "train",
        {
            "space": str(EXAMPLES / "own_dataset.toml"),
            "data": f"{Path(small.__file__)}:few",
            "classes": 10,
            "training": {"epochs": 1},
        },
    ),
    ("oneshot", {"template": "small", "data": "digits", "shared": {"epochs": 1, "calibration": 64, "evaluated": 100}}),
    *((name, {"train": 8, "validation": 4, "test": 4, "training": {"epochs": 1, "batch": 8}}) for name in TASKS),
]
ADDED = {
    "nasbench101": ("nb101.npz", {"table": "nasbench101-sample", "label": "validation@36"}),
    "nats-bench-topology": ("nb201.npz", {"table": "nasbench201-npz", "label": "test@12"}),
    "nats-bench-size": (None, {}),
}


@pytest.mark.parametrize(("name", "settings"), BENCHMARKS, ids=str)
def test_benchmark(name: str, settings: dict[str, Any]) -> None:
    benchmark = registry.make("benchmark", name, **settings)
    trained = name in ("train", "oneshot", *TASKS)
    check_evaluator(benchmark, benchmark.space, objective=next(iter(benchmark.metrics)), archs=4 if trained else 20)


@pytest.mark.parametrize("name", ADDED)
def test_benchmark_of_an_added_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    file, settings = ADDED[name]
    if file is None:  # of sizes there are no results that a test may read: these are made up, and only looked up
        path = tmp_path / "sizes.csv"
        path.write_text("architecture,accuracy\n" + "".join(f"{8 * k}:8:16:24:{8 * k},{50 + k}\n" for k in range(1, 9)))
        add([path], among=[PlainTable(name, name)])
    elif not (DATA / file).is_file():
        pytest.skip(f"no {file} in {DATA}: set TIERWISE_DATA to the folder that holds it")
    else:
        add([DATA / file])
    benchmark = registry.make("benchmark", name, **settings)
    check_evaluator(benchmark, benchmark.space, archs=8)


def test_every_benchmark_is_checked() -> None:
    assert set(names("benchmark")) == {name for name, _ in BENCHMARKS} | set(ADDED)


RAY = """
import ray
from tierwise import make
from tierwise.testing import check_executor
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")  # once, not for every check
theirs = ["no_process_is_left_over"]  # of a cluster that somebody else has started; see test_engines.py
check_executor(lambda: make("executor", "ray", workers=2), expected_failures=theirs)
"""


@pytest.mark.parametrize("name", names("executor"))
def test_executor(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "ray":  # in a process of its own: Ray ends that of its driver when it is not well
        done = subprocess.run([sys.executable, "-c", RAY], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return
    if name == "slurm":  # every task is a process that has to start
        monkeypatch.setattr(executor, "TASKS", 8)
    check_executor(lambda: make("executor", name))
