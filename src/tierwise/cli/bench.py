"""``tierwise bench``: published tables in, cost tables out, claims run and reported."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Annotated, Any

import typer

from tierwise.errors import BadSetting

app = typer.Typer(
    help="Benchmarks: add published tables, list them, write cost tables, run and report claims.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Tell = Callable[[str, int, int], None]


@app.command()
def add(
    files: Annotated[list[Path], typer.Argument(help="Official files or folders, or your own CSV, Parquet or npz.")],
    name: Annotated[str | None, typer.Option(help="Another name than the format's own, for one file.")] = None,
    space: Annotated[str | None, typer.Option(help="Your own table: the registered space it is of.")] = None,
    dataset: Annotated[str, typer.Option(help="Your own table: what its numbers are about.")] = "cifar10",
) -> None:
    """Convert published benchmark files, once, into tables of the data folder; an interrupted conversion goes on.

    The format is recognised by the content. Nothing is downloaded, and nothing in a file is executed.

    [bold]Examples[/bold]

      tierwise bench add nasbench_only108.tfrecord

      tierwise bench add NATS-tss-v1_0-3ffb9-simple HW-NAS-Bench-v1_0.pickle

      tierwise bench add mine.csv --space nasbench201 --name mine
    """
    from tierwise.cli import console
    from tierwise.importers import convert
    from tierwise.importers.plain import PlainTable

    own = None if space is None else [PlainTable(name or files[0].stem, space, dataset)]
    if own is None and all(path.suffix in (".csv", ".parquet") for path in files):
        raise BadSetting("space", None, "the registered space that your own table is of: --space nasbench201")
    with _bar() as tell:
        cards = convert.add(files, name=name, progress=tell, among=own)
    for card in cards:
        console.say(
            f"[bold]{card.name}[/bold]: {card.rows:,} rows, {len(card.columns)} columns; "
            f"checksum: {console.CHECKSUM[card.official]}"
        )


@app.command("ls")
def list_tables(
    name: Annotated[str | None, typer.Argument(help="One table: its columns and card.", show_default=False)] = None,
) -> None:
    """List the tables of the data folder, or everything about one.

    [bold]Examples[/bold]

      tierwise bench ls

      tierwise bench ls nasbench101
    """
    from tierwise.cli import console
    from tierwise.importers import folder

    if name is not None:
        console.card(folder.converted(name)[1])
    else:
        console.cards(folder.benchmarks_folder(), folder.cards())


@app.command()
def costs(
    benchmark: Annotated[str, typer.Argument(help="nasbench101 or nasbench201.")],
    out: Annotated[Path, typer.Argument(help="FILE.parquet, or FILE.json for the published JSON layout.")],
) -> None:
    """Write FLOPs and parameters of every operation in every cell of the full network, for the whole space.

    [bold]Examples[/bold]

      tierwise bench costs nasbench101 costs101.parquet

      tierwise bench costs nasbench201 costs201.json
    """
    from tierwise.benchmarks import cost_tables
    from tierwise.cli import console

    if out.suffix not in (".parquet", ".json"):
        raise BadSetting("file", str(out), "a name that ends in .parquet or .json")
    with _bar() as tell:

        def told(done: int, total: int) -> None:
            tell(benchmark, done, total)

        if out.suffix == ".parquet":
            cost_tables.write_parquet(benchmark, out, told)
        else:
            cost_tables.write_json(benchmark, out, _results_of(benchmark), told)
    console.say(f"written: [bold]{out}[/bold] ({out.stat().st_size / 1e6:,.0f} MB)")


@app.command()
def run(
    claims: Annotated[list[Path], typer.Argument(help="Claim files, bench/NAME.toml.")],
    processes: Annotated[int, typer.Option(min=1, help="One thread each.")] = 2,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data files \\[default: TIERWISE_DATA, else ../shared/data]")
    ] = None,
) -> None:
    """Run what is missing of a claim and write bench/results/NAME.json; stopped at any time, it goes on.

    [bold]Example[/bold]   tierwise bench run bench/ranking_nasbench201.toml
    """
    from tierwise.cli import console
    from tierwise.harness.report import markdown
    from tierwise.harness.run import run_claim

    failed: list[str] = []
    for path in claims:
        with _bar() as tell:

            def told(done: int, total: int, tell: Tell = tell, name: str = path.stem) -> None:
                tell(name, done, total)

            result = run_claim(path, processes=processes, data=data, progress=told)
        console.plain(markdown(result))
        console.say(f"written: [bold]{result.path}[/bold]")
        failed += [f"{path}: {text}" for text in result.failed]
    for text in failed:
        console.warn(text)
    if failed:
        raise typer.Exit(1)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Claims and their results.")] = Path("bench"),
    page: Annotated[Path, typer.Option(help="The page.")] = Path("docs/results.md"),
) -> None:
    """Build the results page from committed results; refuses those whose commit or data is unknown.

    [bold]Example[/bold]   tierwise bench report bench --page docs/results.md
    """
    from tierwise.cli import console
    from tierwise.harness.report import report as build

    console.say(f"written: [bold]{build(folder, page)}[/bold]")


def _results_of(benchmark: str) -> dict[str, Any]:
    """Recorded figures that the published layout holds beside the costs, where the table was added."""
    from tierwise import registry
    from tierwise.benchmarks.recorded import means
    from tierwise.importers import folder

    if benchmark not in {card.name for card in folder.cards()}:
        return {}
    return means(benchmark, registry.make("space", benchmark).size)


@contextlib.contextmanager
def _bar() -> Generator[Tell]:
    """A progress bar for each stage that is told."""
    from tierwise.cli import console

    with console.stages() as tell:
        yield tell
