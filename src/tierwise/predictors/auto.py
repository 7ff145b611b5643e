"""The default predictor: picks inputs and weighs members by what the labels themselves say."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from tierwise.architecture import Architectures, Archs, concatenate
from tierwise.encoding import Encoding
from tierwise.errors import BadSetting
from tierwise.networks.threads import threads
from tierwise.predictor import Predictor, check_fitted, check_labels
from tierwise.predictors.additive_process import AdditiveProcess
from tierwise.predictors.boosted_trees import BoostedTrees
from tierwise.predictors.column_block import ColumnBlock
from tierwise.predictors.encoded import Encodings, made, normal_scores, with_texts
from tierwise.predictors.mixture import Mixture
from tierwise.predictors.tier import Tier

_ROWS, _ENTRIES = 8_192, 2**24  # looked at together: architectures, and covariances of them with the labelled ones
_REFERENCE = 1_000  # architectures of the space that set the scales of columns
_THREADS = 8  # each with some hundred MB
_NOTHING = np.zeros(0), np.zeros(0)
_FOLDS = 5
_SHORTLIST = 1_000  # candidates looked at again for the next of a batch
_MEMBERS = ("tier", "trees")  # beside the process
_FEWEST = 10  # labels; of fewer, nothing is chosen
_GAIN = 1.0  # of log evidence, for an encoding that counts; what it can by chance
_FOLD_MEMBERS = 3  # networks of `tier` in a fold

Floats = NDArray[np.float64]


class Auto(Predictor):
    """Ranks a space from 20 to some 5,000 labels without any choice of the user.

    Three members that err differently, each on the columns that the labels ask for:

    * a Gaussian process with a kernel term for each encoding, for path counts one for each kind of count;
    * `tier`, networks that rank pairs and match quality tiers;
    * `trees`, boosted regression trees.

    1. Encodings and inputs are added one by one, as long as the evidence (marginal likelihood) of the Gaussian process
       grows: clearly for an encoding that counts, at all for an input and for what is learnt from the space.
    2. Five-fold cross-validation inside the labels weighs the members; few labels keep the weights even. It also sets
       the scale of the score and of its standard deviation. Inputs that are scores themselves (encoding ``predicted``)
       count as further members, and few labels leave the weight with them, unless they clearly speak against them.
    3. All members learn from all labels.

    Scores are normal scores of the labels: 0 is the median label, 1.28 is better than 90 % of them. Tiers are fifths
    of the labels, their chances follow from score and standard deviation.
    ``partial_fit`` adds labels and keeps what steps 1 and 2 have chosen.

    encodings: candidates; those that a space cannot give (costs without cost formulas, paths where there are too
    many) and those that are equal for all labelled architectures are passed over. inputs: further candidates, such as
    recorded columns (``"columns:FILE"``) of zero-cost proxies or of short trainings, or the scores of a predictor of
    another data set. members: those beside the process; () leaves it alone, which is some ten times faster and ranks
    a little worse. n_tiers: quality tiers. seed: decides folds, members and the sample that sets scales.

    Fitted: ``encodings_`` (chosen), ``mixture_`` (weights of process, tier and trees), ``process_``, ``members_``.
    Members: Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), and see `tier` and `trees`;
    weights: van der Laan et al., "Super Learner" (2007). The combination is ours.
    Raises BadSetting, UnknownName, MissingExtra.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> archs = NASBench201().at(range(40))
    >>> score, std = Auto().fit(archs, (archs.genes == 3).sum(1)).predict(archs, return_std=True)
    >>> score.shape, bool((std > 0).all())
    ((40,), True)
    """

    gives_std = True

    def __init__(
        self,
        *,
        encodings: Encodings = ("paths", "onehot", "pretrained:paths", "pretrained:paths+onehot", "flops", "params"),
        inputs: Encodings = (),
        members: tuple[str, ...] = _MEMBERS,
        n_tiers: int = 5,
        seed: int = 0,
    ):
        self.encodings = encodings
        self.inputs = inputs
        self.members = members
        self.n_tiers = n_tiers
        self.seed = seed

    def fit(self, archs: Archs, y: Any) -> Self:
        """Learn from (n,) labels, higher better, n at least 4."""
        rows, labels = check_labels(archs, y)
        if self.n_tiers < 1:
            raise BadSetting("n_tiers", self.n_tiers, "at least 1")
        if not set(self.members) <= set(_MEMBERS):
            raise BadSetting("members", self.members, f"some of {', '.join(_MEMBERS)}, or ()")
        z, rng = _standard(labels), np.random.default_rng(self.seed)
        candidates = self._candidates(rows, rows.space.sample(_REFERENCE, rng))
        ordered = bool(np.ptp(z) > 0)
        enough = len(z) >= _FEWEST and ordered
        self.blocks_ = _chosen(candidates, self.inputs, rows, z) if enough else candidates[:1]
        self.encodings_ = tuple(block.encoding for block in self.blocks_)
        self.process_ = AdditiveProcess().fit(self._columns(rows), z)
        first = self._first_weights()
        # of equal labels only the process says that there is nothing to tell
        self.mixture_ = Mixture.before(first if ordered else np.eye(len(first))[0])
        if enough:
            self.mixture_ = self._weighed(rows, labels, z, rng.permutation(len(z)) % _FOLDS)
        return self._learn(rows, labels)

    def partial_fit(self, archs: Archs, y: Any) -> Self:
        """Add (n,) labels to those it knows; encodings, kernel, weights and scales stay as ``fit`` has chosen them.

        Raises NotFitted, and BadSetting for a predictor from a file, which does not know its labelled architectures.
        """
        check_fitted(self, "mixture_")
        if not hasattr(self, "rows_"):
            raise BadSetting("partial_fit", "a predictor from a file", "one that was fitted here; use fit")
        new, labels = check_labels(archs, y, least=1)
        rows, labels = check_labels(concatenate([self.rows_, new]), np.concatenate([self.labels_, labels]))
        self.process_ = AdditiveProcess().condition(self._columns(rows), _standard(labels), self.process_.theta)
        return self._learn(rows, labels)

    def _candidates(self, rows: Architectures, reference: Architectures) -> list[ColumnBlock]:
        """The encodings that this space can give, then the inputs, of those that tell the labelled `rows` apart.

        Raises BadSetting where the space can give no encoding.
        """
        own: list[ColumnBlock] = []
        refused = BadSetting("encodings", self.encodings, "at least one encoding, by name or made")
        for encoding in self.encodings:
            try:
                own.append(ColumnBlock.of(encoding, reference))
            except BadSetting as error:
                refused = error
        if not own:
            raise refused
        told = [ColumnBlock.of(encoding, reference) for encoding in self.inputs]
        return [block for block in (*own, *told) if block.varies(rows)] or own[:1]

    def _columns(self, rows: Architectures) -> list[NDArray[np.float32]]:
        return [group for block in self.blocks_ for group in block.columns(rows)]

    @property
    def _scores(self) -> list[Encoding]:
        return [each for each in self.inputs if isinstance(each, Encoding) and getattr(each, "is_score", False)]

    def _prior(self, rows: Architectures) -> Floats:
        """(scores, n) the inputs that are scores already, as they are: what is known before any label."""
        chosen = {id(block.encoding): block.raw for block in self.blocks_}  # which remember their last answer
        own = [chosen.get(id(each), each) for each in self._scores]
        return np.array([each.transform(rows)[:, 0] for each in own], dtype=np.float64).reshape(len(own), len(rows))

    def _first_weights(self) -> Floats:
        """(members,) before any label: even ones, or of the inputs that are scores alone."""
        scores, own = len(self._scores), 1 + len(self.members)
        return np.repeat([0.0, 1 / scores], [own, scores]) if scores else np.full(own, 1 / own)

    def _member(self, name: str, **tier: Any) -> Tier | BoostedTrees:
        """A new member beside the process."""
        remembered = tuple(block.raw for block in self.blocks_)
        if name == "tier":
            return Tier(encodings=remembered, n_tiers=self.n_tiers, seed=self.seed, **tier)
        return BoostedTrees(encodings=remembered, seed=self.seed)

    def _weighed(self, rows: Architectures, labels: Floats, z: Floats, fold: NDArray[np.int64]) -> Mixture:
        """The members' weights by what each says of labels that it has not seen."""
        prior = self._prior(rows)
        held_out = np.vstack([np.zeros((1 + len(self.members), len(z))), prior])
        held_out[0], variance = self.process_.held_out(fold)

        def learn(k: int, place: int) -> None:
            rest, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            member = self._member(self.members[place], members=_FOLD_MEMBERS)
            held_out[1 + place, held] = member.fit(rows[rest], labels[rest]).predict(rows[held])

        with threads(), _pool() as pool:
            works = [pool.submit(learn, k, place) for k in range(_FOLDS) for place in range(len(self.members))]
            for each in works:
                each.result()
        return Mixture.of(held_out, variance + self.process_.noise, z, self._first_weights())

    def _learn(self, rows: Architectures, labels: Floats) -> Self:
        self.members_ = [self._member(name) for name in self.members]
        with threads(), _pool() as pool:
            for fitting in [pool.submit(member.fit, rows, labels) for member in self.members_]:
                fitting.result()
        self.tiers_ = min(self.n_tiers, len(labels) // 2)
        self.rows_, self.labels_ = rows, labels
        return self

    def predict(self, archs: Archs, return_std: bool = False) -> Any:
        """(n,) scores; with `return_std` also their (n,) standard deviations, calibrated inside the labels."""
        check_fitted(self, "mixture_")
        chunks = Architectures.of(archs).chunks(min(_ROWS, _ENTRIES // len(self.process_.z)))
        with threads(), _pool() as pool:
            parts = [_NOTHING, *pool.map(functools.partial(self._score, with_std=return_std), chunks)]
        score, std = (np.concatenate(each) for each in zip(*parts, strict=True))
        return (score, std) if return_std else score

    def pick(
        self, archs: Architectures, n: int, optimism: float, running: Architectures
    ) -> tuple[NDArray[np.int64], Floats, Floats]:
        """Rows of the `n` best of `archs`, one after the other, and their scores and standard deviations.

        A row's worth is the mean of the process plus `optimism` standard deviations. What is `running`, and what was
        picked before, counts as if its mean had been found: the mean stays, the deviation near it shrinks, so a batch
        spreads out. From: Desautels, Krause and Burdick, "Parallelizing Exploration-Exploitation Tradeoffs in Gaussian
        Process Bandit Optimization" (2014).
        """
        process, rows = self._beside(running), np.arange(len(archs))
        picked: list[int] = []
        score, std = np.zeros(len(archs)), np.zeros(len(archs))
        for _ in range(min(n, len(archs))):
            if picked:
                process = process.believing(self._columns(archs[rows[:1]]))
            score[rows], std[rows] = self._moments(process, archs[rows])
            worth = np.where(np.isin(rows, picked), -np.inf, score[rows] + optimism * std[rows])
            rows = rows[np.argsort(-worth, kind="stable")[: max(_SHORTLIST, n)]]  # deviations only shrink
            picked.append(int(rows[0]))
        best = np.array(picked, dtype=np.int64)
        return best, score[best], std[best]

    def moments(self, archs: Architectures, running: Architectures) -> tuple[Floats, Floats]:
        """(n,) means and standard deviations of the process, what is `running` counting as in ``pick``."""
        return self._moments(self._beside(running), archs)

    def _beside(self, running: Architectures) -> AdditiveProcess:
        check_fitted(self, "mixture_")
        return self.process_.believing(self._columns(running)) if len(running) else self.process_

    def _moments(self, process: AdditiveProcess, rows: Architectures) -> tuple[Floats, Floats]:
        """(n,) means and standard deviations of a process, in chunks."""

        def moments(part: Architectures) -> Any:
            return process.predict_var(self._columns(part))

        with threads(), _pool() as pool:
            parts = list(pool.map(moments, rows.chunks(_ROWS)))
        mean, variance = (np.concatenate(each) for each in zip(*parts, strict=True))
        return mean, np.sqrt(variance)

    def _score(self, rows: Architectures, with_std: bool) -> tuple[Floats, Floats]:
        columns, variance = self._columns(rows), np.zeros(len(rows))
        if with_std:
            mean, variance = self.process_.predict_var(columns)
        else:
            mean = self.process_.predict(columns)
        said = np.stack([mean, *(np.asarray(member.predict(rows)) for member in self.members_), *self._prior(rows)])
        return self.mixture_.score(said), self.mixture_.std(said, variance + self.process_.noise)

    def predict_tier_proba(self, archs: Archs) -> Floats:
        """(n, tiers) chances of each tier, 0 the best: a normal distribution cut at the tiers' borders."""
        score, std = self.predict(archs, return_std=True)
        below = norm.cdf((self._borders() - score[:, None]) / std[:, None])
        edges = np.hstack([np.zeros((len(score), 1)), below, np.ones((len(score), 1))])
        return np.diff(edges, axis=1)[:, ::-1]

    def predict_tier(self, archs: Archs) -> NDArray[np.int64]:
        """(n,) the tier in which the score lies, 0 the best."""
        borders = self._borders()
        return self.tiers_ - 1 - np.searchsorted(borders, self.predict(archs))

    def _borders(self) -> Floats:
        """Between the tiers, from the worst up, as normal scores."""
        check_fitted(self, "mixture_")
        return norm.ppf(np.arange(1, self.tiers_) / self.tiers_)

    def save(self, path: str | Path) -> None:
        """As every predictor does. Raises BadSetting for encodings that no text can stand for."""
        Predictor.save(with_texts(self, "encodings", "inputs"), path)

    def state(self) -> dict[str, NDArray[Any]]:
        """What process and members have learnt, how they are mixed, and the scales of the columns."""
        check_fitted(self, "mixture_")
        parts = {"process": self.process_, **dict(zip(self.members, self.members_, strict=True))}
        parts |= {"mixture": self.mixture_} | {f"block{k}": block for k, block in enumerate(self.blocks_)}
        arrays = {f"{part}.{name}": value for part, each in parts.items() for name, value in each.state().items()}
        return {"tiers": np.array(self.tiers_), **arrays}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of ``state``."""

        def part(name: str) -> dict[str, NDArray[Any]]:
            return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}

        count = len({key.partition(".")[0] for key in state if key.startswith("block")})
        self.blocks_ = [ColumnBlock.restored(part(f"block{k}")) for k in range(count)]
        self.encodings_ = tuple(block.encoding for block in self.blocks_)
        self.process_ = AdditiveProcess().restore(part("process"))
        self.members_ = [self._member(name) for name in self.members]
        for name, member in zip(self.members, self.members_, strict=True):
            member.restore(part(name))
            if isinstance(member, BoostedTrees):
                member.encodings_ = member.encodings  # with the shared memory of the last batch
        self.mixture_ = Mixture.restored(part("mixture"))
        self.tiers_ = int(state["tiers"])


def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(os.cpu_count() or 1, _THREADS))


def _least_gain(block: ColumnBlock, given: Encodings) -> float:
    """What a block must add to the log evidence: nothing, if it was given as an input or learnt from the space."""
    return 0.0 if block.encoding in given or getattr(made(block.encoding), "is_learnt", False) else _GAIN


def _chosen(candidates: Sequence[ColumnBlock], given: Encodings, rows: Architectures, z: Floats) -> list[ColumnBlock]:
    """Forward selection: the first block, then every one that makes the evidence of the process larger."""
    columns = [block.columns(rows) for block in candidates]
    chosen, process = [0], AdditiveProcess().fit(columns[0], z)
    while len(chosen) < len(candidates):
        tried = {
            k: AdditiveProcess().fit([group for i in (*chosen, k) for group in columns[i]], z, like=process)
            for k in range(len(candidates))
            if k not in chosen
        }
        gain = {k: found.evidence - process.evidence - _least_gain(candidates[k], given) for k, found in tried.items()}
        best = max(gain, key=gain.__getitem__)
        if gain[best] <= 0:
            break
        chosen, process = [*chosen, best], tried[best]
    return [candidates[k] for k in sorted(chosen)]


def _standard(labels: Floats) -> Floats:
    """(n,) normal scores with a variance of 1; zeros where all labels are equal."""
    z = normal_scores(labels)
    return z / (z.std() or 1.0)
