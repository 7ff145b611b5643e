"""``tierwise serve``: the page of a study, in the browser of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    study: Annotated[
        Path | None, typer.Argument(help="The study file; without one, make a study on the page.", show_default=False)
    ] = None,
    port: Annotated[int | None, typer.Option(help="\\[default: the first free one from 8642]")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show, and take no steering.")] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    root_path: Annotated[str, typer.Option(help="Where a proxy shows this server, such as /user/me/proxy/8642.")] = "",
    truth_columns: Annotated[
        bool, typer.Option("--truth-columns", help="Show what the table knows and the search has not seen.")
    ] = False,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Test accuracies (npz or CSV), for --truth-columns.")
    ] = None,
    total: Annotated[int | None, typer.Option(hidden=True, help="Evaluations aimed at.")] = None,
    parent: Annotated[int | None, typer.Option(hidden=True, help="The search that shows this page.")] = None,
) -> None:
    """Show a study on a page: its space by quality tiers, the search as it goes, and what you say about it.

    The page is for this machine alone (127.0.0.1); the address that is printed carries a token. A search that runs, and
    one that is started later, is followed; whatever you do on the page is a steering row of the study.

    [bold]Examples[/bold]

      tierwise serve runs/nasbench201-cifar10-auto-0.db

      tierwise serve runs/nasbench201-cifar10-auto-0.db --read-only --no-browser --port 8700

      ssh -L 8642:localhost:8642 machine      and open the printed address here
    """
    from tierwise.cli import console
    from tierwise.cli.reopen import reopen
    from tierwise.errors import MissingExtra

    try:
        from tierwise.server.serving import serve as run
    except ModuleNotFoundError as error:
        raise MissingExtra("the page", error.name or "fastapi", "ui") from error
    run(
        study,
        lambda path: reopen(path, truth),
        port=port,
        read_only=read_only,
        truth=truth_columns,
        root_path=root_path,
        total=total,
        parent=parent,
        browser=browser,
        say=lambda address: console.plain(f"the page: {address}"),
    )
