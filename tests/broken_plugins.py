"""Plugins with one fault each, named after the check that must find it, and sound ones beside them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any, Self

import numpy as np

from tests.small_spaces import Costed, tiny
from tierwise.architecture import Architecture, Architectures, Archs, Graphs
from tierwise.encodings.onehot import OneHot
from tierwise.errors import BadSetting
from tierwise.executors.inline import inline
from tierwise.executors.local import local
from tierwise.history import History, Proposal
from tierwise.predictor import Predictor, check_fitted, check_labels
from tierwise.space import Space

Broken = Callable[[], Any]


def broken(base: type, **methods: Any) -> Any:
    """A subclass with these methods, pickled by what it inherits."""
    return type(base.__name__, (base,), methods)


# ---- spaces --------------------------------------------------------------------------------------------


def _loop_contains(self: Space, archs: Architectures) -> Any:
    return np.array([all(self.allowed[g, o] for g, o in enumerate(a.genes)) for a in archs], dtype=bool)


def _no_empty_sample(self: Space, n: int, rng: np.random.Generator) -> Architectures:
    if n == 0:
        raise ValueError("nothing to draw")
    return Space.sample(self, n, rng)


def _lower(self: Costed, archs: Architectures) -> Graphs:
    graphs = Costed.graphs(self, archs)
    return Graphs(graphs.node_op, graphs.edge_op.transpose(0, 2, 1), graphs.ops)


def _widening(self: Space, path: str, keep: Any) -> Any:
    return Space.narrow(self, path, self.choices[0].options)


def _unnarrowed_state(self: Space) -> dict[str, Any]:
    return {**Space.__getstate__(self), "allowed": np.ones_like(self.allowed)}


def _uniform_sample(self: Space, n: int, rng: np.random.Generator) -> Architectures:
    return Architectures(self, rng.integers(0, 5, (n, len(self.choices))))


SPACES: dict[str, dict[str, Any]] = {
    "text_round_trip": {"format": lambda self, archs: [str(a)[::-1] for a in archs]},
    "bad_text_is_refused": {"check": lambda self, archs, texts=None: None},
    "sample_stays_inside": {"sample": lambda self, n, rng: Architectures(self, rng.integers(0, 6, (n, 3)))},
    "sample_reaches_every_option": {"sample": lambda self, n, rng: Architectures(self, rng.integers(0, 4, (n, 3)))},
    "mutate_changes_that_many_genes": {"mutate": lambda self, archs, rng, genes=1: self.sample(len(archs), rng)},
    "cross_takes_genes_of_the_parents": {"cross": lambda self, a, b, rng: self.sample(len(a), rng)},
    "neighbours_are_all_one_gene_moves": {
        "neighbours": lambda self, archs: tuple(x[1:] for x in Space.neighbours(self, archs))
    },
    "narrow_only_shrinks": {"narrow": _widening},
    "narrowed_operations_obey": {"sample": _uniform_sample},
    "listing_is_exact": {"index": lambda self, archs: (Space.index(self, archs) + 1) % 125},
    "size_is_a_whole_number": {"size": property(lambda self: float(self.allowed.sum(1).prod()))},
    "canonical_is_a_key_of_the_row": {"canonical": lambda self, archs: np.arange(len(archs), dtype=np.uint64)},
    "graphs_are_padded_and_forward": {"graphs": _lower},
    "costs_agree_with_graphs": {"totals": lambda self, archs, **_: self.costs(archs).sum((1, 2, 3)) // 2},
    "empty_batches_work": {"sample": _no_empty_sample},
    "pickle_round_trip": {"__getstate__": _unnarrowed_state},
    "equality_and_hash": {"__eq__": lambda self, other: True, "__hash__": lambda self: 0},
    "rows_cost_no_python": {"contains": _loop_contains},
}


class BrokenSpace(Costed):
    """Takes its fault from the table, so that it can be pickled."""

    fault = ""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return restored, (self.fault, self.__getstate__())


def restored(fault: str, state: dict[str, Any]) -> Any:
    space = object.__new__(type(broken_space(fault)))
    space.__dict__.update(state)
    return space


_TYPES: dict[str, Any] = {}


def broken_space(fault: str) -> Any:
    if fault not in _TYPES:
        _TYPES[fault] = broken(BrokenSpace, fault=fault, **SPACES[fault])
    return tiny(cls=_TYPES[fault])


# ---- encodings -----------------------------------------------------------------------------------------


def _with(change: Callable[[Any, Any], Any]) -> dict[str, Any]:
    return {"transform": lambda self, archs: change(OneHot.transform(self, archs), archs)}


def _spoiling(self: OneHot, archs: Any) -> Any:
    features = OneHot.transform(self, archs)
    archs.genes[:] = 0
    return features


def _drawing(self: OneHot, archs: Any) -> Any:
    random.random()
    return OneHot.transform(self, archs)


def _stored_otherwise(self: OneHot, size: int = 1) -> None:
    self.size = size + 1


ENCODINGS: dict[str, dict[str, Any]] = {
    "float32_one_row_each": _with(lambda x, archs: x.astype(np.float64)),
    "features_are_finite": _with(lambda x, archs: np.where(x == 1, np.float32("nan"), x)),
    "fit_returns_self": {"fit": lambda self, archs, y=None: OneHot()},
    "equal_input_gives_equal_features": _with(lambda x, a: x + np.random.default_rng().random(x.shape, np.float32)),
    "rows_are_independent": _with(lambda x, archs: x - x.mean(0)),
    "features_follow_the_rows": _with(lambda x, archs: np.sort(x, axis=0)),
    "batches_of_any_size": _with(lambda x, archs: x.squeeze()),
    "input_is_not_modified": {"transform": _spoiling},
    "narrowing_keeps_the_features": _with(lambda x, archs: x / np.float32(archs.space.size)),
    "settings_survive_a_clone": {"__init__": _stored_otherwise},
    "global_random_numbers_are_left_alone": {"transform": _drawing},
    "rows_cost_no_python": _with(lambda x, archs: np.stack([row * 1 for row in x]) if len(x) else x),
}


# ---- predictors ----------------------------------------------------------------------------------------


class Linear(Predictor):
    """A small sound predictor: ridge regression on one-hot columns, tiers by the scores of its own labels."""

    def __init__(self, strength: float = 1e-3):
        self.strength = strength

    def fit(self, archs: Archs, y: Any) -> Self:
        rows, labels = check_labels(archs, y)
        x = self._columns(rows)
        self.weights_ = np.linalg.solve(x.T @ x + self.strength * np.eye(x.shape[1]), x.T @ labels)
        self.edges_ = np.quantile(x @ self.weights_, [0.7, 0.3])
        return self

    def predict(self, archs: Archs, return_std: bool = False) -> Any:
        check_fitted(self, "weights_")
        scores = self._columns(archs) @ self.weights_
        return (scores, np.ones(len(scores))) if return_std else scores

    def predict_tier(self, archs: Archs) -> Any:
        return (self.predict(archs)[:, None] < self.edges_).sum(1)

    def predict_tier_proba(self, archs: Archs) -> Any:
        return np.eye(3)[self.predict_tier(archs)]

    def state(self) -> dict[str, Any]:
        return {"weights": self.weights_, "edges": self.edges_}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.weights_, self.edges_ = state["weights"], state["edges"]

    def _columns(self, archs: Archs) -> Any:
        x = OneHot().transform(archs).astype(np.float64)
        return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def _greedy_fit(self: Linear, archs: Any, y: Any) -> Any:
    fitted = Linear.fit(self, archs, y)
    y[:] = 0
    return fitted


def _drawing_fit(self: Linear, archs: Any, y: Any) -> Any:
    random.random()
    return Linear.fit(self, archs, y)


def _noisy_fit(self: Linear, archs: Any, y: Any) -> Any:
    fitted = Linear.fit(self, archs, y)
    fitted.weights_ = fitted.weights_ + 1e-6 * np.random.default_rng().random(len(fitted.weights_))
    return fitted


def _warm_fit(self: Linear, archs: Any, y: Any) -> Any:
    before = getattr(self, "weights_", 0)
    fitted = Linear.fit(self, archs, y)
    fitted.weights_ = fitted.weights_ + before
    return fitted


def _careless_fit(self: Linear, archs: Any, y: Any) -> Any:
    return Linear.fit(self, archs, np.nan_to_num(y))


def _stubborn_fit(self: Linear, archs: Any, y: Any) -> Any:
    if len(set(np.asarray(y).tolist())) == 1:
        raise ZeroDivisionError("the labels have no spread")
    return Linear.fit(self, archs, y)


def _crashing_fit(self: Linear, archs: Any, y: Any) -> Any:
    if len(archs) == 3:
        raise IndexError("no row to hold out")
    return Linear.fit(self, archs, y)


def _first_come_fit(self: Linear, archs: Any, y: Any) -> Any:
    return Linear.fit(self, archs.unique(), y[np.sort(np.unique(archs.keys(), return_index=True)[1])])


def _sloppy_load(cls: Any, path: Any) -> Any:
    return cls().fit(tiny(cls=Costed).enumerate(), np.zeros(125))


def _scores(change: Callable[[Any, Any], Any]) -> dict[str, Any]:
    def predict(self: Linear, archs: Any, return_std: bool = False) -> Any:
        if return_std:
            raise BadSetting("return_std", True, "False")
        return change(Linear.predict(self, archs), archs)

    return {"predict": predict}


def _unsure(self: Linear, archs: Any, return_std: bool = False) -> Any:
    scores = Linear.predict(self, archs)
    return (scores, -np.ones(len(scores))) if return_std else scores


def _unfitted_ones(self: Linear, archs: Any, return_std: bool = False) -> Any:
    return Linear.predict(self, archs, return_std) if hasattr(self, "weights_") else np.zeros(len(archs))


PREDICTORS: dict[str, dict[str, Any]] = {
    "fit_returns_self": {"fit": lambda self, archs, y: Linear().fit(archs, y)},
    "scores_are_finite_one_a_row": _scores(lambda scores, archs: scores[:, None]),
    "equal_seeds_give_equal_scores": {"fit": _noisy_fit},
    "input_is_not_modified": {"fit": _greedy_fit},
    "global_random_numbers_are_left_alone": {"fit": _drawing_fit},
    "settings_survive_a_clone": {"__init__": lambda self, strength=0.001: setattr(self, "strength", strength * 2)},
    "save_and_load_give_equal_predictions": {
        "restore": lambda self, s: Linear.restore(self, {**s, "weights": s["weights"] * 2})
    },
    "damaged_files_are_refused": {"load": classmethod(_sloppy_load)},
    "scores_follow_the_rows": _scores(lambda scores, archs: scores - scores.mean() if len(scores) else scores),
    "narrowing_keeps_the_scores": _scores(lambda scores, archs: scores + archs.space.size),
    "learns_an_easy_target": _scores(lambda scores, archs: -scores),
    "refit_forgets": {"fit": _warm_fit},
    "equal_labels_are_no_error": {"fit": _stubborn_fit},
    "uncertainty_is_not_negative": {"predict": _unsure},
    "tiers_are_in_range_and_ordered": {"predict_tier": lambda self, archs: 2 - Linear.predict_tier(self, archs)},
    "chances_of_tiers_sum_to_one": {"predict_tier_proba": lambda self, archs: np.ones((len(archs), 3))},
    "prediction_needs_a_fit": {"predict": _unfitted_ones},
    "bad_labels_are_refused": {"fit": _careless_fit},
    "few_labels_are_no_crash": {"fit": _crashing_fit},
    "repeated_labels_are_averaged": {"fit": _first_come_fit},
    "strangers_are_refused": {"learnt_space_": property(lambda self: None, lambda self, value: None)},
}


# ---- strategies ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plain:
    """A small sound strategy."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        return [Proposal(arch, {"strategy": "plain"}) for arch in history.sample(n, rng)]


