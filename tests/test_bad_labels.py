"""Labels and questions that cannot be right: refused by name, or mended and said, by every way in."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.conftest import Cli, cli  # noqa: F401  the fixture
from tests.small_spaces import Costed, Flat, tiny
from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.benchmarks.own import load
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.predictor import Predictor, RepeatedLabels, check_labels, space_key
from tierwise.spaces.nasbench101 import NASBench101
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.spaces.subset import Subset
from tierwise.study import Study

SPACE = NASBench201()
TRAIN = SPACE.at(range(0, 15_625, 200))
EXAMPLE = Path(__file__).parents[1] / "examples"


def fitted(name: str = "forest") -> Any:
    return registry.make("predictor", name).fit(TRAIN, (TRAIN.genes == 3).sum(1))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.floats(-100, 100)), min_size=4, max_size=40))
def test_repeated_architectures_have_the_mean_of_their_labels(pairs: list[tuple[int, float]]) -> None:
    cells, y = [cell for cell, _ in pairs], np.array([label for _, label in pairs])
    wanted = {cell: y[np.array(cells) == cell].mean() for cell in cells}  # in the order of first appearance
    differ = sum(len(set(y[np.array(cells) == cell].tolist())) > 1 for cell in cells)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows, labels = check_labels(SPACE.at(cells), y, least=1)
    assert SPACE.index(rows).tolist() == list(wanted)
    assert labels == pytest.approx(np.array(list(wanted.values())), abs=1e-9)
    assert [one.category for one in caught] == [RepeatedLabels] * (differ > 0)
    assert all(f"{differ} rows" in str(one.message) for one in caught)


def test_repeats_that_agree_are_exact_and_nothing_is_said() -> None:
    rows, labels = check_labels(SPACE.at([5, 9, 5, 2, 5]), [0.1, 0.2, 0.1, 0.3, 0.1], least=3)
    assert labels.tolist() == [0.1, 0.2, 0.3]
    assert len(rows) == 3


def test_repeats_do_not_make_labels_enough() -> None:
    with pytest.raises(BadSetting, match="at least 4"):
        check_labels(SPACE.at([5, 9, 5, 5]), [1.0, 2.0, 1.0, 1.0])


def test_repeats_are_found_in_a_space_too_large_for_numbers() -> None:
    archs = Flat().sample(6, np.random.default_rng(0))
    twice = Architectures(archs.space, np.concatenate([archs.genes, archs.genes[:2]]))
    with pytest.warns(RepeatedLabels, match="4 rows repeat 2 architectures"):
        rows, labels = check_labels(twice, [0.0, 1, 2, 3, 4, 5, 1, 2])
    assert labels.tolist() == [0.5, 1.5, 2, 3, 4, 5]
    assert (rows.genes == archs.genes).all()


@pytest.mark.parametrize("name", ["tier", "gp", "stacking", "graph_network"])
def test_a_predictor_asked_about_another_space_names_both(name: str) -> None:
    settings = {"graph_network": {"steps": 5, "members": 1}, "tier": {"steps": 5}}.get(name, {})
    predictor = registry.make("predictor", name, **settings).fit(TRAIN, (TRAIN.genes == 3).sum(1))
    other = NASBench101().sample(3, np.random.default_rng(0))
    for method in {"predict", "predict_tier", "predict_tier_proba"} & set(dir(predictor)):
        with pytest.raises(BadSetting, match=r"nasbench101.*nasbench201"):
            getattr(predictor, method)(other)


def test_the_same_name_with_other_choices_is_another_space() -> None:
    archs = tiny(cls=Costed).enumerate()
    predictor = registry.make("predictor", "forest").fit(archs, archs.genes.sum(1))
    with pytest.raises(BadSetting, match="tiny with other choices"):
        predictor.predict(tiny(4, cls=Costed).at([3]))


def test_parts_of_a_space_are_no_other_space() -> None:
    predictor = fitted()
    narrowed = SPACE.narrow("cell/0-1", ["nor_conv_3x3"])
    part = Subset(SPACE, SPACE.at([7, 9, 6111]))
    whole = predictor.predict(SPACE.at([7, 9, 6111]))
    assert (predictor.predict(part.enumerate()) == whole).all()
    assert np.isfinite(predictor.predict(narrowed.enumerate())).all()
    assert space_key(part) == space_key(narrowed) == space_key(SPACE)


def test_a_predictor_learns_another_space_anew() -> None:
    predictor = fitted()
    other = NASBench101().sample(12, np.random.default_rng(0))
    assert np.isfinite(predictor.fit(other, np.arange(12.0)).predict(other)).all()
    with pytest.raises(BadSetting, match="nasbench101, which this Forest"):
        predictor.predict(TRAIN)


def test_a_predictor_for_any_space_is_asked_about_any() -> None:
    class Constant(Predictor):
        any_space = True

        def fit(self, archs: Any, y: Any) -> Any:
            check_labels(archs, y)
            return self

        def predict(self, archs: Any, return_std: bool = False) -> Any:
            return np.zeros(len(archs))

    predictor = Constant().fit(TRAIN, np.arange(len(TRAIN)))
    assert len(predictor.predict(NASBench101().sample(3, np.random.default_rng(0)))) == 3


def test_an_operation_that_is_none_is_refused_by_text_and_by_gene() -> None:
    with pytest.raises(BadArchitecture):
        SPACE.parse("|nor_conv_9x9~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    genes = TRAIN.genes.copy()
    genes[4, 2] = 5
    for ask in (fitted().predict, lambda archs: registry.make("predictor", "forest").fit(archs, np.arange(len(archs)))):
        with pytest.raises(BadArchitecture, match=r"row 4.*nasbench201"):
            ask(Architectures(SPACE, genes))


def test_a_saved_predictor_knows_its_space_and_an_older_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "forest.npz"
    predictor = fitted()
    predictor.save(path)
    with pytest.raises(BadSetting, match=r"nasbench101.*nasbench201"):
        type(predictor).load(path).predict(NASBench101().sample(2, np.random.default_rng(0)))
    with np.load(path) as saved:
        arrays = {name: saved[name] for name in saved.files}
    head = json.loads(str(arrays["__head__"]))
    del head["space"]
    arrays["__head__"] = np.array(json.dumps(head))
    np.savez(path, **arrays)
    assert (type(predictor).load(path).predict(TRAIN) == predictor.predict(TRAIN)).all()


def test_the_command_refuses_a_model_of_another_space(cli: Cli) -> None:  # noqa: F811
    fitted().save("forest.npz")
    Path("cells.txt").write_text("nasbench201/3-3-3-3-3-3\n")
    code, _, err = cli(
        "rank", "--predictor", "forest", "--model", "forest.npz", "--space", "nasbench101", "--list", "cells.txt"
    )
    assert code == 2
    assert "nasbench101" in err
    assert "nasbench201" in err
    assert "Traceback" not in err


def test_the_command_ranks_with_a_predictor_without_tiers_and_a_model_says_its_space(cli: Cli) -> None:  # noqa: F811
    archs = NASBench101().sample(30, np.random.default_rng(0))
    registry.make("predictor", "forest", trees=10).fit(archs, np.arange(30.0)).save("forest.npz")
    Path("cells.txt").write_text("\n".join(NASBench101().format(archs[:10])) + "\n")
    line = ("rank", "--predictor", "forest", "--model", "forest.npz", "--list", "cells.txt")
    code, out, err = cli(*line, "--csv", "all.csv")
    assert code == 0, err
    assert "best 10 of 10" in out
    tiers = [row.split(",")[-2] for row in Path("all.csv").read_text().splitlines()[1:]]
    assert tiers == [*"1122334455"]


def own_costs(folder: Path) -> tuple[Any, Path]:
    """A table whose metric is a cost: how many convolutions of 3 x 3 a tiny cell has, with a little else."""
    space = tiny(cls=Costed)
    archs = space.enumerate()
    cost = (archs.genes == 3).sum(1) + 0.01 * archs.genes[:, 0]
    table = folder / "costs.csv"
    lines = [f"{text},{value}" for text, value in zip(map(str, archs), cost, strict=True)]
    table.write_text("\n".join(["architecture,milliseconds", *lines]) + "\n")
    return space, table


def test_small_is_good_reaches_the_predictor_with_the_sign_turned(tmp_path: Path) -> None:
    space, table = own_costs(tmp_path)
    data = load(space, table, "milliseconds", maximize=False)
    objective = next(iter(data.metrics))
    study = Study(None, data.space, "random", data, maximize=objective)
    study.run(60)
    done = study.history().done
    predictor = registry.make("predictor", "tier", encodings=("onehot",), steps=60).fit(done.archs, done.y)
    every = space.enumerate()
    best = every[np.argsort(-predictor.predict(every))[:8]]
    assert (best.genes == 3).sum() == 0
    tiers = predictor.predict_tier(every)
    convolutions = (every.genes == 3).sum(1)
    assert convolutions[tiers == 0].mean() < convolutions[tiers == tiers.max()].mean()


def test_small_is_good_on_the_command_line(cli: Cli) -> None:  # noqa: F811
    space, table = EXAMPLE / "own_table.toml", EXAMPLE / "own_table.csv"
    line = ("--space", space, "--table", table, "--trials", 20, "--strategy", "random", "--no-report")
    code, out, err = cli("run", *line, "--minimize", "--study", "small.db")
    assert code == 0, err
    assert "negative_accuracy" in out
    cli("run", *line, "--study", "large.db")
    small, large = (best_value(cli("best", name, "-k", 1)[1]) for name in ("small.db", "large.db"))
    assert -small < large


def best_value(shown: str) -> float:
    """The value in the first row of the table of the best."""
    return float(next(row for row in shown.splitlines() if row.startswith("│ 1 ")).split("│")[2])


def test_explaining_on_the_command_line(cli: Cli) -> None:  # noqa: F811
    pytest.importorskip("lightgbm", reason="lightgbm is not installed: pip install 'tierwise[trees]'")
    assert cli("run", "--strategy", "random", "--trials", 40, "--study", "s.db", "--no-report")[0] == 0
    code, out, _ = cli("explain", "s.db", "--predictor", "forest", "-k", 4)
    assert code == 0
    assert len([row for row in out.splitlines() if "raises" in row or "lowers" in row]) == 4 + 1  # and the head
    assert "Kendall's tau" in out
    assert "nasbench201" not in out
    code, out, _ = cli("explain", "s.db", "nasbench201/3-3-3-3-3-3", "--predictor", "trees")
    assert code == 0
    assert out.count("nor_conv_3x3~") >= 6
    code, out, _ = cli("explain", "s.db", "--space", "--predictor", "trees", "-k", 3)
    assert code == 0
    assert "mean over 1,000 architectures" in out
    for wrong, said in ((("41",), "1 to 40"), (("3", "--space"), "or --space"), (("rubbish",), "not an architecture")):
        code, _, err = cli("explain", "s.db", *wrong, "--predictor", "trees")
        assert code == 2
        assert said in err
