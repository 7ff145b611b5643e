"""A search by regions on real digits: the evaluator, what it has visited, and how that is judged."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.supernets.staged import digits, drawn, vectors
from tierwise import Study
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, UnknownName
from tierwise.evaluators.dataset import Arrays, Part
from tierwise.evaluators.recipe import Recipe
from tierwise.evaluators.train import Train
from tierwise.job import job_seed
from tierwise.report.fade import write_fade_report
from tierwise.strategies.fade import Fade
from tierwise.supernets.alone import alone_weights
from tierwise.supernets.fade import fade_ranks
from tierwise.supernets.findings import findings
from tierwise.supernets.joint import Joint, region_of
from tierwise.supernets.search import search
from tierwise.supernets.stages import supernet
from tierwise.supernets.walk import visited

SPACE, RECIPE = vectors(2), Recipe(epochs=2, batch=64, rate=0.05)


def pair(part: Part) -> tuple[np.ndarray, np.ndarray]:
    assert isinstance(part, Arrays)
    return part.x.numpy(), part.y.numpy()


@functools.cache
def joint() -> Joint:
    data = digits(300, 100)
    assert data.test is not None
    parts = {"validation": pair(data.validation), "test": pair(data.test)}
    train = Train(pair(data.train), 10, recipe=RECIPE, together=20, space=SPACE, **parts)
    return Joint(train, runs=2, optimiser="fair")


def searched(path: Path | None, trials: int = 9) -> Study:
    study = Study(path, SPACE, Fade(candidates=4, epochs=3, regions=2), joint(), seed=3)
    study.run(trials, batch=4)
    return study


def test_a_batch_is_a_region_and_its_rows_have_the_weights_of_their_candidates() -> None:
    with searched(None) as study:
        trials = study.trials()
        assert [trial.state for trial in trials] == ["done"] * 9
        for number, visit in enumerate(visited(study.history()), start=1):
            rows = [trial for trial in trials if trial.why.get("region") == number]
            region, paths = region_of(Architectures.of([trial.arch for trial in rows], SPACE))
            seed = job_seed(3, rows[0].id)
            given = {
                "classes": 10,
                "runs": 2,
                "epochs": 3,
                "seed": seed,
                "recipe": RECIPE,
                "optimiser": joint().optimiser,
            }
            again = fade_ranks(region, joint().train.splits(), **given)
            for k in range(2):
                told = [trial.metrics[f"stage{k + 1}"] for trial in rows]
                np.testing.assert_allclose(told, again.weights[k][paths[:, k]], rtol=1e-6)
                np.testing.assert_allclose(visit.weights[k], again.weights[k], rtol=1e-6)
            means = [100 * np.mean([trial.metrics[f"stage{k}"] for k in (1, 2)]) for trial in rows]
            assert [trial.metrics["accuracy"] for trial in rows] == pytest.approx(means)
        last = visited(study.history())[-1]
        (answer,) = study.best()
        assert "answer" in answer.why
        scores = {
            tuple(map(int, row)): sum(w[i] for w, i in zip(last.weights, row, strict=True))
            for row in last.region.paths()
        }
        of_answer = next(row for row in scores if last.region.archs(np.array([row]))[0] == answer.arch)
        asked = [trial.arch for trial in trials[:8]]
        better = [row for row in scores if scores[row] > scores[of_answer]]
        assert all(last.region.archs(np.array([row]))[0] in asked for row in better)
        assert {"test_accuracy", "params"} <= set(answer.metrics)  # as `Train` tells


def test_candidates_are_read_alone_in_their_stage() -> None:
    read = Joint(joint().train, runs=1)
    with Study(None, SPACE, Fade(candidates=3, epochs=2, regions=1), read, seed=3) as study:
        study.run(4, batch=3)
        rows = study.trials()[:3]
        region, paths = region_of(Architectures.of([trial.arch for trial in rows], SPACE))
        data, own = joint().train.splits(), int(np.random.SeedSequence(job_seed(3, 1)).generate_state(1, np.uint32)[0])
        net = supernet(region, shape=data.train.shape, classes=10, batch=RECIPE.batch, seed=own)
        search(net, data, read.optimiser, epochs=2, seed=own, recipe=RECIPE)
        order = torch.randperm(len(data.validation), generator=torch.Generator().manual_seed(own))[: RECIPE.batch]
        assert isinstance(data.validation, Arrays)
        x, y = data.validation.x[order], data.validation.y[order]
        for k in range(2):
            found = alone_weights(net, x, y)[k]
            told = [trial.metrics[f"stage{k + 1}"] for trial in rows]
            np.testing.assert_allclose(told, found.numpy()[paths[:, k]], rtol=1e-4)


def test_unknown_readings_are_refused() -> None:
    with pytest.raises(UnknownName, match="reading"):
        Joint(joint().train, reading="mean")
    with pytest.raises(UnknownName, match="alone"):
        fade_ranks(drawn(vectors(), 2, 3), joint().train.splits(), classes=10, runs=1, epochs=1, reading="paths")


def test_a_region_that_cannot_be_trained_fails_with_its_reason() -> None:
    broken = Joint(joint().train, optimiser="gold", runs=0)
    with Study(None, SPACE, Fade(candidates=4, epochs=3, regions=1), broken) as study:
        study.run(4, batch=4)
        assert [trial.state for trial in study.trials()] == ["failed"] * 4
        assert all("runs" in str(trial.error) for trial in study.trials())


def test_a_killed_search_goes_on_where_it_was(tmp_path: Path) -> None:
    with searched(tmp_path / "a.db", trials=4):
        pass
    with searched(tmp_path / "a.db") as study, searched(None) as whole:
        assert [trial.arch for trial in study.trials()] == [trial.arch for trial in whole.trials()]


def test_findings_are_of_the_last_region_and_fill_a_page(tmp_path: Path) -> None:
    told: list[str] = []
    with searched(tmp_path / "a.db") as study:
        found = findings(study, joint(), seeds=2, compare=True, progress=lambda what, done, of: told.append(what))
        page = write_fade_report(study, found, tmp_path / "a.html").read_text()
        regions = visited(study.history())
    assert [each.best[0] for each in found.regions] == [each.best[0] for each in regions]
    assert found.accuracies.shape == (16, 2)
    assert found.steps.shape == (2, 2)
    assert found.cost == 2 * (4 + 4)
    np.testing.assert_allclose(found.last.weights[0], regions[-1].weights[0], rtol=1e-6)
    assert set(found.agreement()) == {"FaDE", "log width", "params", "flops", "zico"}
    assert set(found.baselines) == {"random", "evolution", "bananas"}
    assert all(len(values) == 2 for values in found.baselines.values())
    assert {"paths alone", "heaviest paths", "baselines"} == set(told)
    for part in ("The last region as one network", "Weights over time", "Ranks against truth", "From region to region"):
        assert part in page
    assert f"{found.ceiling():.2f}" in page
    assert found.last.region.choices[0].options[0] in page
    assert not list(tmp_path.glob("*.part"))


def test_a_study_without_regions_has_no_findings() -> None:
    with Study(None, SPACE, "random", joint().train) as study, pytest.raises(BadSetting, match="strategy fade"):
        findings(study, joint(), seeds=2, compare=False, progress=lambda *_: None)
