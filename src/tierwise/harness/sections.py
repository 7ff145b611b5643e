"""The Markdown of a claim's results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tierwise.harness import search
from tierwise.harness.protocol import Claim, Method
from tierwise.harness.run import value
from tierwise.harness.shards import Shard

NONE = "–"
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
    tables = {"ranking": _ranking, "search": _search, "published": _published}[claim.kind]
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


def mean_sd(values: Iterable[float], digits: int = 3) -> str:
    """ "0.812 ± 0.004"; a single value without spread; a dash for none."""
    row = np.array(list(values), dtype=float)
    if not len(row):
        return NONE
    spread = f" ± {row.std(ddof=1):.{digits}f}" if len(row) > 1 else ""
    return f"{row.mean():.{digits}f}{spread}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows))


def label_of(claim: Claim, method: str) -> str:
    """What a method is called, and how many seeds it has if these are not the claim's."""
    about, seeds = claim.methods[method].about, claim.seeds_of(method)
    return about if seeds == claim.seeds else f"{about} ({seeds} seed{'s' if seeds > 1 else ''})"


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


def judged(claim: Claim) -> str:
    """The accuracy that a method is judged by, in words."""
    return "test" if claim.data.truth == "test" else "validation"


def _made(claim: Claim, content: dict[str, Any], file: str) -> str:
    data = f"; data `{claim.data.file}`" if claim.data.file else ""
    machine = content["environment"]
    return f"Made by `{file}` on {machine['cores']} cores of {machine['cpu']}{data}."


def ceiling(claim: Claim, facts: dict[str, Any]) -> str:
    """The noise ceilings of one data set, in words."""
    parts: list[str] = []
    if claim.data.truth != claim.data.label:
        parts.append(f"{facts['ceiling']:.3f} validation against {judged(claim)}")
    if facts["ceiling_seeds"] is not None:
        parts.append(f"{facts['ceiling_seeds']:.3f} one training seed against another")
    return f"noise ceiling: {', '.join(parts)}" if parts else "no second measurement, so no noise ceiling is known"


def _taken(lines: list[Shard], method: str, at: int, figure: str, **where: Any) -> list[float]:
    mine = [x for x in lines if x["shard"]["method"] == method and all(x["shard"][k] == v for k, v in where.items())]
    return [v for v in (value(line, at, figure) for line in mine) if v is not None]


def _present(claim: Claim, lines: list[Shard]) -> list[str]:
    """Methods with any line, in the order of the claim."""
    have = {line["shard"]["method"] for line in lines}
    return [name for name in claim.methods if name in have]


def _noted(claim: Claim, dataset: str, text: str) -> str:
    return f"**{dataset}** ({'; '.join(part for part in (text, claim.data.note) if part)})"


def _ranking(claim: Claim, dataset: str, lines: list[Shard], facts: dict[str, Any]) -> list[str]:
    names = _present(claim, lines)
    rows = [[label_of(claim, m), *(mean_sd(_taken(lines, m, n, "tau")) for n in claim.labels)] for m in names]
    head = ["Kendall's τ-b", *(f"{n} labels" for n in claim.labels)]
    at = claim.claim[0].at if claim.claim else claim.labels[-1]
    kept = [figure for figure in RANKING if any(_taken(lines, m, at, figure) for m in names)]
    more: list[list[object]] = []
    for name in names:
        used = labels_used(claim.methods[name], dataset, at, facts["architectures"])
        cells = [mean_sd(_taken(lines, name, at, figure), RANKING[figure][1]) for figure in kept]
        more.append([label_of(claim, name), used, *cells])
    text = f"{facts['architectures']:,} architectures; {ceiling(claim, facts)}"
    parts = [_noted(claim, dataset, text), table(head, rows)]
    if kept:
        parts.append(table([f"at {at} labels", "labels used", *(RANKING[figure][0] for figure in kept)], more))
    return parts


def _over_datasets(claim: Claim, lines: list[Shard]) -> list[str]:
    """Kendall's tau, mean over the data sets, of the methods that have a figure on each of them."""
    rows: list[list[object]] = []
    for name in _present(claim, lines):
        each = [[line for line in lines if line["shard"]["dataset"] == dataset] for dataset in claim.data.datasets]
        taus = [[_taken(mine, name, n, "tau") for mine in each] for n in claim.labels]
        # what draws nothing has run once, the others with the same seeds on every data set
        means = [np.mean(found, 0) if all(found) else () for found in taus]
        rows.append([label_of(claim, name), *map(mean_sd, means)])
    text = f"**Mean over the {len(claim.data.datasets)} data sets**, of each draw of labels"
    return [text, table(["Kendall's τ-b", *(f"{n} labels" for n in claim.labels)], rows)]


def _search(claim: Claim, dataset: str, lines: list[Shard], facts: dict[str, Any]) -> list[str]:
    last, unit = max(search.checkpoints(claim)), "seconds" if claim.seconds else "evaluations"
    rows: list[list[object]] = []
    for name in _present(claim, lines):
        mine = [line for line in lines if line["shard"]["method"] == name]
        at = [line["best_evaluated_at"] for line in mine]
        reached = [k for k in at if k is not None]
        when = f"{np.mean(reached):.0f} ({len(reached)} of {len(at)})" if reached else f"{NONE} (0 of {len(at)})"
        columns = ("validation", "test", "oracle_test", "validation_regret", "test_regret")
        cells = [mean_sd(_taken(lines, name, last, figure), 2) for figure in columns]
        used = f"{np.mean([line['labels'] for line in mine]):,.0f}"
        rows.append([label_of(claim, name), used, *cells, when])
    limits = f"validation {facts['best_validation']:.2f}, its test {facts['test_of_best_validation']:.2f}"
    text = (
        f"after {last:,} {unit}; best there is: {limits}, best test {facts['best_test']:.2f}; {ceiling(claim, facts)}"
    )
    head = ["method", "labels", "validation", "test of that one", "oracle test", "validation regret", "test regret"]
    return [_noted(claim, dataset, text), table([*head, "evaluation of the best (runs)"], rows)]


def _published(claim: Claim, dataset: str, lines: list[Shard], facts: dict[str, Any]) -> list[str]:
    tables = [_noted(claim, dataset, f"best {judged(claim)} {facts['best_test']:.2f}; {ceiling(claim, facts)}")]
    tested = judged(claim) == "test"
    head = ["scorer", "k", "labels", *(["best by test, **as published**"] if tested else [])]
    head += ["rank", "best validation", *(["its test, **honest**"] if tested else [])]
    for bounds in claim.bounds:
        rows: list[list[object]] = []
        for name in _present(claim, lines):
            rows += [row for k in claim.k if (row := _published_row(claim, lines, name, k, bounds, tested))]
        if rows:
            where = "half of the candidates under bounds" if bounds else "all candidates uniform, no bounds"
            tables.append(table([f"{head[0]}; {where}", *head[1:]], rows))
    return tables


def _published_row(
    claim: Claim, lines: list[Shard], name: str, k: int, bounds: bool, tested: bool
) -> list[object] | None:
    def cell(figure: str, digits: int = 2) -> str:
        return mean_sd(_taken(lines, name, k, figure, bounds=bounds), digits)

    labels = _taken(lines, name, k, "labels", bounds=bounds)
    if not labels:
        return None
    row: list[object] = [label_of(claim, name), k, f"{np.mean(labels):,.0f}"]
    row += [cell("test_as_published")] if tested else []
    row += [f"{np.mean(_taken(lines, name, k, 'rank_as_published', bounds=bounds)):,.0f}", cell("validation")]
    return [*row, cell("test_of_best_validation")] if tested else row
