"""A smaller space, from a few labels: choices that hardly matter are frozen at their best option.

After Hu et al., "RankNAS: Efficient Neural Architecture Search by Pairwise Ranking" (2021).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.candidates import Labels, fitted
from tierwise.errors import BadSetting
from tierwise.predictor import score_all
from tierwise.space import Space

FEWEST_LABELS = 20  # by which a space is reduced; boosted trees of pairs do not grow on less than half of that
_EXCHANGES = 5  # of a choice's options, whose mean loss is its importance
_FOLDS = 5
_BACKGROUND = 500  # architectures over which an option's predicted mean is taken
_LISTED_BACKGROUND = 20_000  # where the options are compared between different members


def reduced_space(
    space: Space,
    archs: Architectures,
    y: NDArray[np.float64],
    *,
    predictor: str = "ranknas",
    keep: float = 0.9,
    seed: int = 0,
) -> Space:
    """`space` with the choices of little importance frozen, each at the option of the best predicted mean.

    archs, y: at least 20 labelled architectures of the space (narrowed or not), higher better. predictor: a registered
    one. keep: share of the importance that the choices left free hold together; 1.0 keeps every choice that has any.
    seed: decides folds, exchanges and samples.

    As published: the importance of a choice is the pairwise accuracy that is lost once its options are exchanged
    between architectures. Ours: exchanges are judged on held-out labels, by five-fold cross-validation; the share; and
    the order of freezing, least important first, each in the space that is left by the ones before.
    Without an important choice nothing is frozen; a listed space keeps at least one member.
    Raises BadSetting for fewer labels and for a share outside of 0 to 1.
    """
    if not 0 < keep <= 1:
        raise BadSetting("keep", keep, "a share of the importance, more than 0 and up to 1.0")
    if len(archs) < FEWEST_LABELS:
        raise BadSetting("labels", f"{len(archs)} of them", f"at least {FEWEST_LABELS} labelled architectures")
    return _reduced(space, Labels(archs, np.asarray(y, dtype=np.float64)), predictor, keep, seed)


@functools.lru_cache(maxsize=4)
def _reduced(space: Space, labels: Labels, predictor: str, keep: float, seed: int) -> Space:
    """As above; remembered, because a search asks for it with the same labels every time."""
    rng = np.random.default_rng(seed)
    importance = choice_importance(labels.archs, labels.y, predictor=predictor, seed=seed)
    model = fitted(predictor, seed, labels)
    for gene in unimportant(importance, keep):
        space = _frozen(space, int(gene), model, rng)
    return space


def choice_importance(
    archs: Architectures, y: NDArray[np.float64], *, predictor: str = "ranknas", seed: int = 0
) -> NDArray[np.float64]:
    """(choices,) loss of held-out pairwise accuracy when the options of a choice are exchanged between architectures.

    In a listed space only exchanges that give a member count.
    """
    rng = np.random.default_rng(seed)
    fold = rng.permutation(len(archs)) % _FOLDS
    importance = np.zeros(len(archs.space.choices))
    for k in range(_FOLDS):
        learnt, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        model = registry.make("predictor", predictor, seed=seed).fit(archs[learnt], y[learnt])
        right = pairwise_accuracy(score_all(model, archs[held])[None], y[held])
        for gene in np.flatnonzero((archs.genes != archs.genes[0]).any(0)):
            changed = _exchanged(archs, held, int(gene), rng)
            score = score_all(model, changed).reshape(_EXCHANGES, len(held))
            importance[gene] += (right - pairwise_accuracy(score, y[held])) / _FOLDS
    return importance


def _exchanged(archs: Architectures, held: NDArray[np.int64], gene: int, rng: np.random.Generator) -> Architectures:
    """Some copies of the rows held, one after the other, in which this gene is that of a random architecture."""
    rows = np.tile(archs.genes[held], (_EXCHANGES, 1))
    changed = rows.copy()
    changed[:, gene] = archs.genes[rng.integers(len(archs), size=len(rows)), gene]
    if not archs.space.free:
        changed = np.where(archs.space.contains(Architectures(archs.space, changed))[:, None], changed, rows)
    return Architectures(archs.space, changed)


def pairwise_accuracy(score: NDArray[Any], y: NDArray[np.float64]) -> float:
    """Share of pairs with different labels that the scores (copies, n) put in the right order; ties count half."""
    better, worse = np.nonzero(y[:, None] > y)
    if not len(better):
        return 0.5
    return float(0.5 + 0.5 * np.sign(score[:, better] - score[:, worse]).mean())


def unimportant(importance: NDArray[np.float64], keep: float) -> NDArray[np.int64]:
    """The choices to freeze, the least important first; none if nothing is important."""
    useful = np.maximum(importance, 0.0)
    order = np.argsort(useful, kind="stable")
    held = useful[order].cumsum()
    return order[held <= (1 - keep) * held[-1] + 1e-12] if held[-1] > 0 else order[:0]


def _frozen(space: Space, gene: int, model: Any, rng: np.random.Generator) -> Space:
    """The space with one choice frozen; as it was where no architecture says which option is best."""
    options, choice = np.flatnonzero(space.allowed[gene]), space.choices[gene]
    if space.free:
        sample = space.sample(_BACKGROUND, rng)
        genes = np.tile(sample.genes, (len(options), 1))
        genes[:, gene] = options.repeat(len(sample))
        sample = Architectures(space, genes)
    else:  # not every option goes with the others: compare the members that have it
        sample = space.sample(_LISTED_BACKGROUND, rng).unique()
    score = score_all(model, sample)
    has = [score[sample.genes[:, gene] == option] for option in options]
    means = np.array([part.mean() if len(part) else -np.inf for part in has])
    if not np.isfinite(means).any():
        return space
    return space.narrow(choice.path, [choice.options[int(options[means.argmax()])]])