class Remembering:
    """Settings that change."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        return Plain().ask(history, n, rng)


class Counting(Plain):
    asked: Iterator[int]

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        proposals = super().ask(history, n, rng)
        return proposals if random.Random().random() < 0.5 else proposals[::-1]


class Forgetful(Plain):
    """Proposes the known anew."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        return [Proposal(arch, {"strategy": "plain"}) for arch in history.space.sample(n, rng)]


class Spoiling(Plain):
    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        proposals = super().ask(history, n, rng)
        history.y[:] = 0.0
        return proposals


class Drawing(Plain):
    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        random.random()
        return super().ask(history, n, rng)


class Boundless(Plain):
    """Fresh in the space, whatever the limits say."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        unlimited = History(**{**{f: getattr(history, f) for f in history.__dataclass_fields__}, "limits": {}})
        return super().ask(unlimited, n, rng)


class Outside(Plain):
    """Goes on in the space of the first trial."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        whole = History(
            **{**{f: getattr(history, f) for f in history.__dataclass_fields__}, "space": history.archs.space}
        )
        return super().ask(whole, n, rng)


class Wordless(Plain):
    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        return [Proposal(p.arch, {"score": float("nan")}) for p in super().ask(history, n, rng)]


class Unending(Plain):
    """Never says that nothing is left."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        return super().ask(history, n, rng) or [Proposal(history.archs[0], {"strategy": "again"})]


_asked = 0


class Moody(Plain):
    """Depends on what this process has asked before."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        global _asked
        _asked += 1
        return super().ask(history, n, np.random.default_rng([_asked, len(history)]))


