"""What the command shows: a live progress line and tables."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from tierwise.errors import BadSetting, StudyError, TierwiseError
from tierwise.provenance import counted

if TYPE_CHECKING:
    from tierwise.cli.ranking import Ranking
    from tierwise.explanation import Explanation
    from tierwise.importers.folder import Card
    from tierwise.study import Study

# what a card says of the checksum of the file that a table was made of
CHECKSUM = {True: "as known", False: "another than the known one", None: "none is known to compare with"}
_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """A line; square brackets are markup."""
    _out.print(text, soft_wrap=True)


def plain(text: str) -> None:
    """Text as it is: nothing in it is markup."""
    _out.print(text, soft_wrap=True, markup=False)


def warn(text: str) -> None:
    """A line on the error stream."""
    _err.print(f"[yellow]{escape(text)}[/yellow]", soft_wrap=True)


def fail(error: TierwiseError) -> None:
    """A deliberate error as one readable message."""
    _err.print(f"[bold red]{type(error).__name__}[/bold red]: {escape(str(error))}", soft_wrap=True)


@contextlib.contextmanager
def progress(study: Study, trials: int) -> Generator[Callable[[Study], None]]:
    """A bar of evaluations with the best so far, the training time spent and the time left."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_err) as bar:
        task = bar.add_task("beginning", total=trials, completed=study.finished)

        def update(search: Study) -> None:
            found = search.best()
            best = f"best {search.objective} {found[0].metrics[search.objective]:.2f}" if found else "nothing found yet"
            bar.update(task, completed=search.finished, description=f"{best}, {duration(search.seconds)} of training")

        update(study)
        yield update


@contextlib.contextmanager
def stages() -> Generator[Callable[[str, int, int], None]]:
    """A bar for each stage that is told as (stage, done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_err) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(escape(stage), total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield tell


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table whose first column is text and the others numbers."""
    shown = Table()
    for k, name in enumerate(header):
        shown.add_column(name, justify="right" if k else "left")
    for row in rows:
        shown.add_row(*map(escape, row))
    _out.print(shown)


def cards(folder: Path, found: Sequence[Card]) -> None:
    """One line a converted table of the data folder."""
    table = Table(box=None)
    for name in ("table", "space", "rows", "columns", "of", "checksum"):
        table.add_column(name, justify="right" if name in ("rows", "columns") else "left")
    for one in found:
        row = (one.name, one.space, f"{one.rows:,}", str(len(one.columns)), one.source, CHECKSUM[one.official])
        table.add_row(*map(escape, row))
    _out.print(table if found else f"no tables in {folder}; 'tierwise bench add FILE' makes one")


def card(one: Card) -> None:
    """Everything that is known of a converted table, and its columns."""
    for name in ("name", "space", "source", "bytes", "sha256", "licence", "rows", "tierwise", "made"):
        say(f"[bold]{name:>8}[/bold]  {escape(str(getattr(one, name)))}")
    say(f"[bold]checksum[/bold]  {CHECKSUM[one.official]}")
    for column in one.columns:
        say(f"          {escape(column)}")


def best(study: Study, data: Any, count: int) -> None:
    """The best architectures with their tiers and true ranks; of several goals the front, with its costs."""
    from tierwise.architecture import Architectures
    from tierwise.cli.results import leaders

    found = leaders(study, data, count)
    if not found.trials:
        say("no evaluation has finished well yet")
        return
    ranks = f"; ranks are among all {data.space.size:,}" if "rank" in found.columns else ""
    goals = ", ".join((study.objective, *study.against))
    front = f"front in {goals}: {len(found.trials)} of {found.front} that no other beats,"
    say(f"{front if found.front else 'best'} of {len(study.history().done)} evaluated in {study.space.name}{ranks}")
    table = Table()
    for name in ("", study.objective, "tier", *found.columns, "architecture"):
        table.add_column(name, justify="left" if name == "architecture" else "right")
    texts = study.space.format(Architectures.of([trial.arch for trial in found.trials], study.space))
    for k, trial in enumerate(found.trials):
        cells = [str(k + 1), f"{trial.metrics[study.objective]:.3f}", found.tiers[k]]
        shorter = min(trial.arch.gene_text, texts[k], key=len)
        table.add_row(*cells, *(column[k] for column in found.columns.values()), escape(shorter))
    _out.print(table)
    say(f"{f'highest {study.objective}' if found.front else 'the best'}: {escape(texts[0])}")


def ranking(ranked: Ranking, count: int) -> None:
    """The best scored architectures."""
    table = Table(title=f"best {min(count, len(ranked.archs)):,} of {len(ranked.archs):,}", title_justify="left")
    for name in ("rank", "score", "±", "tier", "chance", "architecture"):
        table.add_column(name, justify="left" if name == "architecture" else "right", overflow="fold")
    texts = ranked.archs.space.format(ranked.archs[:count])
    for k, text in enumerate(texts):
        numbers = (
            f"{ranked.score[k]:.3f}",
            f"{ranked.std[k]:.3f}",
            str(ranked.tier[k] + 1),
            f"{ranked.chance[k]:.2f}".replace("nan", "–"),
        )
        table.add_row(str(k + 1), *numbers, escape(text))
    _out.print(table)


