"""The Markdown of a claim's results."""

from __future__ import annotations

from typing import Any

import numpy as np

from tierwise.harness.protocol import Claim, Method
from tierwise.harness.search_tables import search_tables
from tierwise.harness.shards import Shard
from tierwise.harness.tables import ceiling, judged, label_of, mean_sd, noted, present, table, taken

MANY = 3  # data sets; of more, their mean has a table of its own
# figure -> head of its column, digits
RANKING = {
    "outside_tau": ("τ outside the labels", 3),
    "spearman": ("Spearman", 3),
    "weighted_tau": ("weighted τ", 3),
    "tau_top10": ("τ in the true best tenth", 3),
    "tier_accuracy": ("right tier of 5", 3),
    "p_at_0.1": ("P@0.1 %", 2),
    "p_at_1": ("P@1 %", 2),
    "p_at_5": ("P@5 %", 2),
    "p_at_10": ("P@10 %", 2),
    "n_at_1": ("N@1", 0),
    "n_at_10": ("N@10", 0),
    "n_at_50": ("N@50", 0),
    "regret_at_1": ("regret of top 1", 2),
    "regret_at_10": ("regret of top 10", 2),
    "coverage50": ("in its 50 % interval", 2),
    "coverage90": ("in its 90 % interval", 2),
    "ece_tier": ("calibration error of tiers", 3),
}


def section(claim: Claim, content: dict[str, Any], file: str, picture: str) -> str:
    """Title, protocol, picture and tables."""
    tables = {"ranking": _ranking, "search": search_tables, "published": _published}[claim.kind]
    parts = [f"## {claim.title}", claim.notes.strip()]
    if claim.data.note:
        parts.append(f"**{claim.data.note}**")
    parts += [f"Mean ± sd over {claim.seeds} seeds unless a row says otherwise. {_made(claim, content, file)}", picture]
    for dataset in claim.data.datasets:
        lines = [line for line in content["runs"] if line["shard"]["dataset"] == dataset]
        parts += tables(claim, dataset, lines, content["facts"][dataset])
    if claim.kind == "ranking" and len(claim.data.datasets) > MANY:
        parts += _over_datasets(claim, content["runs"])
    if claim.paper:
        parts.append(f"Paper: {claim.paper}.")
    return "\n\n".join(part for part in parts if part)


def labels_used(method: Method, dataset: str, at: int, architectures: int) -> str:
    """All trainings behind a row: the labels, what its recorded inputs have cost, and the labels of its source."""
    parts = [f"{at if method.learns else 0}"]
    if method.input_cost and method.inputs_on(dataset):
        cost, each = method.input_cost * architectures, f"{method.input_cost:g} × {architectures:,}"
        parts.append(f"{cost:,.0f} for inputs ({each})")
    if method.source:
        where = f" of {method.source.claim}" if method.source.claim else ""
        parts.append(f"{method.source.labels:,} on {method.source.dataset}{where}")
    return " + ".join(parts)


def _made(claim: Claim, content: dict[str, Any], file: str) -> str:
    data = f"; data `{claim.data.file}`" if claim.data.file else ""
    machine = content["environment"]
    return f"Made by `{file}` on {machine['cores']} cores of {machine['cpu']}{data}."


def _ranking(claim: Claim, dataset: str, lines: list[Shard], facts: dict[str, Any]) -> list[str]:
    names = present(claim, lines)
    rows = [[label_of(claim, m), *(mean_sd(taken(lines, m, n, "tau")) for n in claim.labels)] for m in names]
    head = ["Kendall's τ-b", *(f"{n} labels" for n in claim.labels)]
    at = claim.claim[0].at if claim.claim else claim.labels[-1]
    kept = [figure for figure in RANKING if any(taken(lines, m, at, figure) for m in names)]
    more: list[list[object]] = []
    for name in names:
        used = labels_used(claim.methods[name], dataset, at, facts["architectures"])
        cells = [mean_sd(taken(lines, name, at, figure), RANKING[figure][1]) for figure in kept]
        more.append([label_of(claim, name), used, *cells])
    text = f"{facts['architectures']:,} architectures; {ceiling(claim, facts)}"
    parts = [noted(claim, dataset, text), table(head, rows)]
    if kept:
        parts.append(table([f"at {at} labels", "labels used", *(RANKING[figure][0] for figure in kept)], more))
    return parts


def _over_datasets(claim: Claim, lines: list[Shard]) -> list[str]:
    """Kendall's tau, mean over the data sets, of the methods that have a figure on each of them."""
    rows: list[list[object]] = []
    for name in present(claim, lines):
        each = [[line for line in lines if line["shard"]["dataset"] == dataset] for dataset in claim.data.datasets]
        taus = [[taken(mine, name, n, "tau") for mine in each] for n in claim.labels]
        # what draws nothing has run once, the others with the same seeds on every data set
        means = [np.mean(found, 0) if all(found) else () for found in taus]
        rows.append([label_of(claim, name), *map(mean_sd, means)])
    text = f"**Mean over the {len(claim.data.datasets)} data sets**, of each draw of labels"
    return [text, table(["Kendall's τ-b", *(f"{n} labels" for n in claim.labels)], rows)]


def _published(claim: Claim, dataset: str, lines: list[Shard], facts: dict[str, Any]) -> list[str]:
    tables = [noted(claim, dataset, f"best {judged(claim)} {facts['best_test']:.2f}; {ceiling(claim, facts)}")]
    tested = judged(claim) == "test"
    head = ["scorer", "k", "labels", *(["best by test, **as published**"] if tested else [])]
    head += ["rank", "best validation", *(["its test, **honest**"] if tested else [])]
    for bounds in claim.bounds:
        rows: list[list[object]] = []
        for name in present(claim, lines):
            rows += [row for k in claim.k if (row := _published_row(claim, lines, name, k, bounds, tested))]
        if rows:
            where = "half of the candidates under bounds" if bounds else "all candidates uniform, no bounds"
            tables.append(table([f"{head[0]}; {where}", *head[1:]], rows))
    return tables


def _published_row(
    claim: Claim, lines: list[Shard], name: str, k: int, bounds: bool, tested: bool
) -> list[object] | None:
    def cell(figure: str, digits: int = 2) -> str:
        return mean_sd(taken(lines, name, k, figure, bounds=bounds), digits)

    labels = taken(lines, name, k, "labels", bounds=bounds)
    if not labels:
        return None
    row: list[object] = [label_of(claim, name), k, f"{np.mean(labels):,.0f}"]
    row += [cell("test_as_published")] if tested else []
    row += [f"{np.mean(taken(lines, name, k, 'rank_as_published', bounds=bounds)):,.0f}", cell("validation")]
    return [*row, cell("test_of_best_validation")] if tested else row
