"""``tierwise fade``: search by regions that are trained together, and see how true their ranks are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tierwise.evaluators.train import Train
    from tierwise.space import Space

LAYERS: dict[str, dict[str, Any]] = {  # the space, where none is given: what its stages choose from
    "digits": {"channels": 16, "widths": [1, 2, 4, 8, 16], "ops": ["linear", "skip"]},
    "mnist1d": {"channels": 8, "widths": [2, 4, 8], "ops": ["conv3x3", "conv1x1", "dw_conv_3x3"], "stride": 2},
}
LAYERS["mnist5k"] = LAYERS["digits"]
ACTIVATIONS = ["relu", "tanh", "sigmoid", "none"]
VERTICES = 5


def fade(
    data: Annotated[
        str, typer.Option(help="digits, mnist5k, mnist1d, an .npz with x and y, or FILE.py:NAME.")
    ] = "digits",
    classes: Annotated[int | None, typer.Option(help="How many classes the data have.")] = None,
    space: Annotated[
        str | None,
        typer.Option(help="Stages of your own: a TOML file \\[default: made for the data]", show_default=False),
    ] = None,
    stages: Annotated[int, typer.Option(min=1, help="Of the space that is made for the data.")] = 3,
    candidates: Annotated[int, typer.Option(min=2, help="Of each stage of a region.")] = 6,
    regions: Annotated[int, typer.Option(min=1, help="How many are trained, one after the other.")] = 8,
    runs: Annotated[int, typer.Option(min=1, help="Trainings of each region, whose weights are averaged.")] = 3,
    epochs: Annotated[int, typer.Option(min=1, help="Of each training of a region.")] = 20,
    option: Annotated[
        list[str] | None, typer.Option(help="A setting of strategy fade, NAME=VALUE; repeatable.")
    ] = None,
    training: Annotated[
        list[str] | None, typer.Option(help="How single networks are trained, NAME=VALUE; repeatable.")
    ] = None,
    optimiser: Annotated[str, typer.Option(help="Of the weights of candidates: see 'tierwise plugins'.")] = "equal",
    reading: Annotated[
        str, typer.Option(help="What ranks candidates: the loss with each alone in its stage, or weights.")
    ] = "alone",
    seeds: Annotated[int, typer.Option(min=2, help="Trainings of each network that is judged alone.")] = 2,
    compare: Annotated[bool, typer.Option(help="Search by other strategies at the same cost as well.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same search.")] = 0,
    study: Annotated[Path | None, typer.Option(help="Study file \\[default: runs/fade-DATA-SEED.db]")] = None,
) -> None:
    """Train whole regions of a space as one network, rank their members, walk on to the next region.

    Run the same line again to go on after any interruption. The report shows the last region, how its ranks agree with
    networks that are trained alone, and what each region has brought.

    [bold]Examples[/bold]

      tierwise fade

      tierwise fade --data mnist5k --regions 5 --compare

      tierwise fade --data mnist1d --stages 2 --candidates 4

      tierwise fade --data my_data.npz --space my_stages.toml --optimiser gdas
    """
    from tierwise import make
    from tierwise.architecture import Architectures
    from tierwise.cli import console
    from tierwise.cli.options import as_pairs
    from tierwise.report.fade import write_fade_report
    from tierwise.study import Study
    from tierwise.supernets.findings import findings
    from tierwise.supernets.joint import Joint

    task = _task(data, classes, _space(data, space, stages), as_pairs(training, "training"))
    settings = {"candidates": candidates, "regions": regions, "epochs": epochs, **as_pairs(option, "option")}
    strategy = make("strategy", "fade", **settings)
    path = study or Path("runs") / f"fade-{Path(data.partition('.py:')[0]).stem}-{seed}.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    joint, total = (
        Joint(task, runs=runs, optimiser=optimiser, reading=reading),
        strategy.regions * strategy.candidates + strategy.answers,
    )
    with Study(path, task.space, strategy, joint, seed=seed) as search:  # pyright: ignore[reportArgumentType]
        with console.progress(search, total) as shown:
            search.run(total, batch=strategy.candidates, progress=shown)
        with console.stages() as tell:
            found = findings(search, joint, seeds=seeds, compare=compare, progress=tell)
        page = write_fade_report(search, found, path.with_suffix(".html"))
        for trial in search.best(strategy.answers):
            console.plain(f"{search.space.format(Architectures.of([trial.arch], search.space))[0]}")
    agreed = found.agreement()
    others = ", ".join(f"{name} {value:.2f}" for name, value in agreed.items() if name != "FaDE")
    console.plain(
        f"test accuracy {found.steps[-1].mean():.2f} % of the heaviest path of the last region, trained alone"
    )
    console.plain(f"Spearman with accuracies alone: FaDE {agreed['FaDE']:.2f}, {others}; ceiling {found.ceiling():.2f}")
    for name, values in found.baselines.items():
        console.plain(f"{name} at the same cost, {found.cost:,} networks: {values.mean():.2f} %")
    console.say(f"report: [bold]{page}[/bold]")


def _space(data: str, given: str | None, stages: int) -> Space:
    """The stages of a file, or those made for data of a name. Raises BadSetting."""
    from tierwise import load_space
    from tierwise.errors import BadSetting

    if given is not None:
        found = load_space(given)
        if not hasattr(found, "blocks"):
            raise BadSetting("space", given, 'one of stages, kind = "stages"')
        return found
    if data not in LAYERS:
        raise BadSetting("data", data, f"{', '.join(LAYERS)}; or a file, with a --space FILE.toml of kind stages")
    layers = {**LAYERS[data], "activations": ACTIVATIONS, "repeat": stages}
    return load_space({"kind": "stages", "name": f"{data}-stages", "vertices": VERTICES, "stages": [layers]})


def _task(data: str, classes: int | None, space: Space, training: dict[str, Any]) -> Train:
    """Data of a name or of a file, and how single networks are trained."""
    from tierwise.evaluators.small_data import SMALL
    from tierwise.evaluators.task import load, made

    usual: dict[str, Any] = {"epochs": 20, "batch": 64, "rate": 0.05, "together": 50, **training}
    if data not in SMALL:
        return load(space, data, classes, usual)
    found = SMALL[data]()
    return made(space, found.train, 10, usual, validation=found.validation, test=found.test)
