"""``tierwise run``: a search from the command line."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tierwise.tracking import Tracker

TruthPath = Annotated[Path | None, typer.Option("--truth", help="Test accuracies (npz or CSV), used by reports only.")]


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
        str | None,
        typer.Option(help="Your own space, or a part of BENCHMARK's: a TOML file, a name, FILE.py:NAME (is run)."),
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="Your results (CSV, Parquet, npz), or the name of an added table.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="The column of your results to search for.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Train on data: .npz with x, y; FILE.py:NAME (is run); digits, mnist5k, mnist1d.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="One-shot: masks of a template (TOML, JSON, a preset) on --data, shared weights.")
    ] = None,
    shared: Annotated[
        list[str] | None, typer.Option(help="How shared weights are trained, NAME=VALUE, e.g. epochs=5; repeatable.")
    ] = None,
    classes: Annotated[int | None, typer.Option(help="How many classes the data have.")] = None,
    training: Annotated[
        list[str] | None, typer.Option(help="How to train, NAME=VALUE: epochs, batch, rate, device ...; repeatable.")
    ] = None,
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
    executor: Annotated[str, typer.Option(help="Where evaluations run: inline, local, ray or slurm.")] = "inline",
    workers: Annotated[int, typer.Option(help="Evaluations at once, in processes of their own.")] = 1,
    executor_option: Annotated[
        list[str] | None, typer.Option(help="A setting of the executor, NAME=VALUE, e.g. seconds=600; repeatable.")
    ] = None,
    tracker: Annotated[
        list[str] | None, typer.Option(help="Who hears of results: tensorboard, mlflow, wandb, or NAME=TARGET.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Evaluations in flight at once.")] = None,
    study: Annotated[Path | None, typer.Option(help="Study file \\[default: runs/TABLE-STRATEGY-SEED.db]")] = None,
    truth: TruthPath = None,
    report: Annotated[bool, typer.Option(help="Write the report page at the end.")] = True,
    serve: Annotated[bool, typer.Option("--serve", help="Show it as it goes, see 'tierwise serve'.")] = False,
) -> None:
    """Search a benchmark; run the same line again to go on after any interruption.

    [bold]Examples[/bold]

      tierwise run

      tierwise run --dataset cifar100 --trials 300 --seed 1

      tierwise run --serve

      tierwise run --strategy evolution --limit params=0.5e6 --limit latency=0.02

      tierwise run --strategy tiers --option predictor=nar --option schedule=published

      tierwise run --strategy nsga2 --against latency --against params

      tierwise run --space my_space.toml --table my_results.csv --metric accuracy

      tierwise run nasbench201 --space small.toml

      tierwise run --space my_net.py:Net --data digits.npz --training epochs=20 --executor local --workers 2

      tierwise run --template small --data digits --strategy blocks --shared epochs=5

      tierwise run --dataset cifar100 --prior runs/nasbench201-cifar10-auto-0.db --patience 30

      tierwise run nats-bench-topology --label validation@12#noise --objective hw-nas-bench:energy_eyeriss_mj
    """
    from tierwise import registry
    from tierwise.cli import console, labels
    from tierwise.cli.finish import finish
    from tierwise.cli.options import as_limit, as_pairs
    from tierwise.cli.page import page_of
    from tierwise.cli.reopen import benchmark_options, open_benchmark
    from tierwise.study import Study

    name = benchmark or ("oneshot" if template else "train" if data else "own" if space else "nasbench201")
    named: dict[str, Any] = {"dataset": dataset, "label": label, "objectives": objective, "space": space}
    trained: dict[str, Any] = {"data": data, "classes": classes}
    trained["training"] = as_pairs(training, "training") or None
    trained |= {"template": template, "shared": as_pairs(shared, "shared") or None}
    tabled: dict[str, Any] = {"table": table, "metric": metric, "maximize": False if minimize else None}
    options = benchmark_options(**named, **tabled, **trained)
    task = open_benchmark(name, options, truth)
    searcher = registry.make("strategy", strategy, **as_pairs(option, "option"))
    path = study or Path("runs") / f"{task.name.replace(':', '-').split()[0]}-{strategy}-{seed}.db"
    given: dict[str, Any] = {"limits": dict(map(as_limit, limit or [])), "against": against or [], "seed": seed}
    given |= {"maximize": next(iter(task.metrics)), "notes": {"benchmark": {"name": name, **options}}}
    before = known and labels.known(known, task.space, given["maximize"], given["notes"])
    given["prior"] = prior and labels.prior(prior, task.space, given["maximize"], given["notes"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        Study(path, task.space, searcher, task, **given) as search,
        page_of(path if serve else None, trials, truth) as stay,
    ):
        if before:
            new = search.include(before.archs, before.y, before.source)
            console.plain(f"{new:,} of {len(before):,} results of {before.source} are new here")
        stops: dict[str, Any] = {"seconds": seconds, "target": target, "patience": patience, "gain": gain}
        engine = registry.make("executor", executor, workers=workers, **as_pairs(executor_option, "executor option"))
        heard = [_tracker(text) for text in tracker or []]
        try:
            if hasattr(task, "prepare") and search.path is not None:  # shared weights come first, also while it is held
                with console.stages() as stage:
                    task.prepare(search.folder, functools.partial(stage, "shared weights"))
            with console.progress(search, trials) as shown:
                reasons = search.run(trials, executor=engine, batch=batch, progress=shown, trackers=heard, **stops)
        finally:
            engine.shutdown(wait=False, cancel_futures=True)
        finish(search, task, reasons, again=" ".join(["tierwise", *sys.argv[1:]]))
        if report and search.best():
            from tierwise.report import write_report

            page = write_report(search, task, path.with_suffix(".html"))
            console.say(f"report: [bold]{page}[/bold]")
        stay()


def _tracker(text: str) -> Tracker:
    """NAME, or NAME=TARGET."""
    from tierwise import registry

    name, equals, target = text.partition("=")
    return registry.make("tracker", name, **({"target": target} if equals else {}))
