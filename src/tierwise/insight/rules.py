"""A set of architectures as a rule that says who belongs to it: a selection on a map becomes text one can search by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.filters import counted, quoted

Column = NDArray[np.float64]
DEPTH, LEAST = 3, 0.02  # of the tree; a rule holds for this share of the set at least
MOST_ROWS = 20_000  # of either kind, that the tree is grown from


@dataclass(frozen=True)
class Rule:
    """text: for `Filter`. purity: share of those it holds for that are in the set. coverage: share of the set that it
    holds for. matches: how many it holds for.
    """

    text: str
    purity: float
    coverage: float
    matches: int


def rules(archs: Architectures, inside: NDArray[np.bool_], costs: Mapping[str, Column], *, seed: int = 0) -> list[Rule]:
    """Rules for the rows that are `inside` (n,) among all of `archs`, the best (by F1 of purity and coverage) first.

    costs: (n,) columns by name that may stand in a rule beside the counts of options and single picks; they have to be
    names of a `Filter`. A rule has at most three conditions: the leaves of a small tree (Breiman et al.,
    "Classification and Regression Trees", 1984). Raises BadSetting for a set that is empty, or everything.
    """
    if not 0 < inside.sum() < len(inside):
        raise BadSetting("set of architectures", f"{int(inside.sum())} of {len(inside)}", "some of them, and not all")
    columns = {**{name: np.asarray(values, dtype=np.float64) for name, values in costs.items()}, **_options(archs)}
    names, rows = list(columns), _sampled(inside, np.random.default_rng(seed))
    x = np.column_stack([np.nan_to_num(columns[name][rows], nan=-1.0) for name in names])
    least = max(1, round(LEAST * int(inside[rows].sum())))
    tree = DecisionTreeClassifier(max_depth=DEPTH, class_weight="balanced", min_samples_leaf=least, random_state=seed)
    tree.fit(x, inside[rows])
    found: dict[str, Rule] = {}
    for bounds in _leaves(tree.tree_, names):
        holds = np.ones(len(inside), dtype=np.bool_)
        for name, (low, high) in bounds.items():
            holds &= (columns[name] > low) & (columns[name] <= high)
        both = int((holds & inside).sum())
        if both:
            text = " and ".join(_condition(name, columns[name], *limits) for name, limits in bounds.items())
            found[text] = Rule(text, both / int(holds.sum()), both / int(inside.sum()), int(holds.sum()))
    return sorted(found.values(), key=lambda rule: -2 * rule.purity * rule.coverage / (rule.purity + rule.coverage))


def _options(archs: Architectures) -> dict[str, Column]:
    """Counts of options by ``count(option)``, and 0/1 for each option of each choice by ``pick(choice) == option``."""
    choices = archs.space.choices
    options = dict.fromkeys(option for choice in choices for option in choice.options)
    shared = [option for option in options if sum(option in choice.options for choice in choices) > 1]
    columns = {f"count({quoted(option)})": counted(archs, option) for option in shared}
    for gene, choice in enumerate(choices):
        for value, option in enumerate(choice.options):
            columns[f'pick("{choice.path}") == "{option}"'] = (archs.genes[:, gene] == value).astype(np.float64)
    return {name: column for name, column in columns.items() if np.ptp(column)}


def _sampled(inside: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of both kinds, of a large one a part."""
    kinds = (np.flatnonzero(inside), np.flatnonzero(~inside))
    return np.concatenate([np.sort(rng.permutation(rows)[:MOST_ROWS]) for rows in kinds])


def _leaves(tree: Any, names: list[str]) -> list[dict[str, tuple[float, float]]]:
    """(more than, at most) of each column on the way to each leaf in which the set is more than half."""
    found: list[dict[str, tuple[float, float]]] = []
    open_nodes: list[tuple[int, dict[str, tuple[float, float]]]] = [(0, {})]
    while open_nodes:
        node, bounds = open_nodes.pop()
        if tree.children_left[node] < 0:
            if bounds and tree.value[node][0][1] > tree.value[node][0][0]:
                found.append(bounds)
            continue
        name, threshold = names[tree.feature[node]], float(tree.threshold[node])
        low, high = bounds.get(name, (-np.inf, np.inf))
        open_nodes.append((int(tree.children_left[node]), {**bounds, name: (low, min(high, threshold))}))
        open_nodes.append((int(tree.children_right[node]), {**bounds, name: (max(low, threshold), high)}))
    return found


def _condition(name: str, column: Column, low: float, high: float) -> str:
    """In the words of a filter, with the nearest values that there are in place of the tree's halves between them."""
    if name.startswith("pick("):
        return name if low >= 0 else name.replace(" == ", " != ")
    known = column[np.isfinite(column)]
    parts = [f"{name} >= {known[known > low].min():.15g}"] if np.isfinite(low) else []
    parts += [f"{name} <= {known[known <= high].max():.15g}"] if np.isfinite(high) else []
    return " and ".join(parts)
