"""A study as one self-contained web page: what was found, how good it is, how it came about."""

from __future__ import annotations

import math
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tierwise import __version__, metrics, plots
from tierwise.provenance import known_before
from tierwise.report.cards import CARDS, COST_NAMES, best_cards, rank_text, why
from tierwise.report.facts import Facts, Ranked, Truth, command, compare, gather
from tierwise.report.front import the_front
from tierwise.report.reasons import reasons, what_makes_a_tier
from tierwise.report.steering import steering
from tierwise.report.template import Html, figure, join, page, section, table, tag
from tierwise.study import Study

if TYPE_CHECKING:
    from tierwise.benchmarks.table import Table

Row = tuple[str, str, str]  # what, its value, a remark


def write_report(study: Study, benchmark: Table | None, path: str | Path, *, predictor: Any = "auto") -> Path:
    """Write the report of a study as one HTML page and return its path.

    benchmark: the table that the study was run on; without one the report has the parts that need none.
    predictor: a registered name, or an unfitted predictor or pipeline; it learns from all labels.
    Without tiers of its own its scores of the space are cut into five equal parts.
    Raises BadSetting for a table of another space or objective, MissingExtra without matplotlib.
    """
    table = benchmark if hasattr(benchmark, "expected") else None  # of a training nothing is known beforehand
    facts = gather(study, table, predictor)
    target = Path(path)
    part = target.with_name(target.name + ".part")
    part.write_text(page(f"{study.space.name}: tierwise report", _body(facts)), encoding="utf-8")
    return part.replace(target)


def _body(facts: Facts) -> Html:
    parts: list[object] = [_header(facts), tag("div", join([_summary(facts), _search(facts)]), "pair")]
    parts.append(the_front(facts))
    found = reasons(facts, CARDS)
    parts.append(best_cards(facts, found))
    if facts.ranked is not None:
        parts += [_tiers(facts.ranked), what_makes_a_tier(facts, found)]
        if facts.truth is not None:
            parts.append(_agreement(facts, facts.ranked, facts.truth))
    else:
        parts.append(section("Tiers of the space", tag("p", f"Not ranked: {facts.unranked}", "note")))
    return join([*parts, steering(facts), _trials(facts), _failures(facts), _reproduce(facts)])


def _header(facts: Facts) -> Html:
    study, n = facts.study, len(facts.done)
    where = facts.truth.table.name if facts.truth else study.space.name
    kind = tag("p", f"tierwise report · {where} · strategy {study.strategy!r}", "kind")
    if not n:
        return join([kind, tag("h1", f"No result yet: {len(facts.trials)} trials, none finished with a value.")])
    value = facts.number(float(facts.y[facts.best[0]]))
    if facts.truth is None:
        return join([kind, tag("h1", f"The best of {n:,} evaluated architectures has {facts.objective} {value}.")])
    row, size = _best_row(facts, facts.truth), int(np.isfinite(facts.truth.labels).sum())
    rank = int(metrics.ranks(facts.truth.labels)[row])
    needed = metrics.random_evaluations_needed(rank, size)
    found = f"{facts.objective} {value}: number {rank:,} of {size:,}"
    title = f"{n:,} evaluations found an architecture with {found}."
    lead = f"Random search needs {needed:,} evaluations for an even chance to find one as good."
    if facts.truth.test is not None:
        test, of_test = facts.truth.test[row], int(metrics.ranks(facts.truth.test)[row])
        lead += f" Its test accuracy is {facts.number(float(test))}, number {of_test:,} by test."
    return join([kind, tag("h1", title), tag("p", lead, "lead")])


def _best_row(facts: Facts, truth: Truth) -> int:
    return int(truth.rows(facts.archs[facts.best[:1]])[0])


