"""Routes of one-shot steering: draw a template, begin a study of it, train shared weights, assemble, train, save."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse, Response

from tierwise.architecture import Architecture, Architectures
from tierwise.command_line import noted
from tierwise.errors import BadSetting
from tierwise.metrics import kendall_tau
from tierwise.server import oneshot_work as work
from tierwise.server import templates
from tierwise.server.answers import Problem, ReadOnly, answer
from tierwise.server.server import Server
from tierwise.spaces.template import TemplateSpace
from tierwise.spaces.template_presets import preset
from tierwise.spaces.template_shapes import as_dict, read_template, write_template
from tierwise.study import Study
from tierwise.supernets.assembly import assemble
from tierwise.trial_folder import read_curve

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$"  # of a study that is made here
LEAST_AGREEING = 3  # networks trained in full, before their ranks are compared
LOSSES = {"cross entropy": 0.0, "smoothed cross entropy": 0.1}
ERRORS: dict[int | str, dict[str, Any]] = {
    403: {"model": Problem}, 404: {"model": Problem}, 422: {"model": Problem},
}  # fmt: skip
Shape = Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=1, max_length=3)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Drawn(_Body):
    """A template as it stands in a file."""

    template: dict[str, Any]


class Sampled(Drawn):
    """So many masks of it."""

    count: Annotated[int, Field(ge=1, le=5_000)] = templates.SHOWN
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0


class Begun(Drawn):
    """A new study. search: whether it searches at once, or waits behind the training."""

    name: Annotated[str, Field(pattern=NAME)]
    data: Annotated[str, Field(max_length=200)] = "digits"
    optimiser: Literal["sgd", "adamw"] = "sgd"
    loss: Literal["cross entropy", "smoothed cross entropy"] = "cross entropy"
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 10
    batch: Annotated[int, Field(ge=2, le=100_000)] = 64
    trials: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    search: bool = True


class Training(_Body):
    """on: go on with the shared weights; off: end with the epoch at hand."""

    on: bool


class Chosen(_Body):
    """best, fitness, or an architecture as text."""

    choose: Annotated[str, Field(max_length=10_000)] = "best"


class Trained(Chosen):
    """A training in full. baseline: instead of what was chosen the whole template, a random mask, or one of those that
    the search has evaluated and nobody has trained: how far shared weights are to be believed.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 20
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    baseline: Literal["template", "random", "evaluated"] | None = None


class Assembled(BaseModel):
    """A network put together from blocks. wide: FLOPs and parameters of the whole template."""

    text: str
    genes: list[int]
    flops: int
    params: int
    wide: list[int]


class RankAgreement(BaseModel):
    """Kendall's tau of accuracies on shared weights with validation accuracies of n networks trained in full."""

    n: int
    tau: float


class SharedState(BaseModel):
    """How far the shared weights are. state: waiting, running, stopped (nobody drives it) or done. agreement: None with
    fewer than three networks trained in full, or where all are alike.
    """

    state: str
    epoch: int
    epochs: int
    curve: list[dict[str, float]]
    template: dict[str, Any]
    data: str
    agreement: RankAgreement | None


def router(server: Server) -> APIRouter:
    """GET presets, presets/NAME, state, trainings and their files; POST check, sample, create, training, assemble,
    train; all under /oneshot.
    """
    routes, processes = APIRouter(prefix="/oneshot", responses=ERRORS), work.Processes()

    @routes.get("/presets")
    def presets() -> Response:
        found = {"presets": templates.presets(), "palette": templates.palette(), "losses": list(LOSSES)}
        return answer({**found, "data": templates.data_sets(server.folder)})

    @routes.get("/presets/{name}")
    def one(name: str, data: Annotated[str, Field(max_length=200)] = "digits", width: int = 8) -> Response:
        shapes = {each.name: tuple(each.shape) for each in templates.data_sets(server.folder)}
        if data not in shapes:
            raise BadSetting("data", data, ", ".join(shapes))
        if not 1 <= width <= 256:
            raise BadSetting("width", width, "1 to 256 channels")
        return answer(as_dict(preset(name, shapes[data], width)))

    @routes.post("/check", response_model=templates.TemplateFacts)
    def check(body: Drawn) -> Response:
        return answer(templates.checked(body.template))

    @routes.post("/sample", response_model=templates.SampleFacts)
    def sample(body: Sampled) -> Response:
        return answer(templates.sampled(body.template, body.count, body.seed))

    @routes.post("/create", status_code=201)
    def create(body: Begun) -> Response:
        if server.read_only:
            raise ReadOnly("this server only shows studies: start it without --read-only to make one")
        begin(server, body)
        return answer({"name": f"{body.name}.db"}, 201)

    @routes.get("/state", response_model=SharedState)
    def state() -> Response:
        return answer(shared_state(server.navigator.study))

    @routes.post("/training", response_model=SharedState)
    def training(body: Training) -> Response:
        study = server.writable().study
        if not body.on:
            work.stop_training(study)
        elif not (study.driving or work.trains(work.shared_folder(study))):
            server.start(None)
        return answer(shared_state(study))

    @routes.post("/assemble", response_model=Assembled)
    def put_together(body: Chosen) -> Response:
        study = server.navigator.study
        return answer(facts(study, assemble(study, body.choose)))

    @routes.post("/train", status_code=202)
    def train(body: Trained) -> Response:
        study = server.writable().study
        arch = assemble(study, body.choose)
        what = body.baseline or "chosen"
        if body.baseline is not None:
            arch = _baseline(study, body.baseline, body.seed)
        key = work.begin_training(study, processes, str(arch), what, body.epochs, body.seed)
        return answer({"key": key}, 202)

    @routes.get("/trainings")
    def trainings() -> Response:
        study = server.navigator.study
        found, shared = work.trainings(study, processes), _on_shared_weights(study)
        for each in found:
            each |= {"text": _text(study, each["architecture"]), "shared": shared.get(each["architecture"])}
        return answer(found)

    @routes.get("/trainings/{key}/{name}", response_class=FileResponse)
    def file(key: str, name: str) -> Response:
        path = work.file_of(server.navigator.study, key, name)
        return FileResponse(path, filename=name, media_type="application/octet-stream")

    return routes


