"""Score and sort architectures with a trained predictor; read and write lists of them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.cli.reopen import reopen
from tierwise.errors import BadArchitecture, BadTable
from tierwise.predictor import Predictor, check_space, score_and_std
from tierwise.space import Space


@dataclass(frozen=True)
class Ranking:
    """Architectures, best first, with score, standard deviation, tier (0 = best) and the tiers' chances (n, tiers).

    chances: NaN in one column where nobody knows them.
    """

    archs: Architectures
    score: NDArray[Any]
    std: NDArray[Any]
    tier: NDArray[np.int64]
    chances: NDArray[Any]


def learn(study: Path, predictor: str) -> tuple[Any, Space]:
    """A predictor fitted on the finished trials of a study, and the space of the study."""
    with reopen(study, None) as (search, _):
        done = search.history().done
        return registry.make("predictor", predictor, seed=search.seed).fit(done.archs, done.y), search.space


def load(model: Path, predictor: str, space: str | None) -> tuple[Any, Space]:
    """A saved predictor, and the named space or else that of its labels. Raises BadModel, BadSetting, UnknownName."""
    kind: type[Predictor] = registry.find("predictor", predictor)
    fitted = kind.load(model)
    learnt = getattr(fitted, "learnt_space_", "").rpartition(" ")[0]
    asked: Space = registry.make("space", space or learnt or "nasbench201")
    check_space(fitted, asked)
    return fitted, asked


def rank(predictor: Any, archs: Architectures) -> Ranking:
    """Score every architecture and sort, best first; without tiers of the predictor's own, fifths of them all."""
    score, std = score_and_std(predictor, archs)
    order = np.argsort(-score, kind="stable")
    if not hasattr(predictor, "predict_tier_proba"):
        fifth, unknown = np.arange(len(order)) * 5 // max(len(order), 1), np.full((len(order), 1), np.nan)
        return Ranking(archs[order], score[order], std[order], fifth, unknown)
    chances = predictor.predict_tier_proba(archs)[order]
    return Ranking(archs[order], score[order], std[order], chances.argmax(1), chances)


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
        chance = ranking.chances.max(1)
        for k, text in enumerate(texts):
            numbers = f"{ranking.score[k]:.6g}", f"{ranking.std[k]:.4g}", int(ranking.tier[k]) + 1, f"{chance[k]:.3f}"
            writer.writerow([k + 1, text, *numbers])
    part.replace(path)