def reasons(found: Explanation, count: int) -> None:
    """What raises or lowers the score of the first architecture, strongest first."""
    say(f"score {found.score[0]:+.2f} of {escape(found.archs.space.format(found.archs[:1])[0])}")
    say(f"mean  {found.base:+.2f}; in {found.unit}")
    table = Table()
    for name in ("value", "raises or lowers", "content", "of the column"):
        table.add_column(name, justify="right" if name in ("value", "content") else "left")
    strongest = found.top(count)
    for name, content, value in strongest:
        table.add_row(f"{value:+.3f}", "raises" if value > 0 else "lowers", f"{content:,.10g}", escape(name))
    other = float(found.score[0] - found.base - sum(value for _, _, value in strongest) - found.rest[0])
    table.add_row(f"{other:+.3f}", "", "", "all other columns")
    table.add_row(f"{found.rest[0]:+.3f}", "", "", "what the columns do not say")
    _out.print(table)
    _fidelity(found)


def overall(found: Explanation, count: int) -> None:
    """What counts most over all explained architectures, strongest first."""
    table = Table(title=f"mean over {len(found.archs):,} architectures of the space", title_justify="left")
    for name in ("strength", "more of it", "column"):
        table.add_column(name, justify="right" if name == "strength" else "left")
    for reason in found.overall(count):
        way = "raises" if reason.direction > 0 else "lowers" if reason.direction < 0 else "either way"
        table.add_row(f"{reason.strength:.3f}", way, escape(reason.name))
    _out.print(table)
    say(f"strength: mean size of the value, in {found.unit}")
    _fidelity(found)


def _fidelity(found: Explanation) -> None:
    if found.tau < 1:
        say(f"explained by trees that learnt the predictor's scores: R² {found.r2:.3f}, Kendall's tau {found.tau:.3f}")


def list_studies(folder: Path) -> None:
    """One line a study; what is no study is said at the end."""
    from tierwise.study import open_study

    if not folder.is_dir():
        raise BadSetting("folder", str(folder), "an existing folder; 'tierwise run' makes runs/")
    table = Table(box=None)
    for name in ("study", "space", "trials", "best", "strategy", "changed"):
        table.add_column(name, justify="right" if name in ("trials", "best") else "left")
    problems: list[str] = []
    for path in sorted(folder.glob("*.db")):
        try:
            settings, rows = open_study(path)
        except StudyError as error:
            problems.append(str(error))
            continue
        values = [row.metrics[settings["objective"]] for row in rows if row.state == "done" and not row.budget]
        changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))
        best = f"{max(values):.3f}" if values else "–"
        table.add_row(path.name, settings["space"], str(len(values)), best, escape(settings["strategy"]), changed)
    _out.print(table if table.row_count else f"no studies in {folder}; 'tierwise run' begins one")
    for problem in problems:
        say(f"[yellow]skipped[/yellow] {escape(problem)}")


def show(path: Path, trial: int | None) -> None:
    """Settings and the trial table, or everything about one trial."""
    from tierwise.study import open_study

    settings, rows = open_study(path)
    if trial is not None:
        if not 1 <= trial <= len(rows):
            raise BadSetting("trial", trial, f"1 to {len(rows)}")
        for name in ("id", "state", "budget", "genes", "metrics", "why", "attempt", "seen", "error"):
            say(f"[bold]{name:>8}[/bold]  {escape(str(getattr(rows[trial - 1], name)))}")
        return
    prior = settings.get("prior")
    known = None if prior is None else (len(prior["y"]), prior["source"])
    for name, value in {**settings, "labels": counted(rows, known)}.items():
        if name not in ("allowed", "prior", "runs"):
            say(f"[bold]{name:>10}[/bold]  {escape(str(value))}")
    table = Table(box=None)
    for name in ("trial", "state", settings["objective"], "genes", "why"):
        table.add_column(name)
    for row in rows:
        value = row.metrics.get(settings["objective"])
        why = ", ".join(f"{k} {v}" for k, v in row.why.items() if k != "strategy")
        state = f"{row.state}, budget {row.budget}" if row.budget else row.state
        table.add_row(str(row.id), state, f"{value:.3f}" if value is not None else "–", row.genes, escape(why))
    _out.print(table)


def plugins() -> None:
    """Every installed name with the first line of what it says about itself."""
    from tierwise import registry

    for kind, group in registry.GROUPS.items():
        say(f"[bold]{group.removeprefix('tierwise.')}[/bold]")
        for name, point in registry.installed(kind).items():
            try:
                about = (point.load().__doc__ or "").strip().splitlines()[0]
            except (ImportError, TierwiseError) as error:
                about = f"[yellow]{escape(str(error))}[/yellow]"
            say(f"  {name:14} {about}")


def duration(seconds: float) -> str:
    """Seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 3600:.1f} h" if seconds >= 7200 else f"{seconds / 60:.1f} min"