def begin(server: Server, body: Begun) -> None:
    """Write the template, start the driver, open the study. Raises BadSetting, UnknownName."""
    template = read_template(body.template)
    TemplateSpace(template)  # what does not fit is said now
    data = templates.data_named(server.folder, body.data)
    path, file = server.folder / f"{body.name}.db", server.folder / f"{body.name}.template.json"
    if path.exists() or file.exists():
        raise BadSetting("name", body.name, "one that no study in this folder has")
    write_template(template, file)
    shared = {"epochs": body.epochs, "batch": body.batch, "optimiser_name": body.optimiser, "seed": body.seed}
    shared |= {"smoothing": LOSSES[body.loss]} if LOSSES[body.loss] else {}
    arguments = [
        "run",
        "--template",
        str(file),
        "--data",
        data,
        *work.pairs("--shared", shared),
        "--strategy",
        "blocks",
    ]
    arguments += ["--trials", str(body.trials), "--seed", str(body.seed), "--study", str(path), "--no-report"]
    log = server.folder / f"{body.name}.log"
    server.driver.start(["tierwise", *arguments], log)
    try:
        work.wait_for_study(path, lambda: server.driver.runs, log)
    except BadSetting:
        file.unlink(missing_ok=True)
        raise
    if not body.search:
        work.hold(path)
    server.total = body.trials
    server.open(path)


def shared_state(study: Study) -> SharedState:
    """From the files beside the study. Raises BadSetting for a study of anything else."""
    space, about = _template(study), noted(study)
    folder = work.shared_folder(study)
    curve = read_curve(folder)
    epochs = int((about.get("shared") or {}).get("epochs", _usual_epochs()))
    ended = len(curve) >= epochs or bool(curve and (folder / work.STOP).exists())
    going = "running" if curve else "waiting"
    return SharedState(
        state="done" if ended else going if study.driving or work.trains(folder) else "stopped",
        epoch=len(curve),
        epochs=epochs,
        curve=curve,
        template=as_dict(space.template),
        data=re.split(r"[\\/]", str(about.get("data", "")))[-1],
        agreement=_agreement(study),
    )


def _on_shared_weights(study: Study) -> dict[str, float]:
    """Architecture -> accuracy, of what the search has evaluated."""
    return {str(trial.arch): trial.metrics[study.objective] for trial in study.trials() if trial.metrics}


def _agreement(study: Study) -> RankAgreement | None:
    shared, full = _on_shared_weights(study), dict[str, list[float]]()
    for each in work.trainings(study, work.Processes()):
        if each["architecture"] in shared and "accuracy" in each["metrics"]:
            full.setdefault(each["architecture"], []).append(each["metrics"]["accuracy"])
    if len(full) < LEAST_AGREEING:
        return None
    tau = kendall_tau([shared[name] for name in full], [float(np.mean(accuracies)) for accuracies in full.values()])
    return RankAgreement(n=len(full), tau=tau) if np.isfinite(tau) else None


def _usual_epochs() -> int:
    from tierwise.supernets.oneshot import Shared  # needs torch

    return Shared().epochs


def _template(study: Study) -> TemplateSpace:
    """Raises BadSetting for another space."""
    space = study.space.origin
    if not isinstance(space, TemplateSpace):
        raise BadSetting("study", study.space.name, "a study of a template")
    return space


def facts(study: Study, arch: Architecture) -> Assembled:
    """Text and costs of an architecture of a template."""
    space = _template(study)
    whole = _baseline(study, "template", 0)
    archs = Architectures.of([arch, whole], space)
    (flops, params), wide = space.totals(archs).tolist()
    text = space.format(archs[:1])[0]
    return Assembled(text=text, genes=list(arch.genes), flops=flops, params=params, wide=wide)


def _baseline(study: Study, which: str, seed: int) -> Architecture:
    """The whole template, a random mask, or an evaluated one that is not trained in full yet, drawn by how many are.
    Raises BadSetting where there is none.
    """
    space = _template(study)
    if which == "evaluated":
        trained = {each["architecture"] for each in work.trainings(study, work.Processes())}
        left = sorted(name for name in _on_shared_weights(study) if name not in trained)
        if not left:
            raise BadSetting("baseline", which, "a study with networks that are evaluated and not yet trained in full")
        return space.parse(left[np.random.default_rng([seed, len(trained)]).integers(len(left))])
    if which == "template":
        return Architecture(space.name, (1,) * len(space.choices))
    return space.sample(1, np.random.default_rng(seed))[0]


def _text(study: Study, architecture: str) -> str:
    return study.space.format(Architectures.of([study.space.parse(architecture)], study.space))[0]
