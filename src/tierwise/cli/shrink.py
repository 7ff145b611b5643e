"""The command ``tierwise shrink``: a smaller space from the labels of a study, and what is lost and gained by it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tierwise.shrinking import Shrinkage
    from tierwise.space import Space
    from tierwise.study import Study


def shrink(
    study: Annotated[Path, typer.Argument(help="The study whose labels say what is good.")],
    by: Annotated[str, typer.Option(help="tiers, ranknas or lissnas.")] = "tiers",
    predictor: Annotated[str, typer.Option("--predictor", help="Who judges: see 'tierwise plugins'.")] = "auto",
    keep: Annotated[
        float | None, typer.Option(help="A share, more keeps more \\[default: tiers 0.5, ranknas 0.9, lissnas 0.05]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Save the smaller space (TOML).")] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Test accuracies (npz or CSV), to see what is lost.")
    ] = None,
) -> None:
    """Shrink the space of a study to what is worth searching; '--space FILE' of other commands opens the file.

    tiers: options that are not clearly absent from the best predicted tier. ranknas: choices that matter little are
    frozen at their best option. lissnas: architectures near good ones.

    [bold]Examples[/bold]

      tierwise shrink runs/nasbench201-cifar10-auto-0.db --out small.toml

      tierwise run nasbench201 --space small.toml

      tierwise shrink runs/nasbench201-cifar10-auto-0.db --by lissnas --predictor gp
    """
    from tierwise import save_space
    from tierwise.cli import console
    from tierwise.cli.reopen import reopen
    from tierwise.shrinking import Shrinkage
    from tierwise.shrinking import shrink as shrunk

    with reopen(study, truth) as (search, data):
        history = search.history()
        space, done = history.space, history.done
        given: dict[str, Any] = {"predictor": predictor, "seed": search.seed}
        smaller = shrunk(space, done.archs, done.y, by=by, keep=keep, **given)
        columns = _columns(search, data, space)
        found = Shrinkage.of(space, smaller, done.archs, done.y, columns=columns, **given)
        base = search.notes["benchmark"].get("space")
    console.table(("", "before", "after"), _rows(found))
    console.plain("the best labelled architecture is " + ("still there" if found.best_kept else "lost"))
    moves = zip(found.autocorrelation, found.rank_distance, strict=True)
    said = [f"{k}: {near:.2f}, {far:.2f}" for k, (near, far) in enumerate(moves, start=1)]
    console.plain(f"locality of the scores before, moves: autocorrelation, rank distance  {'; '.join(said)}")
    for line in _narrowed(space, smaller):
        console.plain(line)
    if out:
        save_space(smaller, out, base)
        console.say(f"saved: [bold]{out}[/bold]")


def _columns(study: Study, data: Any, space: Space) -> dict[str, Any]:
    """What the benchmark has recorded, in the order of the space."""
    found = {study.objective: data.expected(study.objective) if hasattr(data, "expected") else None}
    found["test accuracy"] = getattr(data, "truth", {}).get("test_accuracy")
    known = {name: column for name, column in found.items() if column is not None}
    if not known:
        return {}
    rows = data.space.index(space.enumerate())
    return {name: column[rows] for name, column in known.items()}


def _rows(found: Shrinkage) -> list[tuple[str, ...]]:
    before, after = found.size
    rows: list[tuple[str, ...]] = [
        ("architectures", f"{before:,}", f"{after:,} ({100 * after / before:.3g} %)"),
        ("mean predicted score", *(f"{score:.3f}" for score in found.predicted)),
        ("genes in which two differ", *(f"{100 * share:.0f} %" for share in found.differing)),
    ]
    for name, one in found.recorded.items():
        rows.append((f"mean {name}", *(f"{mean:.3f}" for mean in one.mean)))
        rows.append((f"rank of the best {name}", "1", f"{one.rank:,}"))
    return rows


def _narrowed(before: Space, after: Space) -> list[str]:
    """One line a choice that has lost options."""
    return [
        f"{choice.path}: {', '.join(option for option, k in zip(choice.options, kept, strict=False) if k)}"
        for choice, had, kept in zip(after.choices, before.allowed, after.allowed, strict=True)
        if had.sum() > kept.sum()
    ]