def _summary(facts: Facts) -> Html:
    study, failed = facts.study, sum(t.state == "failed" for t in facts.trials)
    rows: list[Row] = []
    if len(facts.done):
        best = int(facts.best[0])
        rank = rank_text(facts, facts.truth.labels, best) if facts.truth else f"trial {best + 1}"
        rows.append((f"Best {facts.objective} found", facts.number(float(facts.y[best])), rank))
        rows += _truth_rows(facts, facts.truth) if facts.truth else []
    size = facts.truth.table.space.size if facts.truth else study.space.size
    share = f"of {_count(size)} architectures ({len(facts.done) / size:.2%})"
    rows.append(("Labels used", f"{len(facts.done):,}", share))
    rows += _others_labels(facts)
    if failed:
        rows.append(("Failed evaluations", f"{failed:,}", "listed below with their reasons"))
    if withdrawn := sum(t.state == "withdrawn" for t in facts.trials):
        rows.append(("Withdrawn proposals", f"{withdrawn:,}", "not evaluated, because somebody did not want them"))
    if any("seconds" in t.metrics for t in facts.trials):
        rows.append(("Simulated training time", _duration(study.seconds), "as recorded, one after another"))
    else:
        rows.append(("Time of the evaluations", _duration(study.seconds), "summed over all of them"))
    if facts.wall_seconds is not None:
        rows.append(("Real time", _duration(facts.wall_seconds), "first proposal to last result, pauses included"))
    lines = [(name, join([tag("b", value), tag("small", note)])) for name, value, note in rows]
    return section("Summary", tag("div", table([], lines, "summary"), "sheet"))


def _others_labels(facts: Facts) -> list[Row]:
    """What was not evaluated by this study but came from elsewhere."""
    known, prior = known_before(facts.trials), facts.study.prior
    rows = [
        ("of them known before", f"{n:,}", f"results of {source}, neither run nor timed here")
        for source, n in known.items()
    ]
    if prior is not None:
        rows.append(("Prior labels", f"{len(prior):,}", f"of another task, {prior.source}; not among the labels used"))
    return rows


def _truth_rows(facts: Facts, truth: Truth) -> list[Row]:
    """The test accuracies and the best that the table has."""
    best = int(facts.best[0])
    missing = metrics.regret(float(facts.y[best]), truth.labels)
    rows: list[Row] = []
    if truth.test is not None:
        tests = truth.test[truth.rows(facts.archs[facts.done])]
        oracle = int(facts.done[int(np.argmax(tests))])
        own = facts.number(float(truth.test[_best_row(facts, truth)]))
        rows.append(("Its test accuracy", own, rank_text(facts, truth.test, best)))
        note = f"{rank_text(facts, truth.test, oracle)}; an oracle’s choice, who sees the test"
        rows.append(("Best test accuracy evaluated", facts.number(float(tests.max())), note))
    points = f"{missing:.2f} points" if facts.percent else f"{missing:.4g}"
    note = f"the best found is {points} below" if missing > 0 else "found"
    rows.append((f"Best {facts.objective} there is", facts.number(float(np.nanmax(truth.labels))), note))
    return rows


def _search(facts: Facts) -> Html | str:
    if not len(facts.done):
        return ""
    curve = metrics.best_so_far(facts.y[facts.done])
    label = f"{facts.objective} (%)" if facts.percent else facts.objective
    if facts.truth is None:
        ax = plots.search_curve(curve, label=label)
        return section("The search", figure(ax, "Best value so far against evaluations"))
    labels = facts.truth.labels
    mean, band = metrics.random_search(labels, min(len(curve), int(np.isfinite(labels).sum())))
    ax = plots.search_curve(curve, mean, band, optimum=float(np.nanmax(labels)), label=label)
    drawn = figure(ax, "Best value so far against evaluations, beside random search")
    note = "Random search: exact, over the whole table without replacement."
    return section("The search", drawn, tag("p", note, "note"))


def _tiers(ranked: Ranked) -> Html:
    n = f"{len(ranked.archs):,}"
    what = f"all {n} architectures" if ranked.whole else f"a random sample of {n} architectures"
    sizes = ", ".join(f"{count:,}" for count in np.bincount(ranked.tiers))
    by = f"as predicted by {ranked.name}, fitted on the labels of this study"
    note = (
        f"Tiers of {what}, {by}: tier 1 is as good as the best fifth of what was evaluated, which a search has chosen "
        f"for being good. Sizes, best first: {sizes}."
    )
    figures: list[Html] = []
    for name, column in ranked.costs.items():
        ax = plots.tier_distributions(column / 1e6, ranked.tiers, label=f"{COST_NAMES[name]} (million)")
        figures.append(figure(ax, f"{COST_NAMES[name]} by predicted tier"))
    drawn = tag("div", join(figures), "pair") if figures else ""
    return section("Tiers of the space", drawn, tag("p", note, "note"))


