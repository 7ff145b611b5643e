"""A search by regions as one page: the last supernet, its weights over time, how true they are, where it went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tierwise import __version__
from tierwise.plots import FIND, HEIGHT, MARK, QUIET, STYLE, WIDTH
from tierwise.report.template import Html, figure, join, page, section, table, tag
from tierwise.study import Study

if TYPE_CHECKING:
    from tierwise.supernets.findings import Findings

_SHADES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6a10", "#56b4e9", "#7d8794", "#7a5cb8")


def write_fade_report(study: Study, found: Findings, path: str | Path) -> Path:
    """Write the page and return its path; the whole page, or nothing."""
    target = Path(path)
    part = target.with_name(target.name + ".part")
    parts = [_header(study, found), _supernet(found), _over_time(found), _truth(found), _walk(found)]
    part.write_text(page(f"{study.space.name}: FaDE report", join(parts)), encoding="utf-8")
    return part.replace(target)


def _header(study: Study, found: Findings) -> Html:
    region, answer = found.regions[-1].region, found.steps[-1]
    kind = tag("p", f"tierwise {__version__} · FaDE · {study.space.name} of {study.space.size:,} architectures", "kind")
    title = f"{len(found.regions)} regions led to a network with a test accuracy of {_mean_sd(answer)} %."
    lead = (
        f"Each region is {' × '.join(map(str, region.counts))} candidates, so {region.size:,} networks, trained "
        f"together; all of them cost about {found.cost:,} trainings of a single network."
    )
    return join([kind, tag("h1", title), tag("p", lead, "lead")])


def _supernet(found: Findings) -> Html:
    """The candidates of each stage, heaviest first, with bars and drawings."""
    region, columns = found.regions[-1].region, list[Html]()
    for k, weights in enumerate(found.last.weights):
        rows = [
            (tag("code", region.choices[k].options[c]), _drawing(region, k, int(c)), _bar(float(weights[c])))
            for c in np.argsort(-weights)
        ]
        columns.append(
            tag("div", join([tag("h3", f"Stage {k + 1}"), table(("Candidate", "", "Weight"), rows)]), "sheet")
        )
    note = (
        "Every candidate of a stage is trained beside the others; the weights of a stage add up to 1, and the heaviest "
        "candidate is the one that is taken to be the best."
    )
    return section("The last region as one network", tag("p", note, "note"), tag("div", join(columns), "pair"))


def _drawing(region: Any, stage: int, number: int) -> Html:
    graph = getattr(region.space, "block_graph", None)
    if graph is None:
        return Html("")
    return Html(graph(stage, region.candidates[stage][number].tolist())._repr_svg_())


def _bar(weight: float) -> Html:
    width = round(100 * weight)
    bar = f'<span style="display:inline-block;height:.7em;width:{width}px;background:var(--find)"></span>'
    return Html(f"{bar} {weight:.3f}")


def _over_time(found: Findings) -> Html:
    """The weights of each stage after each epoch, mean of the trainings; nothing where none are learnt."""
    stages = len(found.last.runs)
    if all(np.ptp(own) == 0 for each in found.last.searches for epoch in each.trace[:-1] for own in epoch):
        return Html("")
    with rc_context(STYLE):
        drawn = Figure(figsize=(1.8 * WIDTH, HEIGHT), layout="constrained")
        axes: list[Axes] = list(np.atleast_1d(drawn.subplots(1, stages, sharey=True)))
        for k, ax in enumerate(axes):
            traces = np.mean([[epoch[k] for epoch in each.trace] for each in found.last.searches], axis=0)
            for c, line in enumerate(traces.T):
                ax.plot(range(1, len(line) + 1), line, color=_SHADES[c % len(_SHADES)], lw=1.6, label=f"{c + 1}")
            ax.set(title=f"stage {k + 1}", xlabel="epoch")
        axes[0].set_ylabel("weight")
    note = (
        "What the optimiser learns on the way. Weights are left alone at first, so that candidates are trained before "
        "they are judged."
    )
    shown = figure(axes[0], "Weights of the candidates of each stage over the epochs of the last region")
    return section("Weights over time", shown, tag("p", note, "note"))


def _truth(found: Findings) -> Html:
    """Scores against accuracies alone, and what counting would have said."""
    truth = found.accuracies.mean(1)
    with rc_context(STYLE):
        ax = Figure(figsize=(1.4 * WIDTH, HEIGHT), layout="constrained").add_subplot()
        ax.scatter(found.scores, truth, s=26, color=FIND, alpha=0.8, lw=0)
        ax.set(
            xlabel=f"FaDE score ({found.last.aggregation} of the weights of its candidates)",
            ylabel="test accuracy alone (%)",
        )
    agreed, rows = found.agreement(), list[Sequence[object]]()
    for name, value in agreed.items():
        beyond = "" if name == "FaDE" else _interval(found.beyond(name))
        rows.append(("FaDE ranks" if name == "FaDE" else name, f"{value:.2f}", beyond))
    seeds = found.accuracies.shape[1]
    rows.append((f"ceiling: one half of the {seeds} seeds against the other", f"{found.ceiling():.2f}", ""))
    head = ("Orders the paths by", "Spearman with the accuracy alone", "FaDE given that (95 % interval)")
    note = (
        f"{len(found.paths):,} of {found.last.region.size:,} paths of the last region, each trained alone from {seeds} "
        "seeds. Where counting parameters orders them as well, the ranks have shown nothing that counting does not."
    )
    shown = figure(ax, "FaDE scores of paths against their accuracies when trained alone")
    sheet = tag("div", table(head, rows, "numbers"), "sheet")
    return section("Ranks against truth", shown, tag("p", note, "note"), sheet)


def _walk(found: Findings) -> Html:
    """The heaviest path of each region, trained alone, beside what other searches find at the same cost."""
    means, spread = found.steps.mean(1), found.steps.std(1, ddof=1) if found.steps.shape[1] > 1 else 0.0
    with rc_context(STYLE):
        ax = Figure(figsize=(WIDTH, HEIGHT), layout="constrained").add_subplot()
        ax.errorbar(range(1, len(means) + 1), means, yerr=spread, color=FIND, marker="o", capsize=3, label="FaDE")
        for name, dashes in zip(found.baselines, ("--", ":", "-."), strict=False):
            ax.axhline(float(found.baselines[name].mean()), color=QUIET, ls=dashes, label=f"{name}, same cost")
        ax.plot(len(means), means[-1], "o", color=MARK, ms=7, label="the answer")
        ax.set(xlabel="region", ylabel="test accuracy alone (%)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(loc="lower right")
    rows: list[Sequence[object]] = [("FaDE, the last region", _mean_sd(found.steps[-1]))]
    for name, values in found.baselines.items():
        by = join([tag("code", name), f", best by validation of {found.cost:,} networks"])
        rows.append((by, _mean_sd(values)))
    shown = figure(ax, "Test accuracy of the heaviest path of each region")
    note = "The answer is the heaviest path of the last region, not the best one along the way. One search says little."
    sheet = tag("div", table(("Found by", "Test accuracy (%)"), rows, "numbers"), "sheet")
    return section("From region to region", tag("div", join([shown, sheet]), "pair"), tag("p", note, "note"))


def _mean_sd(values: Any) -> str:
    spread = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{spread}"


def _interval(partial: Any) -> str:
    return f"{partial.value:.2f} ({partial.low:.2f} to {partial.high:.2f})"
