"""``tierwise train``: the network that a search has found, trained in full."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    study: Annotated[Path, typer.Argument(help="The study file that 'tierwise run' wrote.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Folder of the results \\[default: beside the study]")] = None,
    trial: Annotated[int | None, typer.Option(help="Which trial's network \\[default: the best]")] = None,
    architecture: Annotated[
        str | None, typer.Option(help="Any of the space, evaluated or not, as text; fitness: the fittest blocks.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="An .npz with x and y, or FILE.py:NAME (is run) \\[default: the study's]")
    ] = None,
    classes: Annotated[int | None, typer.Option(help="How many classes the data have.")] = None,
    training: Annotated[
        list[str] | None, typer.Option(help="How to train, NAME=VALUE, over the study's own; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights and order.")] = 0,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write model.onnx too (extra 'export').")] = False,
) -> None:
    """Train the best network of a study in full, and write what you take home.

    network.py (needs torch alone), weights.safetensors, model.pt2, curve.csv, curve.png and metrics.json. A training
    that was stopped goes on with the same line.

    [bold]Examples[/bold]

      tierwise train runs/train-digits-auto-0.db --training epochs=100

      tierwise train runs/oneshot-digits-blocks-0.db --architecture "conv3+conv5 | conv3 | sep3 | conv1"

      tierwise train runs/nasbench201-cifar10-auto-0.db --data cifar.py:load --classes 10 --training epochs=200
    """
    from tierwise.cli import console
    from tierwise.cli.options import as_pairs
    from tierwise.cli.reopen import reopen
    from tierwise.cli.results import chosen_architecture
    from tierwise.cli.training import task_of, train_in_full

    with reopen(study, None) as (search, benchmark):
        arch = chosen_architecture(search, trial, architecture)
        task = task_of(search, benchmark, data, classes, as_pairs(training, "training"))
    folder = out or study.with_suffix(".trained")
    with console.stages() as stage:
        metrics = train_in_full(task, arch, folder, seed, onnx, stage)
    for name, value in metrics.items():
        console.say(f"{name:>14}  {value:,.6g}")
    written = ", ".join(sorted(file.name for file in folder.iterdir() if file.suffix))
    console.say(f"in [bold]{folder}[/bold]: {written}")
