"""Figures: what they show, not how they look."""

from __future__ import annotations

import builtins
import importlib
import io
import sys
from typing import Any

import numpy as np
import pytest

from tierwise import metrics, plots
from tierwise.benchmarks.nasbench201 import load
from tierwise.errors import BadSetting, MissingExtra


def saved(ax: Any) -> str:
    buffer = io.StringIO()
    ax.figure.savefig(buffer, format="svg")
    return buffer.getvalue()


def test_search_curve_beside_random_search() -> None:
    column = load().metrics["accuracy"]
    best = metrics.best_so_far(column[:60])
    mean, band = metrics.random_search(column, 60)
    ax = plots.search_curve(best, mean, band, optimum=float(column.max()), label="validation accuracy (%)")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["random, 10–90 %", "random, mean", "this search", "best in the table"]
    assert ax.get_ylabel() == "validation accuracy (%)"
    assert ax.get_ylim()[1] > column.max()
    assert len(saved(ax)) > 5000


@pytest.mark.parametrize("best", [[1.0], [1.0, 1.0, 1.0], [np.nan, 2.0, 3.0]])
def test_search_curve_of_little(best: list[float]) -> None:
    assert "evaluations" in plots.search_curve(best).get_xlabel()


def test_tiers_with_an_empty_and_a_constant_one() -> None:
    values, tiers = np.array([1.0, 2.0, 3.0, 5.0, 5.0, 4.0]), np.array([0, 0, 0, 2, 2, 3])
    ax = plots.tier_distributions(values, tiers, label="FLOPs (million)")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["tier 4", "tier 3", "tier 2", "tier 1 (best)"]
    assert [t.get_text() for t in ax.texts] == ["n = 3", "n = 0", "n = 2", "n = 1"]
    assert saved(ax)
    with pytest.raises(BadSetting):
        plots.tier_distributions(values, tiers[:2])
    with pytest.raises(BadSetting):
        plots.tier_distributions([np.nan], [0])


def test_rank_agreement_says_tau_and_ceiling() -> None:
    column = load().metrics["accuracy"]
    ax = plots.rank_agreement(column, column, tau=1.0, ceiling=0.894)
    assert "1.000" in ax.get_title(loc="left")
    assert "noise ceiling 0.894" in ax.get_title(loc="left")
    assert "ceiling" not in plots.rank_agreement(column, column, tau=1.0).get_title(loc="left")


def test_draws_into_given_axes_and_leaves_the_settings_alone() -> None:
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    before = dict(rcParams)
    ax = Figure().add_subplot()
    assert plots.search_curve([1.0, 2.0], ax=ax) is ax
    assert dict(rcParams) == before


def test_without_matplotlib_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "tierwise.plots")
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtra, match=r"tierwise\[plots\]"):
        importlib.import_module("tierwise.plots")


def test_the_front_as_steps_with_its_knee() -> None:
    cost = np.array([1.0, 2.0, 3.0, 4.0, 2.5, 3.5, 1.5])
    value = np.array([86.0, 88.0, 90.0, 91.0, 85.5, 10.0, 85.0])
    front = np.array([True, True, True, True, False, False, False])
    ax = plots.trade_off(cost, value, front, 1, cost_label="Parameters (million)", value_label="accuracy (%)")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["finished (1 more below)", "front", "knee"]
    assert ax.get_title(loc="left") == "accuracy against Parameters"
    grey, steps, dots, knee = (np.column_stack(line.get_data()).tolist() for line in ax.lines)
    assert grey == [[2.5, 85.5], [1.5, 85.0]]
    assert steps == [[1.0, 86.0], [2.0, 88.0], [3.0, 90.0], [4.0, 91.0], [4.0, 91.0]]
    assert dots == [[1.0, 86.0], [2.0, 88.0], [3.0, 90.0], [4.0, 91.0]]
    assert knee == [[2.0, 88.0]]
    assert ax.get_ylim()[0] > 70
    assert saved(ax)


def test_steps_never_fall_and_one_result_is_a_front() -> None:
    ax = plots.trade_off([1.0, 2.0, 3.0], [5.0, 4.0, 6.0], [True, True, True], -1)
    assert np.asarray(ax.lines[1].get_ydata()).tolist() == [5.0, 5.0, 6.0, 6.0]
    assert "knee" not in [t.get_text() for t in ax.get_legend().get_texts()]
    assert saved(plots.trade_off([1.0], [2.0], [True], 0))
