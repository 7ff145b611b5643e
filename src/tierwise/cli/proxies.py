"""The command ``tierwise proxies``: zero-cost proxies of many architectures as a file, beside their accuracies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tierwise.architecture import Architectures
    from tierwise.space import Space
    from tierwise.zero_cost import Scores


def proxies(
    source: Annotated[
        str, typer.Argument(help="A benchmark (see 'tierwise plugins') or a study file.")
    ] = "nasbench201",
    proxy: Annotated[
        list[str] | None, typer.Option(help="Which one: see docs/proxies.md; repeatable \\[default: all]")
    ] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Of how many random architectures.")] = 100,
    everything: Annotated[bool, typer.Option("--all", help="Of all architectures of the space.")] = False,
    out: Annotated[Path, typer.Option(help="Where to write them (CSV).")] = Path("proxies.csv"),
    dataset: Annotated[str | None, typer.Option(help="Data set of the benchmark.")] = None,
    space: Annotated[str | None, typer.Option(help="A part of its space, or your own: a TOML file.")] = None,
    table: Annotated[str | None, typer.Option(help="Your results (CSV, Parquet, npz).")] = None,
    batch: Annotated[int, typer.Option(help="Random images that one pass reads.")] = 32,
    seed: Annotated[int, typer.Option(help="Of architectures, images, labels and weights.")] = 0,
) -> None:
    """Measure zero-cost proxies on untrained networks, and compare them with the accuracies that are known.

    Seconds for each architecture; equal networks are measured once. '--input columns:FILE' of other commands reads the
    file. Spearman's rank correlation with the accuracy stands beside that of FLOPs and parameters: over all, among the
    best half and the best tenth, and given FLOPs.

    [bold]Examples[/bold]

      tierwise proxies nasbench201 --proxy synflow --proxy naswot -n 50

      tierwise proxies nasbench201 --dataset cifar100 --all --proxy swap --out swap.csv

      tierwise proxies runs/nasbench201-cifar10-auto-0.db --proxy az_nas

      tierwise rank runs/nasbench201-cifar10-auto-0.db --input columns:proxies.csv
    """
    from tierwise import zero_cost
    from tierwise.cli import console
    from tierwise.cli.reopen import benchmark_options, open_benchmark, reopen
    from tierwise.errors import BadSetting

    if not out.parent.is_dir() or out.suffix != ".csv":
        raise BadSetting("out", str(out), "a file .csv in a folder that exists")
    amount = None if everything else count
    if Path(source).is_file():
        with reopen(Path(source), None) as (search, data):
            done = search.history().done
            labels = dict(zip(done.archs, done.y.tolist(), strict=True))
            archs = _chosen(search.space, amount, seed, done.archs if data is None else None)
            accuracy = _recorded(data, search.objective, archs, labels)
    else:
        data = open_benchmark(source, benchmark_options(dataset=dataset, space=space, table=table), None)
        archs = _chosen(data.space, amount, seed)
        accuracy = _recorded(data, next(iter(data.metrics)), archs, {})
    task = {"classes": getattr(data, "classes", 10), "shape": getattr(data, "shape", (3, 32, 32))}
    names = list(dict.fromkeys(proxy or zero_cost.installed()))
    with console.stages() as tell:
        found = zero_cost.proxies(
            archs.space, archs, names, batch=batch, seed=seed, progress=lambda k, n: tell("networks", k, n), **task
        )
    _write(archs, found, out)
    console.say(f"{len(archs):,} architectures: [bold]{out}[/bold]")
    _compare(archs, found, accuracy, task)


def _chosen(space: Space, count: int | None, seed: int, first: Architectures | None = None) -> Architectures:
    """All, or `count` random ones without repetition; `first` come first."""
    import numpy as np

    from tierwise.architecture import concatenate
    from tierwise.space import LARGEST_LIST

    if count is None or space.size <= count:
        return space.enumerate()
    rng = np.random.default_rng(seed)
    if space.size <= LARGEST_LIST:
        drawn = space.at(rng.permutation(space.size)[: 2 * count])
    else:
        drawn = space.sample(2 * count, rng)
    return (drawn if first is None else concatenate([first, drawn])).unique()[:count]


def _recorded(data: Any, objective: str, archs: Architectures, labels: dict[Any, float]) -> NDArray[np.float64]:
    """(n,) what a benchmark has recorded, else the labels of a study; NaN where nothing is known."""
    import numpy as np

    from tierwise.architecture import Architectures

    column = data.expected(objective) if hasattr(data, "expected") else None
    if column is None:
        return np.array([labels.get(arch, np.nan) for arch in archs])
    rows = data.space.index(Architectures(data.space, archs.genes))
    return np.where(rows >= 0, column[rows], np.nan)


def _write(archs: Architectures, found: Scores, path: Path) -> None:
    """A line for each architecture: its text and its proxies."""
    import csv

    part = path.with_name(path.name + ".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["architecture", *found])
        columns = ([f"{value:.9g}" for value in column] for column in found.values())
        writer.writerows(zip(archs.space.format(archs), *columns, strict=True))
    part.replace(path)


def _compare(archs: Architectures, found: Scores, accuracy: NDArray[np.float64], task: dict[str, Any]) -> None:
    """The table of correlations, where at least three accuracies are known."""
    import numpy as np

    from tierwise.cli import console
    from tierwise.errors import BadSetting
    from tierwise.harness.agreement import FIGURES, agreement

    known = np.flatnonzero(np.isfinite(accuracy))
    if len(known) < 3:
        console.say("no accuracies are known to compare with")
        return
    columns: dict[str, NDArray[Any]] = dict(found)
    flops = np.zeros(len(archs))
    try:
        flops, params = archs.space.totals(archs, **task).T
        columns |= {"FLOPs": flops, "parameters": params}
    except BadSetting:
        console.say("the space has no cost formulas: FLOPs and parameters are not known")

    def row(name: str, column: NDArray[Any]) -> Sequence[str]:
        values = agreement(column[known], accuracy[known], flops[known]).values()
        return name, *(f"{value:.3f}" if np.isfinite(value) else "–" for value in values)

    console.table(("Spearman's rho with the accuracy", *FIGURES), [row(*item) for item in columns.items()])