def _agreement(facts: Facts, ranked: Ranked, truth: Truth) -> Html:
    scored = compare(facts, ranked, truth)
    labels = truth.labels[truth.rows(ranked.archs)]
    known = np.isfinite(labels)
    ceiling = scored[-1].tau if truth.ceiling else None
    ax = plots.rank_agreement(ranked.scores[known], labels[known], tau=scored[0].tau, ceiling=ceiling)
    rows = [
        (
            s.name,
            f"{s.tau:.3f}",
            f"{s.tau_unseen:.3f}",
            f"{s.spearman:.3f}",
            f"{s.precision:.0%}",
            f"{s.best_rank:,.0f}",
        )
        for s in scored
    ]
    head = ["Order by", "τ", "τ, unseen", "ρ", "top 5 %", "best of 10"]
    note = (
        "τ: Kendall’s tau-b with the labels of the table; "
        "unseen: without the networks that this study evaluated. "
        "ρ: Spearman’s rank correlation. Top 5 %: how much of the predicted top 5 % belongs there. "
        "Best of 10: the best true rank among the predicted ten best. "
        "No order can be expected to do better than the noise ceiling."
    )
    judged = join([tag("div", table(head, rows, "numbers"), "sheet"), tag("p", note, "note")])
    picture = figure(ax, "Predicted against true rank", "square")
    return section("Predicted against true order", tag("div", join([picture, tag("div", judged)]), "pair uneven"))


def _trials(facts: Facts) -> Html | str:
    if not facts.trials:
        return ""
    notation = facts.study.space.format(facts.archs)
    rows: list[list[object]] = []
    for t, name in zip(facts.trials, notation, strict=True):
        value = facts.number(t.metrics[facts.study.objective]) if facts.study.objective in t.metrics else t.state
        value += f", budget {t.budget}" if t.budget else ""
        value += f": {t.error}" if t.state == "withdrawn" else ""
        rows.append([t.id, tag("code", name), value, why(facts, t.id - 1).removeprefix("Why proposed: ")])
    content = table(["Trial", "Architecture", facts.objective, "Why proposed"], rows, "trials")
    summary = tag("summary", f"Show all {len(rows):,} trials")
    return section("All trials", tag("details", join([summary, tag("div", content, "sheet scroll")])))


def _failures(facts: Facts) -> Html | str:
    rows = [(t.id, tag("code", str(t.arch)), _reason(t.error or "")) for t in facts.trials if t.state == "failed"]
    if not rows:
        return ""
    return section("Failed trials", tag("div", table(["Trial", "Architecture", "Reason"], rows), "sheet"))


def _reason(error: str) -> Html | str:
    """The last line of an error, which says what happened; the rest on demand."""
    lines = error.strip().splitlines() or ["no reason given"]
    if len(lines) == 1:
        return lines[0]
    return tag("details", join([tag("summary", lines[-1]), tag("pre", error)]))


def _limit(name: str, least: float, most: float) -> str:
    return f"{name} at most {most:,.10g}" if math.isinf(least) else f"{name} {least:,.10g} to {most:,.10g}"


def _reproduce(facts: Facts) -> Html:
    study, line = facts.study, command(facts)
    limits = ", ".join(_limit(name, *bounds) for name, bounds in study.limits.items())
    settings = [
        ("Space", study.space.name + (" (narrowed)" if study.space.narrowed else "")),
        ("Strategy", repr(study.strategy)),
        ("Seed", study.seed),
        ("Limits", limits or "none"),
        *([("Steering", "as above, which the line does not repeat")] if study.steers() else []),
        *([("Against", ", ".join(study.against))] if study.against else []),
        ("Study file", study.path.name if study.path else "in memory"),
        *((name.capitalize(), _noted(value)) for name, value in study.notes.items()),
        ("Versions", ", ".join([f"tierwise {__version__}", *_versions()])),
    ]
    return section("How to reproduce", tag("pre", line) if line else "", tag("div", table([], settings), "sheet"))


def _versions() -> list[str]:
    packages = [f"{name} {version(name)}" for name in ("numpy", "scipy", "scikit-learn")]
    return [f"Python {platform.python_version()}", *packages]


def _count(n: int) -> str:
    return f"{n:,}" if n < 10**15 else f"{float(n):.3g}" if n < 10**300 else f"10^{len(str(n)) - 1}"


def _noted(value: object) -> str:
    pairs = cast(dict[str, object], value).items() if isinstance(value, dict) else ()
    return ", ".join(f"{name} {part}" for name, part in pairs) if pairs else str(value)


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds:.1g} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
