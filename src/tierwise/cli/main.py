"""The command ``tierwise``: every heavy import waits until a command needs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tierwise.cli import bench, explain, shrink, steer
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
app.command()(explain.explain)
app.command()(shrink.shrink)
app.command()(steer.steer)

StudyPath = Annotated[Path, typer.Argument(help="The study file that 'tierwise run' wrote.", show_default=False)]
TruthPath = Annotated[Path | None, typer.Option("--truth", help="Test accuracies (npz or CSV), used by reports only.")]
Quantity = Annotated[int, typer.Option("-k", "--count", min=1, help="How many.")]
PredictorName = Annotated[str, typer.Option("--predictor", help="Who ranks: see 'tierwise plugins'.")]


@app.command()
def run(
    benchmark: Annotated[
        str | None, typer.Argument(help="See 'tierwise plugins' \\[default: nasbench201; own with --space]")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="cifar10, cifar100, imagenet16-120; cora ... of a graph.")] = None,
    label: Annotated[
        str | None, typer.Option(help="validation or test, then @EPOCHS, then #RUN: mean, noise, or a recorded run.")
    ] = None,
    objective: Annotated[
        list[str] | None, typer.Option(help="One more recorded column, COLUMN or TABLE:COLUMN; repeatable.")
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="Your own space, or with BENCHMARK a part of its space: a TOML file, or a name.")
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="Your results (CSV, Parquet, npz), or the name of an added table.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="The column of your results to search for.")] = None,
    minimize: Annotated[bool, typer.Option("--minimize", help="Small values of that column are good.")] = False,
    strategy: Annotated[str, typer.Option(help="How to search: see 'tierwise plugins'.")] = "auto",
    option: Annotated[list[str] | None, typer.Option(help="A setting of the strategy, NAME=VALUE; repeatable.")] = None,
    trials: Annotated[int, typer.Option(help="Evaluations in all, earlier ones of this study included.")] = 150,
    seconds: Annotated[float | None, typer.Option(help="Stop after so many (recorded) training seconds.")] = None,
    target: Annotated[float | None, typer.Option(help="Stop once this accuracy is reached.")] = None,
    patience: Annotated[int | None, typer.Option(help="Stop after so many evaluations without a better one.")] = None,
    gain: Annotated[float | None, typer.Option(help="Stop once the strategy expects to gain less than this.")] = None,
    known: Annotated[
        Path | None, typer.Option(help="Results of this very task: an earlier study, or a CSV of architectures.")
    ] = None,
    prior: Annotated[
        Path | None, typer.Option(help="Labels of another task to learn from: a study on another data set, or a CSV.")
    ] = None,
    limit: Annotated[list[str] | None, typer.Option(help="NAME=MOST or NAME=LEAST:MOST, e.g. params=0.5e6.")] = None,
    against: Annotated[list[str] | None, typer.Option(help="A cost to be low as well: latency, params ...")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same search.")] = 0,
    executor: Annotated[str, typer.Option(help="Where evaluations run: inline or local.")] = "inline",
    workers: Annotated[int, typer.Option(help="Processes of executor local.")] = 1,
    batch: Annotated[int | None, typer.Option(help="Evaluations in flight at once.")] = None,
    study: Annotated[Path | None, typer.Option(help="Study file \\[default: runs/TABLE-STRATEGY-SEED.db]")] = None,
    truth: TruthPath = None,
    report: Annotated[bool, typer.Option(help="Write the report page at the end.")] = True,
) -> None:
    """Search a benchmark; run the same line again to go on after any interruption.

    [bold]Examples[/bold]

      tierwise run

      tierwise run --dataset cifar100 --trials 300 --seed 1

      tierwise run --strategy evolution --limit params=0.5e6 --limit latency=0.02

      tierwise run --strategy tiers --option predictor=nar --option schedule=published

      tierwise run --strategy nsga2 --against latency --against params

      tierwise run --space my_space.toml --table my_results.csv --metric accuracy

      tierwise run nasbench201 --space small.toml

      tierwise run --dataset cifar100 --prior runs/nasbench201-cifar10-auto-0.db --patience 30

      tierwise run nats-bench-topology --label validation@12#noise --objective hw-nas-bench:energy_eyeriss_mj
    """
    from tierwise import registry
    from tierwise.cli import console, labels
    from tierwise.cli.finish import finish
    from tierwise.cli.options import as_limit, as_pair
    from tierwise.cli.reopen import benchmark_options, open_benchmark
    from tierwise.study import Study

    name = benchmark or ("own" if space else "nasbench201")
    named: dict[str, Any] = {"dataset": dataset, "label": label, "objectives": objective, "space": space}
    options = benchmark_options(**named, table=table, metric=metric, maximize=False if minimize else None)
    data = open_benchmark(name, options, truth)
    searcher = registry.make("strategy", strategy, **dict(as_pair(text, "option") for text in option or []))
    path = study or Path("runs") / f"{data.name.replace(':', '-').split()[0]}-{strategy}-{seed}.db"
    given: dict[str, Any] = {"limits": dict(map(as_limit, limit or [])), "against": against or [], "seed": seed}
    given |= {"maximize": next(iter(data.metrics)), "notes": {"benchmark": {"name": name, **options}}}
    before = known and labels.known(known, data.space, given["maximize"], given["notes"])
    given["prior"] = prior and labels.prior(prior, data.space, given["maximize"], given["notes"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with Study(path, data.space, searcher, data, **given) as search:
        if before:
            new = search.include(before.archs, before.y, before.source)
            console.plain(f"{new:,} of {len(before):,} results of {before.source} are new here")
        with console.progress(search, trials) as shown:
            settings: dict[str, Any] = {"executor": executor, "workers": workers, "batch": batch}
            stops: dict[str, Any] = {"seconds": seconds, "target": target, "patience": patience, "gain": gain}
            reasons = search.run(trials, progress=shown, **stops, **settings)
        finish(search, data, reasons, again=" ".join(["tierwise", *sys.argv[1:]]))
        if report and search.best():
            from tierwise.report import write_report

            page = write_report(search, data, path.with_suffix(".html"))
            console.say(f"report: [bold]{page}[/bold]")


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
    out: Annotated[Path, typer.Argument(help="FILE.csv or FILE.json (all trials), FILE.svg (drawing of the best).")],
) -> None:
    """Take the results elsewhere: all trials as CSV or JSON, the best architecture as a drawing.

    [bold]Examples[/bold]

      tierwise export runs/nasbench201-cifar10-auto-0.db trials.csv

      tierwise export runs/nasbench201-cifar10-auto-0.db best.svg
    """
    from tierwise.cli import console
    from tierwise.cli.export import write
    from tierwise.cli.reopen import reopen

    with reopen(study, None) as (search, _):
        write(search, out)
    console.say(f"written: [bold]{out}[/bold]")


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
