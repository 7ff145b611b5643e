"""The command ``tierwise explain``: why a predictor scores an architecture as it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tierwise.architecture import Architectures
    from tierwise.study import Study

SAMPLE = 1_000  # architectures that stand for the space


def explain(
    study: Annotated[Path, typer.Argument(help="The study whose labels the predictor learns from.")],
    which: Annotated[
        str | None, typer.Argument(help="A trial by its number, or an architecture \\[default: the best trial]")
    ] = None,
    count: Annotated[int, typer.Option("-k", "--count", min=1, help="How many reasons.")] = 10,
    predictor: Annotated[str, typer.Option("--predictor", help="Whose scores: see 'tierwise plugins'.")] = "auto",
    space: Annotated[bool, typer.Option("--space", help="What counts over the whole space, not for one.")] = False,
) -> None:
    """Explain a predicted score: which paths, operations and costs raise or lower it.

    [bold]Examples[/bold]

      tierwise explain runs/nasbench201-cifar10-auto-0.db

      tierwise explain runs/nasbench201-cifar10-auto-0.db 42 -k 5 --predictor trees

      tierwise explain runs/nasbench201-cifar10-auto-0.db nasbench201/3-0-2-1-3-3

      tierwise explain runs/nasbench201-cifar10-auto-0.db --space
    """
    import numpy as np

    from tierwise import registry
    from tierwise.cli import console
    from tierwise.cli.reopen import reopen
    from tierwise.errors import BadSetting
    from tierwise.explanation import explain as explained

    if space and which is not None:
        raise BadSetting("explain", f"{which} --space", "an architecture, or --space")
    with reopen(study, None) as (search, _):
        done = search.history().done
        fitted: Any = registry.make("predictor", predictor, seed=search.seed).fit(done.archs, done.y)
        rng = np.random.default_rng(search.seed)
        archs = search.space.sample(SAMPLE, rng) if space else _chosen(search, which)
        found = explained(fitted, archs, seed=search.seed)
    console.overall(found, count) if space else console.reasons(found, count)


def _chosen(search: Study, which: str | None) -> Architectures:
    """One architecture: the best trial, a trial by its number, or what the text names. Raises BadSetting."""
    from tierwise.architecture import Architectures
    from tierwise.errors import BadSetting

    if which is not None and not which.isdecimal():
        return Architectures.of([search.space.parse(which)], search.space)
    trials = search.trials() if which else search.best()
    number = int(which or 1)
    if not 1 <= number <= len(trials):
        raise BadSetting("trial", number, f"1 to {len(trials)}")
    return Architectures.of([trials[number - 1].arch], search.space)
