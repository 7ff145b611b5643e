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
from tierwise.harness.checks import check_claim, check_data, known
from tierwise.registry import installed

BASELINES = {
    "random": "random",
    "params": "parameters, nothing learnt",
    "flops": "FLOPs, nothing learnt",
    "trees": "boosted trees (LightGBM) on plain features",
}
PERFECT = "perfect"  # knows the truth: the bound of a protocol, never a method
FEATURES = ("onehot", "flops", "params")
PROTOCOL = {  # fields of a claim that decide what a shard computes
    "ranking": ("draw",),
    "search": ("trials", "seconds", "checkpoints", "batch"),
    "published": ("draw", "k", "iterations", "sample", "bins", "sampler"),
}
ADDED = ("until", "top", "limits", "duplicates")  # further ones, which count only where they are not the default
Count = Annotated[int, Field(ge=1)]
Labels = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Percent = Annotated[float, Field(gt=0, le=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Cheap(_Strict):
    """Cheap evaluations of a search: data set -> the array of their accuracies, in percent, in the results file.

    budget: what a strategy asks for them by, such as their epochs; seconds: their share of a full training's.
    """

    budget: Count
    seconds: Share
    accuracy: dict[Text, Text]


class Data(_Strict):
    """Where labels and truth come from.

    benchmark: a registered one; options: what its loader takes beside `dataset` and `table`.
    space: instead of a benchmark, a registered space whose labels are arrays of the npz `file`: `label` and `truth`
    name them, `rows` the array of their positions in the space; `scale` turns them into percent.
    file, sha256: a results file in the data folder and its checksum.
    label, truth: what a method learns from and what it is judged by. Label "seed", of a search: the accuracy of one
    recorded training, for all of a run the same one by the run's seed. cheap: what a search may evaluate besides.
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
    cheap: Cheap | None = None
    note: str = ""


class Source(_Strict):
    """What a predictor learns from before: `labels` random labels of a data set of this claim, or of another one.

    claim: the file of that claim, beside this one; data: its data, filled in when it is read. predictor: what learns
    there, with its defaults, instead of the method's own predictor.
    """

    dataset: Text
    labels: Count
    claim: Text | None = None
    predictor: Text | None = None
    data: Data | None = None


class Method(_Strict):
    """What is compared: a registered predictor or strategy with its settings, or a baseline.

    encoding: of a predictor that takes one; of the boosted trees, the encodings they read.
    seeds, datasets, labels, batch: fewer or others than the claim has; the page says so.
    inputs: recorded columns that a predictor reads beside its encodings, the same for all data sets or for each its
    own; input_cost: full trainings that they have cost for one architecture. source: a predictor fitted there, without
    the inputs, whose scores here are a further input; with 0 labels it scores alone, and one that can ``adapt`` goes
    on with the labels itself. calibration: whether its intervals and chances of tiers are judged as well.
    against: of a strategy under a limit, whether less of what is limited is a second goal.
    """

    about: str = ""
    baseline: Literal["random", "params", "flops", "trees", "perfect"] | None = None
    predictor: Text | None = None
    strategy: Text | None = None
    encoding: str | list[str] | None = None
    settings: dict[str, Any] = Field(default_factory=dict[str, Any])
    seeds: Count | None = None
    datasets: list[Text] | None = None
    labels: list[Labels] | None = None
    batch: Count | None = None
    inputs: list[Text] | dict[Text, list[Text]] = Field(default_factory=list[str])
    input_cost: Annotated[float, Field(ge=0)] = 0.0
    source: Source | None = None
    calibration: bool = False
    against: bool = False

    @property
    def learns(self) -> bool:
        """Whether it sees labels before it scores."""
        return self.predictor is not None or self.baseline == "trees"

    def inputs_on(self, dataset: str) -> list[str]:
        """The recorded columns that it reads on one data set."""
        return self.inputs.get(dataset, []) if isinstance(self.inputs, dict) else self.inputs


class Assertion(_Strict):
    """A figure that the documentation states: the mean over all seeds.

    at: number of labels (ranking), evaluations or simulated seconds (search), looked up an iteration (published).
    bounds: of a published claim; limit: of a search under limits.
    """

    method: Text
    dataset: Text
    at: int
    figure: Text
    value: float
    tolerance: Annotated[float, Field(ge=0)]
    bounds: bool = True
    limit: str = ""


class Claim(_Strict):
    """One protocol.

    ranking: learn from each number of `labels`, 0 for what has a source, and score everything. search: `trials`
    evaluations, or as many as `seconds` of recorded training allow, looked at after each of the checkpoints.
    until: stop once the best label there is has been evaluated and the checkpoints are reached; top: per cent of the
    labels that count as found, too. limits: recorded column -> its quantile that no evaluation may exceed, a
    share of 0 to 1; each is a search of its own. duplicates: whether equal networks are all evaluated, each with
    its own label, instead of one of them.
    published: `iterations` of `sample` candidates of which the top `k` are looked up, with and without `bounds` on
    their cost; bins: of the costs; sampler: settings of the bounds for what has learnt tiers, instead of its own
    released search.
    draw: first word of the seed of the label draws.
    """

    title: Text
    paper: str = ""
    kind: Literal["ranking", "search", "published"]
    notes: str = ""
    data: Data
    methods: dict[str, Method]
    seeds: Count = 10
    labels: list[Labels] = Field(default_factory=list[int])
    trials: Count | None = None
    seconds: list[Count] = Field(default_factory=list[int])
    checkpoints: list[Count] = Field(default_factory=list[int])
    batch: Count = 10
    until: bool = False
    top: Percent = 0.1
    limits: dict[Text, Share] = Field(default_factory=dict[Text, Share])
    duplicates: bool = False
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

    @property
    def stops(self) -> list[int]:
        """Where a search is looked at, in evaluations or in simulated seconds."""
        at = self.checkpoints if self.checkpoints and not self.until else [*self.checkpoints, self.trials or 0]
        return self.seconds or sorted(set(at))

    def digest(self, method: str) -> str:
        """What a shard of this method depends on: when this changes, its shards are computed anew."""
        data = self.data.model_dump(exclude={"datasets", "note"}, exclude_defaults=True)
        unused = {"about", "seeds", "datasets", "labels", "input_cost"}
        own = self.methods[method].model_dump(exclude=unused, exclude_defaults=True)
        run = {name: getattr(self, name) for name in PROTOCOL[self.kind]}
        run |= self.model_dump(include=set(ADDED), exclude_defaults=True)
        text = json.dumps([self.kind, data, own, run], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def load_claim(path: str | Path) -> Claim:
    """The claim of a TOML file, with every baseline. Raises BadTable, BadSetting, UnknownName: file, field, allowed."""
    source = Path(path)
    claim = _read(source)
    methods = {name: _named(source.name, name, method) for name, method in claim.methods.items()}
    missing = {name: Method(about=about, baseline=name) for name, about in BASELINES.items() if name not in methods}  # type: ignore[arg-type]
    claim = claim.model_copy(update={"methods": {**missing, **methods}})
    check_claim(source.name, claim)
    with_data = {name: _with_source(source, name, claim) for name in claim.methods}
    return claim.model_copy(update={"methods": with_data})


def _read(source: Path) -> Claim:
    try:
        with source.open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError as error:
        raise BadTable(source, "there is no such claim file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadTable(source, f"not a readable TOML file ({error})") from error
    try:
        return Claim.model_validate(content)
    except ValidationError as error:
        raise _explained(source.name, error) from error


def _with_source(path: Path, name: str, claim: Claim) -> Method:
    """The method, told the data of the other claim that it learns from, if it does. Raises as `load_claim` does."""
    method, where = claim.methods[name], f"{path.name}: methods.{name}.source"
    source = method.source
    if source is None:
        return method
    if source.data is not None:
        raise BadSetting(f"{where}.data", "given", "claim, the file of another claim, whose data are taken")
    data = _read(path.parent / source.claim).data if source.claim else claim.data
    check_data(f"{where}.claim", data)
    known(f"{where}.dataset", source.dataset, data.datasets)
    known(f"{where}.predictor", source.predictor, installed("predictor"))
    filled = source.model_copy(update={"data": data.model_copy(update={"datasets": [source.dataset], "note": ""})})
    return method.model_copy(update={"source": filled}) if source.claim else method


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