class Fragile(Plain):
    """Stumbles over failures."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        if len(history) - len(history.done) - len(history.running) > 4:
            raise ValueError("nan in the labels")
        return super().ask(history, n, rng)


class Dividing(Plain):
    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        y = history.done.y
        if len(y) > 3 and y.std() == 0:
            raise ZeroDivisionError("no spread")
        return super().ask(history, n, rng)


class Nostalgic(Plain):
    """Goes on in the space that it saw first."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        return super().ask(replace(history, space=vars(self).setdefault("first", history.space)), n, rng)


STRATEGIES: dict[str, Broken] = {
    "settings_are_frozen": Remembering,
    "equal_histories_give_equal_proposals": Counting,
    "the_history_is_not_modified": Spoiling,
    "global_random_numbers_are_left_alone": Drawing,
    "proposals_are_fresh": Forgetful,
    "limits_are_obeyed": Boundless,
    "a_narrowed_space_is_obeyed": Outside,
    "every_why_is_json": Wordless,
    "nothing_is_left_at_the_end": Unending,
    "restarts_change_nothing": Moody,
    "failures_do_not_stop_it": Fragile,
    "equal_results_do_not_stop_it": Dividing,
    "steering_is_obeyed": Nostalgic,
}


# ---- evaluators ----------------------------------------------------------------------------------------


