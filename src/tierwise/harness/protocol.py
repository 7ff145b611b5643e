"""A claim: one TOML file that says what is measured, on which data, with which methods, and what must come out."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tierwise.errors import BadSetting, BadTable, UnknownName
from tierwise.registry import Kind, installed

BASELINES = {
    "random": "random",
    "params": "parameters, nothing learnt",
    "flops": "FLOPs, nothing learnt",
    "trees": "boosted trees (LightGBM) on plain features",
}
PERFECT = "perfect"  # knows the truth: the bound of a protocol, never a method
FEATURES = ("onehot", "flops", "params")
FIGURES = {
    "ranking": (
        *("tau", "spearman", "weighted_tau", "tau_top10", "tier_accuracy", "regret_at_1", "regret_at_10"),
        *("p_at_0.1", "p_at_1", "p_at_5", "p_at_10", "n_at_1", "n_at_10", "n_at_50"),
    ),
    "search": ("validation", "test", "oracle_test", "validation_regret", "test_regret", "success"),
    "published": (
        *("test_as_published", "rank_as_published", "mean_test_of_iterations"),
        *("validation", "test_of_best_validation", "labels", "distinct"),
    ),
}
PROTOCOL = {  # fields of a claim that decide what a shard computes
    "ranking": ("draw",),
    "search": ("trials", "seconds", "checkpoints", "batch"),
    "published": ("draw", "k", "iterations", "sample", "bins", "sampler"),
}
OUTSIDE = "outside_"  # prefix of a ranking figure on the cells without a label
Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Data(_Strict):
    """Where labels and truth come from.

    benchmark: a registered one; options: what its loader takes beside `dataset` and `table`.
    space: instead of a benchmark, a registered space whose labels are arrays of the npz `file`: `label` and `truth`
    name them, `rows` the array of their positions in the space; `scale` turns them into percent.
    file, sha256: a results file in the data folder and its checksum.
    label, truth: what a method learns from and what it is judged by.
    """

    benchmark: Text | None = None
    space: Text | None = None
    datasets: Annotated[list[Text], Field(min_length=1)]
    file: Text | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    options: dict[str, Any] = Field(default_factory=dict[str, Any])
    label: Text = "validation"
    truth: Text = "test"
    rows: Text | None = None
    scale: float = 1.0
    note: str = ""


class Method(_Strict):
    """What is compared: a registered predictor or strategy with its settings, or a baseline.

    encoding: of a predictor that takes one; of the boosted trees, the encodings they read.
    seeds, datasets, labels, batch: fewer or others than the claim has; the page says so.
    """

    about: str = ""
    baseline: Literal["random", "params", "flops", "trees", "perfect"] | None = None
    predictor: Text | None = None
    strategy: Text | None = None
    encoding: str | list[str] | None = None
    settings: dict[str, Any] = Field(default_factory=dict[str, Any])
    seeds: Count | None = None
    datasets: list[Text] | None = None
    labels: list[Count] | None = None
    batch: Count | None = None

    @property
    def learns(self) -> bool:
        """Whether it sees labels before it scores."""
        return self.predictor is not None or self.baseline == "trees"


class Assertion(_Strict):
    """A figure that the documentation states: the mean over all seeds.

    at: number of labels (ranking), evaluations or simulated seconds (search), looked up an iteration (published).
    """

    method: Text
    dataset: Text
    at: int
    figure: Text
    value: float
    tolerance: Annotated[float, Field(ge=0)]
    bounds: bool = True


class Claim(_Strict):
    """One protocol.

    ranking: learn from each number of `labels`, score everything. search: `trials` evaluations, or as many as
    `seconds` of recorded training allow, looked at after each of the checkpoints. published: `iterations` of `sample`
    candidates of which the top `k` are looked up, with and without `bounds` on their cost;
    bins: of the costs; sampler: settings of the bounds for what has learnt tiers, instead of its own released search.
    draw: first word of the seed of the label draws.
    """

    title: Text
    paper: str = ""
    kind: Literal["ranking", "search", "published"]
    notes: str = ""
    data: Data
    methods: dict[str, Method]
    seeds: Count = 10
    labels: list[Count] = Field(default_factory=list[int])
    trials: Count | None = None
    seconds: list[Count] = Field(default_factory=list[int])
    checkpoints: list[Count] = Field(default_factory=list[int])
    batch: Count = 10
    k: list[Count] = Field(default_factory=list[int])
    bounds: list[bool] = Field(default_factory=lambda: [True])
    iterations: Count = 50
    sample: Count = 128
    bins: Count = 5
    sampler: dict[str, Any] = Field(default_factory=dict[str, Any])
    draw: int = 201
    claim: list[Assertion] = Field(default_factory=list[Assertion])

    def datasets(self, method: str) -> list[str]:
        """Those that this method runs on."""
        return self.methods[method].datasets or self.data.datasets

    def seeds_of(self, method: str) -> int:
        """How many seeds it runs with."""
        return self.methods[method].seeds or self.seeds

    def digest(self, method: str) -> str:
        """What a shard of this method depends on: when this changes, its shards are computed anew."""
        data = self.data.model_dump(exclude={"datasets", "note"}, exclude_defaults=True)
        own = self.methods[method].model_dump(exclude={"about", "seeds", "datasets", "labels"}, exclude_defaults=True)
        run = {name: getattr(self, name) for name in PROTOCOL[self.kind]}
        text = json.dumps([self.kind, data, own, run], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def load_claim(path: str | Path) -> Claim:
    """The claim of a TOML file, with every baseline. Raises BadTable, BadSetting, UnknownName: file, field, allowed."""
    source = Path(path)
    try:
        with source.open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError as error:
        raise BadTable(source, "there is no such claim file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadTable(source, f"not a readable TOML file ({error})") from error
    try:
        claim = Claim.model_validate(content)
    except ValidationError as error:
        raise _explained(source.name, error) from error
    methods = {name: _named(source.name, name, method) for name, method in claim.methods.items()}
    missing = {name: Method(about=about, baseline=name) for name, about in BASELINES.items() if name not in methods}  # type: ignore[arg-type]
    claim = claim.model_copy(update={"methods": {**missing, **methods}})
    _check(source.name, claim)
    return claim


def claim_name(path: str | Path) -> str:
    """``bench/ranking_nasbench201.toml`` -> ``ranking-nasbench201``: names results, pictures and section."""
    return Path(path).stem.replace("_", "-")


def _named(file: str, name: str, method: Method) -> Method:
    """A method called like a baseline is that baseline; each has exactly one way to work."""
    ways = [way for way in ("baseline", "predictor", "strategy") if getattr(method, way) is not None]
    if not ways and name in (*BASELINES, PERFECT):
        return method.model_copy(update={"baseline": name, "about": method.about or BASELINES.get(name, name)})
    if len(ways) != 1:
        allowed = f"one of predictor, strategy, baseline (methods called {', '.join(BASELINES)} need none)"
        raise BadSetting(f"{file}: methods.{name}", ways or "nothing", allowed)
    return method if method.about else method.model_copy(update={"about": f"`{name}`"})


def _check(file: str, claim: Claim) -> None:
    """What one field alone cannot tell."""
    _check_data(file, claim.data)
    needs = {"ranking": ("labels",), "search": (), "published": ("labels", "k")}[claim.kind]
    for field in needs:
        if not getattr(claim, field):
            raise BadSetting(f"{file}: {field}", "nothing", f"a list of numbers; kind {claim.kind} needs it")
    if claim.kind == "search" and (claim.trials is None) == (not claim.seconds):
        raise BadSetting(f"{file}: trials", claim.trials, "either trials or seconds (a list, the last is the budget)")
    if claim.kind == "search" and claim.trials and max(claim.checkpoints, default=0) > claim.trials:
        raise BadSetting(f"{file}: checkpoints", claim.checkpoints, f"1 to the {claim.trials} trials")
    kinds: tuple[Kind, ...] = ("predictor", "strategy")
    for name, method in claim.methods.items():
        for kind in kinds:
            _known(f"{file}: methods.{name}.{kind}", getattr(method, kind), installed(kind))
        for encoding in [method.encoding] if isinstance(method.encoding, str) else method.encoding or []:
            _known(f"{file}: methods.{name}.encoding", encoding, installed("encoding"))
        for dataset in method.datasets or []:
            _known(f"{file}: methods.{name}.datasets", dataset, claim.data.datasets)
        wrong = "strategy" if claim.kind != "search" else "predictor"
        if getattr(method, wrong):
            allowed = f"{'strategy' if claim.kind == 'search' else 'predictor'}; kind {claim.kind} takes no {wrong}"
            raise BadSetting(f"{file}: methods.{name}.{wrong}", getattr(method, wrong), allowed)
    for k, stated in enumerate(claim.claim):
        _check_assertion(f"{file}: claim {k + 1}", claim, stated)


def _check_data(file: str, data: Data) -> None:
    if (data.benchmark is None) == (data.space is None):
        raise BadSetting(f"{file}: data.benchmark", data.benchmark, "either benchmark or space, a registered name")
    _known(f"{file}: data.benchmark", data.benchmark, installed("benchmark"))
    _known(f"{file}: data.space", data.space, installed("space"))
    if data.space and not data.file:
        raise BadSetting(f"{file}: data.file", None, "the npz file with the labels of the space")
    if data.file and not data.sha256:
        raise BadSetting(f"{file}: data.sha256", None, "the SHA-256 of data.file, 64 hexadecimal digits")


def _check_assertion(where: str, claim: Claim, stated: Assertion) -> None:
    _known(f"{where}: method", stated.method, claim.methods)
    _known(f"{where}: dataset", stated.dataset, claim.datasets(stated.method))
    plain = stated.figure.removeprefix(OUTSIDE) if claim.kind == "ranking" else stated.figure
    _known(f"{where}: figure", plain, FIGURES[claim.kind])
    places = {"ranking": claim.methods[stated.method].labels or claim.labels, "published": claim.k}
    places["search"] = claim.seconds or claim.checkpoints or [claim.trials or 0]
    if stated.at not in places[claim.kind]:
        raise BadSetting(f"{where}: at", stated.at, ", ".join(map(str, places[claim.kind])))


def _known(what: str, name: str | None, known: Any) -> None:
    if name is not None and name not in known:
        raise UnknownName(what, name, known)


def _explained(file: str, error: ValidationError) -> BadSetting | UnknownName:
    """The first thing wrong, by field, with what is allowed."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    where, parts = f"{file}: {'.'.join(path)}", {"data": Data, "methods": Method, "claim": Assertion}
    fields = list((parts.get(path[0], Claim) if len(path) > 1 else Claim).model_fields)
    if first["type"] == "extra_forbidden":
        return UnknownName(f"field {'.'.join(path[:-1]) or 'at the top'} of {file}", path[-1], fields)
    if first["type"] == "missing":
        return BadSetting(where, "nothing", f"this field is needed; fields here: {', '.join(_sorted(fields))}")
    return BadSetting(where, first["input"], str(first.get("ctx", {}).get("expected") or first["msg"]))


def _sorted(names: Sequence[str]) -> list[str]:
    return sorted(names)
