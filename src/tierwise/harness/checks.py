"""What one field of a claim alone cannot tell: names that must be known, fields that exclude each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tierwise.errors import BadSetting, UnknownName
from tierwise.registry import Kind, installed

if TYPE_CHECKING:
    from tierwise.harness.protocol import Assertion, Claim, Data, Method

CALIBRATION = ("coverage50", "coverage90", "ece_tier")  # of methods that ask for it
FIGURES = {
    "ranking": (
        *("tau", "spearman", "weighted_tau", "tau_top10", "tier_accuracy", "regret_at_1", "regret_at_10"),
        *("p_at_0.1", "p_at_1", "p_at_5", "p_at_10", "n_at_1", "n_at_10", "n_at_50"),
        *CALIBRATION,
    ),
    "search": (
        *("validation", "test", "oracle_test", "validation_regret", "test_regret", "success"),
        *("evaluations_to_best", "evaluations_to_top"),
    ),
    "published": (
        *("test_as_published", "rank_as_published", "mean_test_of_iterations"),
        *("validation", "test_of_best_validation", "labels", "distinct"),
    ),
}
OUTSIDE = "outside_"  # prefix of a ranking figure on the cells without a label
ONE_TRAINING = "seed"  # label of a search: another recorded training for another seed


def known(what: str, name: str | None, names: Any) -> None:
    """Raises UnknownName for a name that is given and not among the `names`."""
    if name is not None and name not in names:
        raise UnknownName(what, name, names)


def check_data(where: str, data: Data) -> None:
    """The data of a claim. Raises BadSetting, UnknownName."""
    if (data.benchmark is None) == (data.space is None):
        raise BadSetting(f"{where}: data.benchmark", data.benchmark, "either benchmark or space, a registered name")
    known(f"{where}: data.benchmark", data.benchmark, installed("benchmark"))
    known(f"{where}: data.space", data.space, installed("space"))
    if data.space and not data.file:
        raise BadSetting(f"{where}: data.file", None, "the npz file with the labels of the space")
    if data.file and not data.sha256:
        raise BadSetting(f"{where}: data.sha256", None, "the SHA-256 of data.file, 64 hexadecimal digits")


def check_claim(file: str, claim: Claim) -> None:
    """A claim with all of its baselines. Raises BadSetting, UnknownName."""
    check_data(file, claim.data)
    needs = {"ranking": ("labels",), "search": (), "published": ("labels", "k")}[claim.kind]
    for field in needs:
        if not getattr(claim, field):
            raise BadSetting(f"{file}: {field}", "nothing", f"a list of numbers; kind {claim.kind} needs it")
    if claim.kind == "search":
        _check_search(file, claim)
    elif claim.data.label == ONE_TRAINING:
        raise BadSetting(f"{file}: data.label", ONE_TRAINING, "seed0, seed1, ...; kind search takes seed")
    for name in claim.methods:
        check_method(file, name, claim)
    if 0 in claim.labels and not any(method.source for method in claim.methods.values()):
        raise BadSetting(f"{file}: labels", 0, "1 or more; 0 if a method has a source")
    for k, stated in enumerate(claim.claim):
        _check_assertion(f"{file}: claim {k + 1}", claim, stated)


def _check_search(file: str, claim: Claim) -> None:
    if (claim.trials is None) == (not claim.seconds):
        raise BadSetting(f"{file}: trials", claim.trials, "either trials or seconds (a list, the last is the budget)")
    if claim.trials and max(claim.checkpoints, default=0) > claim.trials:
        raise BadSetting(f"{file}: checkpoints", claim.checkpoints, f"1 to the {claim.trials} trials")
    if claim.until and not claim.trials:
        raise BadSetting(f"{file}: until", True, "a claim of trials, the most that a search may take")


def _check_assertion(where: str, claim: Claim, stated: Assertion) -> None:
    known(f"{where}: method", stated.method, claim.methods)
    known(f"{where}: dataset", stated.dataset, claim.datasets(stated.method))
    known(f"{where}: limit", stated.limit, claim.limits or [""])
    plain = stated.figure.removeprefix(OUTSIDE) if claim.kind == "ranking" else stated.figure
    known(f"{where}: figure", plain, FIGURES[claim.kind])
    places = {"ranking": claim.methods[stated.method].labels or claim.labels, "published": claim.k}
    places["search"] = claim.stops
    if stated.at not in places[claim.kind]:
        raise BadSetting(f"{where}: at", stated.at, ", ".join(map(str, places[claim.kind])))


def check_method(file: str, name: str, claim: Claim) -> None:
    """One method of a claim. Raises BadSetting, UnknownName."""
    method, where = claim.methods[name], f"{file}: methods.{name}"
    kinds: tuple[Kind, ...] = ("predictor", "strategy")
    for kind in kinds:
        known(f"{where}.{kind}", getattr(method, kind), installed(kind))
    for encoding in [method.encoding] if isinstance(method.encoding, str) else method.encoding or []:
        name_alone = encoding.partition(":")[0] if method.predictor else encoding  # "columns:PATH"
        known(f"{where}.encoding", name_alone, installed("encoding"))
    for dataset in method.datasets or []:
        known(f"{where}.datasets", dataset, claim.data.datasets)
    _check_inputs(where, claim, method)
    wrong = "strategy" if claim.kind != "search" else "predictor"
    if getattr(method, wrong):
        allowed = f"{'strategy' if claim.kind == 'search' else 'predictor'}; kind {claim.kind} takes no {wrong}"
        raise BadSetting(f"{where}.{wrong}", getattr(method, wrong), allowed)


def _check_inputs(where: str, claim: Claim, method: Method) -> None:
    for dataset in method.inputs if isinstance(method.inputs, dict) else ():
        known(f"{where}.inputs", dataset, claim.data.datasets)
    given = [field for field in ("inputs", "source") if getattr(method, field)]
    if given and (claim.kind != "ranking" or not method.predictor):
        raise BadSetting(f"{where}.{given[0]}", getattr(method, given[0]), "a predictor in a claim of kind ranking")
    if 0 in (method.labels or ()) and not method.source:
        raise BadSetting(f"{where}.labels", 0, "1 or more; 0 with a source")
