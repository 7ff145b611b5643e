"""Score and sort architectures with a trained predictor; read and write lists of them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.cli.reopen import open_space, reopen
from tierwise.errors import BadArchitecture, BadModel, BadSetting, BadTable
from tierwise.predictor import Predictor, check_space, read_saved, score_and_std
from tierwise.space import Space


@dataclass(frozen=True)
class Ranking:
    """Architectures, best first; of each score, standard deviation, tier (0 = best) and the chance that it is there.

    chance: NaN where nobody knows it.
    """

    archs: Architectures
    score: NDArray[Any]
    std: NDArray[Any]
    tier: NDArray[np.int64]
    chance: NDArray[Any]


def learn(study: Path, predictor: str, inputs: Sequence[str] = ()) -> tuple[Any, Space]:
    """A predictor fitted on the finished trials of a study, and the space of the study.

    inputs: encodings that it reads besides its own, as ``"columns:FILE"`` or by name. Raises BadSetting, BadTable.
    """
    with reopen(study, None) as (search, _):
        done = search.history().done
        fresh: Any = registry.make("predictor", predictor, seed=search.seed)
        if inputs:
            fresh = _reading(fresh, predictor, tuple(map(_whole_path, inputs)))
        return fresh.fit(done.archs, done.y), search.space


def _reading(fresh: Any, name: str, inputs: tuple[str, ...]) -> Any:
    """The predictor with these inputs: its setting of that name, else behind its encodings. Raises BadSetting."""
    settings = fresh.get_params(deep=False)
    if "inputs" in settings:
        return fresh.set_params(inputs=inputs)
    if "encodings" in settings:
        return fresh.set_params(encodings=(*settings["encodings"], *inputs))
    raise BadSetting("input", inputs[0], f"a predictor with the setting inputs or encodings; {name} has neither")


def _whole_path(encoding: str) -> str:
    """``"columns:FILE"`` with the whole path, so that a saved predictor finds the file from elsewhere."""
    name, colon, file = encoding.partition(":")
    return f"{name}:{Path(file).resolve()}" if colon and Path(file).is_file() else encoding


def load(model: Path, predictor: str | None, space: str | None) -> tuple[Any, Space]:
    """A saved predictor, and the space of that name or file, or else that of its labels.

    predictor: its registered name; None finds it by the class that was saved.
    Raises BadModel, BadSetting, UnknownName.
    """
    kind: type[Predictor] = registry.find("predictor", predictor or _kind(model))
    fitted = kind.load(model)
    learnt = getattr(fitted, "learnt_space_", "").rpartition(" ")[0]
    asked = open_space(space or learnt or "nasbench201", by_person=space is not None)
    check_space(fitted, asked)
    return fitted, asked


def _kind(model: Path) -> str:
    """The registered name of what a file holds. Raises BadModel."""
    name = read_saved(model)[0]["class"]
    for known, point in registry.installed("predictor").items():
        if point.value.endswith(f":{name}"):
            return known
    raise BadModel(model, f"holds a {name}, which is no installed predictor")


def rank(predictor: Any, archs: Architectures) -> Ranking:
    """Score every architecture and sort, best first; without tiers of the predictor's own, fifths of them all."""
    score, std = score_and_std(predictor, archs)
    order = np.argsort(-score, kind="stable")
    if not hasattr(predictor, "predict_tier_proba"):
        fifth, unknown = np.arange(len(order)) * 5 // max(len(order), 1), np.full(len(order), np.nan)
        return Ranking(archs[order], score[order], std[order], fifth, unknown)
    tier, chances = predictor.predict_tier(archs), predictor.predict_tier_proba(archs)
    chance = chances[np.arange(len(tier)), tier]
    return Ranking(archs[order], score[order], std[order], tier[order], chance[order])


def read_list(path: Path, space: Space) -> Architectures:
    """A text file, one architecture a line; empty lines and lines with # are skipped. Raises BadTable with the line."""
    if not path.is_file():
        raise BadTable(path, "there is no such file")
    genes: list[tuple[int, ...]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            try:
                genes.append(space.parse(line).genes)
            except BadArchitecture as error:
                raise BadTable(path, f"line {number}: {error}") from error
    if not genes:
        raise BadTable(path, "holds no architecture; one a line is expected")
    return Architectures(space, np.array(genes))


def write_csv(ranking: Ranking, path: Path) -> None:
    """Rank, architecture, score, std, tier (1 = best) and its chance, one line each."""
    part = path.with_name(path.name + ".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["rank", "architecture", "score", "std", "tier", "chance_of_tier"])
        texts = ranking.archs.space.format(ranking.archs)
        for k, text in enumerate(texts):
            numbers = (
                f"{ranking.score[k]:.6g}",
                f"{ranking.std[k]:.4g}",
                int(ranking.tier[k]) + 1,
                f"{ranking.chance[k]:.3f}",
            )
            writer.writerow([k + 1, text, *numbers])
    part.replace(path)