def sound(arch: Architecture) -> float:
    return float(sum(arch.genes))


class Sound:
    """With all that an evaluator may have."""

    space: Any = tiny()

    def __call__(self, arch: Architecture, job: Any) -> dict[str, float]:
        return {"accuracy": sound(arch), "seconds": 1.0}

    def many(self, archs: Architectures, seeds: list[int]) -> dict[str, Any]:
        return {"accuracy": archs.genes.sum(1).astype(float), "seconds": np.ones(len(archs))}

    def known(self, name: str, archs: Architectures) -> Any:
        return archs.genes.max(1).astype(float) if name == "params" else None


class Wordy(Sound):
    def __call__(self, arch: Architecture, job: Any) -> Any:
        return "good"


class Chancy(Sound):
    def __call__(self, arch: Architecture, job: Any) -> dict[str, float]:
        return {"accuracy": float(np.random.default_rng().random())}


class GlobalDrawing(Sound):
    def __call__(self, arch: Architecture, job: Any) -> dict[str, float]:
        random.random()
        return super().__call__(arch, job)


class Disagreeing(Sound):
    def many(self, archs: Architectures, seeds: list[int]) -> dict[str, Any]:
        return {"accuracy": np.zeros(len(archs))}


class Knowing(Sound):
    def known(self, name: str, archs: Architectures) -> Any:
        return np.zeros(len(archs))


class Elsewhere(Sound):
    space = tiny(cls=Costed)

    def __init__(self) -> None:
        self.space = tiny(2)
        self.space.name = "elsewhere"


class Rooted(Sound):
    def __reduce__(self) -> Any:
        raise TypeError("cannot travel")


EVALUATORS: dict[str, Broken] = {
    "answers_numbers": Wordy,
    "equal_seeds_give_equal_numbers": Chancy,
    "global_random_numbers_are_left_alone": GlobalDrawing,
    "many_equals_one_by_one": Disagreeing,
    "known_costs_are_columns": Knowing,
    "its_space_is_the_space": Elsewhere,
    "travels_to_a_worker": Rooted,
}


# ---- executors -----------------------------------------------------------------------------------------


class Swapping(inline):
    """Gives the result of the evaluation before."""

    last: Any = None

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        now, Swapping.last = (
            Swapping.last or super().submit(fn, *args, **kwargs),
            super().submit(fn, *args, **kwargs),
        )
        return now


class Contagious(inline):
    """One error fails everything after it."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = getattr(self, "failed", None) or super().submit(fn, *args, **kwargs)
        if future.exception():
            self.failed = future
        return future


class Hasty(ThreadPoolExecutor):
    def __exit__(self, *_: object) -> None:
        self.shutdown(wait=False)


def breaking() -> Executor:
    """The standard library's: one dead worker breaks the whole pool."""
    return ProcessPoolExecutor(2, mp_context=get_context("spawn"))


def forgiving() -> Executor:
    """Says of a killed worker that its evaluation has failed, which a study believes."""
    engine, failed = local(2), "the worker has died"

    def submit(fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        theirs, future = local.submit(engine, fn, *args, **kwargs), Future[Any]()

        def done(_: Future[Any]) -> None:
            error = theirs.exception()
            if error is None:
                future.set_result(theirs.result())
            else:
                future.set_exception(RuntimeError(failed))

        theirs.add_done_callback(done)
        return future

    engine.submit = submit  # pyright: ignore[reportAttributeAccessIssue]
    return engine


class Orphaning(inline):
    """Says that it ran in the process of its own that the test has started and that goes on."""

    pid = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(self.pid)
        return future


EXECUTORS: dict[str, Broken] = {
    "results_belong_to_their_futures": Swapping,
    "an_exception_belongs_to_its_future": Contagious,
    "leaving_waits_for_what_runs": Hasty,
    "a_killed_worker_fails_only_its_own": breaking,
    "a_killed_evaluation_goes_on_from_its_checkpoint": forgiving,
    "no_process_is_left_over": Orphaning,
}
