"""The command ``tierwise``: every heavy import waits until a command needs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tierwise.cli import bench, explain, fade, proxies, run, serve, shrink, steer, train
from tierwise.errors import BadSetting, TierwiseError

app = typer.Typer(
    help="Find good neural network architectures from few trainings, by quality tiers.",
    epilog="Begin with: tierwise run     (searches the real NAS-Bench-201 and writes a report)",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

app.add_typer(bench.app, name="bench")
app.command()(run.run)
app.command()(explain.explain)
app.command()(fade.fade)
app.command()(proxies.proxies)
app.command()(serve.serve)
app.command()(shrink.shrink)
app.command()(steer.steer)
app.command()(train.train)

StudyPath = Annotated[Path, typer.Argument(help="The study file that 'tierwise run' wrote.", show_default=False)]
TruthPath = Annotated[Path | None, typer.Option("--truth", help="Test accuracies (npz or CSV), used by reports only.")]
Quantity = Annotated[int, typer.Option("-k", "--count", min=1, help="How many.")]
PredictorName = Annotated[str, typer.Option("--predictor", help="Who ranks: see 'tierwise plugins'.")]


@app.command("ls")
def list_studies(folder: Annotated[Path, typer.Argument(help="Where to look.")] = Path("runs")) -> None:
    """List the studies of a folder.

    [bold]Example[/bold]   tierwise ls runs
    """
    from tierwise.cli import console

    console.list_studies(folder)


@app.command()
def show(
    study: StudyPath,
    trial: Annotated[int | None, typer.Argument(help="One trial, by its number.", show_default=False)] = None,
) -> None:
    """Show the settings and trials of a study, or all that is known of one trial.

    [bold]Examples[/bold]

      tierwise show runs/nasbench201-cifar10-auto-0.db

      tierwise show runs/nasbench201-cifar10-auto-0.db 42
    """
    from tierwise.cli import console

    console.show(study, trial)


@app.command()
def best(study: StudyPath, count: Quantity = 10, truth: TruthPath = None) -> None:
    """Show the best architectures of a study.

    [bold]Example[/bold]   tierwise best runs/nasbench201-cifar10-auto-0.db -k 5
    """
    from tierwise.cli import console
    from tierwise.cli.reopen import reopen

    with reopen(study, truth) as (search, data):
        console.best(search, data, count)


@app.command()
def rank(
    study: Annotated[Path | None, typer.Argument(help="The study whose labels the predictor learns from.")] = None,
    predictor: Annotated[
        str | None, typer.Option(help="Who ranks: see 'tierwise plugins' \\[default: auto; of a saved one, its own]")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="What it learns from besides: columns:FILE, or an encoding's name; repeatable."),
    ] = None,
    model: Annotated[Path | None, typer.Option(help="A saved predictor instead of a study.")] = None,
    space: Annotated[
        str | None, typer.Option(help="Space of a saved predictor, a name or a TOML file \\[default: its own]")
    ] = None,
    architectures: Annotated[Path | None, typer.Option("--list", help="A text file, one architecture a line.")] = None,
    count: Quantity = 20,
    save: Annotated[Path | None, typer.Option(help="Save the fitted predictor (npz).")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every score to a CSV file.")] = None,
) -> None:
    """Score a whole space, or a given list, with a predictor trained on a study.

    [bold]Examples[/bold]

      tierwise rank runs/nasbench201-cifar10-auto-0.db --csv ranking.csv --save auto.npz

      tierwise rank --model auto.npz --list cells.txt

      tierwise rank runs/nasbench201-cifar10-auto-0.db --input columns:proxies.csv

      tierwise rank runs/nasbench201-cifar10-auto-0.db --predictor forest -k 100
    """
    from tierwise.cli import console, ranking

    if (study is None) == (model is None):
        raise BadSetting("rank", "both or neither", "a study to learn from, or --model FILE")
    if study is not None:
        fitted, over = ranking.learn(study, predictor or "auto", inputs or [])
    elif inputs:
        raise BadSetting("input", inputs[0], "none with --model: a saved predictor has learnt what it reads")
    else:
        fitted, over = ranking.load(model or Path(), predictor, space)
    if save:
        fitted.save(save)
        console.say(f"saved: [bold]{save}[/bold]")
    if hasattr(fitted, "encodings_"):
        console.plain(f"reads: {', '.join(map(str, fitted.encodings_))}")
    ranked = ranking.rank(fitted, ranking.read_list(architectures, over) if architectures else over.enumerate())
    console.ranking(ranked, count)
    if csv:
        ranking.write_csv(ranked, csv)
        console.say(f"all {len(ranked.archs):,} scores: [bold]{csv}[/bold]")


@app.command()
def report(
    study: StudyPath,
    out: Annotated[Path | None, typer.Option(help="The page \\[default: beside the study, .html]")] = None,
    predictor: PredictorName = "auto",
    truth: TruthPath = None,
) -> None:
    """Write the report of a study: one self-contained HTML page.

    [bold]Example[/bold]   tierwise report runs/nasbench201-cifar10-auto-0.db
    """
    from tierwise.cli import console
    from tierwise.cli.reopen import reopen
    from tierwise.report import write_report

    with reopen(study, truth) as (search, data):
        page = write_report(search, data, out or study.with_suffix(".html"), predictor=predictor)
    console.say(f"report: [bold]{page}[/bold]")


@app.command()
def export(
    study: StudyPath,
    out: Annotated[Path, typer.Argument(help="FILE.csv, .json, .svg, .dot, .py, .safetensors, .pt2 or .onnx.")],
    trial: Annotated[int | None, typer.Option(help="Which trial's architecture \\[default: the best]")] = None,
    architecture: Annotated[str | None, typer.Option(help="Any other one of the space, as its text.")] = None,
    classes: Annotated[int | None, typer.Option(help="Of a network \\[default: the study's, or 10]")] = None,
    shape: Annotated[str | None, typer.Option(help="Of an input \\[default: the study's, or 3,32,32]")] = None,
    weights: Annotated[Path | None, typer.Option(help="Trained ones, .safetensors of 'tierwise train'.")] = None,
) -> None:
    """Take the results elsewhere: all trials as CSV or JSON, or one architecture as drawing, graph or network.

    FILE.py is one readable file that needs torch alone.

    [bold]Examples[/bold]

      tierwise export runs/nasbench201-cifar10-auto-0.db trials.csv

      tierwise export runs/nasbench201-cifar10-auto-0.db best.svg

      tierwise export runs/nasbench201-cifar10-auto-0.db network.py --classes 10 --shape 3,32,32

      tierwise export runs/train-digits-auto-0.db network.onnx --weights weights.safetensors
    """
    from tierwise.cli import console
    from tierwise.cli.export import NETWORKS, write, write_network
    from tierwise.cli.options import as_shape
    from tierwise.cli.reopen import reopen

    about = ""
    with reopen(study, None) as (search, benchmark):
        if out.suffix in NETWORKS:
            task = {"classes": classes, "shape": None if shape is None else as_shape(shape), "weights": weights}
            about = f" ({write_network(search, benchmark, out, trial, architecture, task)})"
        else:
            write(search, out, trial, architecture)
    console.say(f"written: [bold]{out}[/bold]{about}")


@app.command()
def plugins() -> None:
    """List everything installed: spaces, encodings, predictors, strategies, benchmarks, executors.

    [bold]Example[/bold]   tierwise plugins
    """
    from tierwise.cli import console

    console.plugins()


def main() -> None:
    """The entry point: a deliberate error is one readable line, not a traceback."""
    try:
        app()
    except TierwiseError as error:
        from tierwise.cli import console

        console.fail(error)
        sys.exit(2)


if __name__ == "__main__":
    main()
