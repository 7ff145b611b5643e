"""Parts of the map by rule, mask and drawn line, and what is said of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.navigator.conftest import Start, foretell, made_up
from tierwise import make
from tierwise.errors import BadSetting, UnknownName
from tierwise.insight import effects as insight
from tierwise.navigator.components import large_effects
from tierwise.navigator.selection import Polygon, Selection, chosen, packed, unpacked, within

NO_STEERING = "", "", "", "", ""


@given(arrays(np.bool_, st.integers(0, 70)))
def test_a_mask_survives_its_journey(mask: np.ndarray):
    assert (unpacked(packed(mask), len(mask)) == mask).all()


@given(arrays(np.bool_, st.integers(1, 40)), st.integers(0, 20))
def test_a_mask_of_a_smaller_map_selects_none_of_the_new_rows(mask: np.ndarray, more: int):
    found = unpacked(packed(mask), len(mask) + more)
    assert (found[: len(mask)] == mask).all()
    assert not found[len(mask) :].any()


@pytest.mark.parametrize("text", ["?", "AAAA" * 10, "å"])
def test_a_mask_that_is_none_is_refused(text: str):
    with pytest.raises(BadSetting, match="mask"):
        unpacked(text, 8)


def crossings(x: float, y: float, corners: list[tuple[float, float]]) -> bool:
    """Even-odd rule, point by point: how many edges a ray to the right crosses."""
    odd = False
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            odd = not odd
    return odd


corner = st.tuples(st.integers(0, 9), st.integers(0, 9))


@settings(max_examples=60)
@given(st.lists(corner, min_size=3, max_size=12), st.integers(0, 2**32 - 1))
def test_what_is_inside_a_line_equals_counting_crossings(corners: list[tuple[int, int]], seed: int):
    x, y = np.random.default_rng(seed).random((2, 40)) * 10
    found = within(x, y, np.array(corners, dtype=np.float64))
    line = [(float(a), float(b)) for a, b in corners]
    assert found.tolist() == [crossings(a, b, line) for a, b in zip(x, y, strict=True)]


def test_a_line_on_logarithmic_axes_is_straight_there(start: Start):
    snapshot = start().snapshot()
    corners = [(1e5, 1e7), (1e6, 1e7), (1e6, 1e9)]
    found = chosen(snapshot, Selection(polygon=Polygon("params", "flops", corners, (True, True))))
    params, flops = snapshot.column("params"), snapshot.column("flops")
    share = (np.log10(params) - 5) / 1  # along the slanted edge from (1e5, 1e7) to (1e6, 1e9)
    expected = (params < 1e6) & (params > 1e5) & (np.log10(flops) > 7) & (np.log10(flops) < 7 + 2 * share)
    assert found.any()
    assert (found == expected).all()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("count(nor_conv_3x3) >= 2 and params < 600e3", lambda g, c: ((g == 3).sum(1) >= 2) & (c["params"] < 600e3)),
        ('not pick("cell/0-1") == "none" or flops <= 2e7', lambda g, c: (g[:, 0] != 0) | (c["flops"] <= 2e7)),
        ("result > 75", lambda g, c: c["result"] > 75),
        ("accuracy > 75", lambda g, c: c["result"] > 75),
        ("tier == 1", lambda g, c: c["tier"] == 0),
        ("predicted > 80 and sd < 1", lambda g, c: c["predicted"] > 80),
    ],
)
def test_a_rule_selects_what_brute_force_does(start: Start, rule: str, expected: object):
    navigator = start()
    foretell(navigator)
    snapshot = navigator.snapshot()
    columns = {name: snapshot.column(name) for name in ("params", "flops", "result", "tier", "predicted")}
    assert callable(expected)
    mask = expected(snapshot.archs.genes, columns)
    assert 0 < mask.sum() < len(mask)
    assert (snapshot.where(rule) == mask).all()
    assert navigator.select(Selection(rule=rule)).count == mask.sum()


def test_a_rule_reads_every_row_of_a_map_in_pieces(start: Start, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tierwise.navigator.snapshot.CHUNK", 1_000)
    snapshot = start(5).snapshot()
    found = snapshot.where("params < 4e5 and depth >= 2 and count(none) < 3")
    few = (snapshot.archs.genes == 0).sum(1) < 3
    assert (found == ((snapshot.column("params") < 4e5) & (snapshot.column("depth") >= 2) & few)).all()


def test_only_one_way_to_select_at_a_time(start: Start):
    with pytest.raises(BadSetting, match="selection"):
        start().select(Selection(rule="params > 1", mask=""))
    with pytest.raises(UnknownName, match="nothing_like_it"):
        start().select(Selection(rule="nothing_like_it > 1"))


def test_what_is_said_of_a_part(start: Start):
    navigator = start(60)
    score = foretell(navigator)
    genes = navigator.population.archs.genes
    facts = navigator.select(Selection(rule="count(nor_conv_3x3) >= 3 and count(none) == 0"))
    mask = ((genes == 3).sum(1) >= 3) & ((genes == 0).sum(1) == 0)
    assert (unpacked(facts.mask, facts.of) == mask).all()
    values = {t.row: t.metrics["accuracy"] for t in navigator.trials() if mask[t.row]}
    assert facts.evaluated == len(values)
    assert facts.best is not None
    assert (facts.best.row, facts.best.value) == max(values.items(), key=lambda pair: pair[1])
    assert facts.median == pytest.approx(np.median(list(values.values())))
    edges = np.quantile(score, (0.8, 0.6, 0.4, 0.2))
    assert facts.tiers == [int((mask & ((edges[None] > score[:, None]).sum(1) == t)).sum()) for t in range(5)]
    assert {each.option for each in facts.absent} == {"none"}
    assert len(facts.absent) == 6
    for each in facts.lifted:
        gene = [c.path for c in navigator.study.space.choices].index(each.path)
        has = genes[:, gene] == navigator.study.space.choices[gene].options.index(each.option)
        assert each.share == pytest.approx((has & mask).sum() / mask.sum())
        assert each.everywhere == pytest.approx(0.2)
        assert each.share >= 0.3
    for rule in facts.rules:
        holds = navigator.snapshot().where(rule.text)
        assert rule.matches == holds.sum()
        assert rule.purity == pytest.approx((holds & mask).sum() / holds.sum())
        assert rule.coverage == pytest.approx((holds & mask).sum() / mask.sum())
    assert facts.rules[0].purity > 0.9
    assert facts.rules[0].coverage > 0.9
    evaluated = set(values)
    assert len(facts.medoids) == 5
    assert all(mask[row] and row not in evaluated for row in facts.medoids)


def test_what_all_members_share(start: Start):
    facts = start(0).select(Selection(rule='pick("cell/0-1") == "none" and count(none) == 1'))
    assert [(each.path, each.option) for each in facts.shared] == [("cell/0-1", "none")]
    nothing = start(0).select(Selection(rule="params < 0"))
    assert (nothing.count, nothing.rules, nothing.medoids, nothing.best) == (0, [], [], None)
    everything = start(0).select(Selection())
    assert (everything.count, everything.rules, everything.shared) == (15_625, [], [])


def test_tiers_tell_how_costs_are_spread(start: Start):
    navigator = start()
    score = foretell(navigator)
    facts = navigator.tiers(Selection())
    assert facts.counts == np.bincount((np.array(facts.edges)[None] > score[:, None]).sum(1)).tolist()
    params = next(ridge for ridge in facts.columns if ridge.name == "params")
    values = navigator.columns.values["params"]
    assert params.quartiles[0] is not None
    best = values[score >= facts.edges[0]]
    assert params.quartiles[0] == pytest.approx(tuple(np.quantile(best, (0.25, 0.5, 0.75))))
    step = params.grid[1] - params.grid[0]
    for density in params.density:
        assert density is not None
        assert sum(density) * step == pytest.approx(1)
        assert min(density) >= 0
    depth = next(ridge for ridge in facts.columns if ridge.name == "depth")
    assert depth.grid == [0, 1, 2, 3]
    assert depth.density[0] is not None
    ways = navigator.columns.values["depth"][score >= facts.edges[0]]
    assert depth.density[0] == pytest.approx([(ways == d).mean() for d in range(4)])


def test_tiers_may_be_cut_elsewhere(start: Start):
    navigator = start()
    score = foretell(navigator)
    cuts = [85.0, 80.0, 78.0, 50.0]
    mask = navigator.columns.values["params"] < 6e5
    facts = navigator.tiers(Selection(rule="params < 6e5"), cuts)
    bounds = [np.inf, *cuts, -np.inf]
    assert facts.counts == [int((mask & (score < high) & (score >= low)).sum()) for high, low in pairwise(bounds)]
    with pytest.raises(BadSetting, match="edges"):
        navigator.tiers(Selection(), [1.0, 2.0, 3.0, 4.0])
    with pytest.raises(BadSetting, match="edges"):
        navigator.tiers(Selection(), [float("nan")] * 4)
    assert start(0).tiers(Selection()).counts == [0] * 5  # nothing is predicted yet


def test_effects_of_results(start: Start):
    navigator = start(150)
    found = navigator.effects(Selection())
    trials = navigator.trials()
    genes = navigator.population.archs.genes[[trial.row for trial in trials]]
    y = np.array([trial.metrics["accuracy"] for trial in trials])
    rank = np.array([(np.sum(y < v) + (np.sum(y == v) - 1) / 2) / (len(y) - 1) for v in y])
    has = genes[:, 2] == 3
    assert found.n == 150
    assert found.count[2][3] == has.sum()
    assert found.effect[2][3] == pytest.approx(y[has].mean() - y[~has].mean())
    assert found.fitness[2][3] == pytest.approx(rank[has].mean())
    low, high = found.low[2][3], found.high[2][3]
    assert low is not None
    assert high is not None
    assert low < y[has].mean() - y[~has].mean() < high
    assert found.status == [[*NO_STEERING]] * 6


def test_effects_of_many_agree_with_the_bootstrap():
    space, rng = make("space", "nasbench201"), np.random.default_rng(0)
    archs = space.sample(2_500, rng)
    y = np.array([made_up(arch) for arch in archs]) + rng.normal(size=len(archs))
    drawn, exact = insight.effects(archs, y, samples=300), large_effects(archs, y)
    assert np.allclose(drawn.effect, exact.effect)
    assert (drawn.count == exact.count).all()
    width = drawn.high - drawn.low
    assert np.allclose(drawn.low, exact.low, atol=0.15 * width.max())
    assert np.allclose(drawn.high, exact.high, atol=0.15 * width.max())


def test_an_option_shows_what_was_said_of_it(start: Start):
    navigator = start(5)
    navigator.study.steer("ban", choice="cell/0-1", option="none")
    navigator.study.steer("pin", choice="cell/0-2", option="nor_conv_3x3")
    navigator.study.steer("prefer", choice="cell/1-2", options=["nor_conv_1x1"])
    navigator.study.steer("avoid", choice="cell/0-3", options=["none", "avg_pool_3x3"])
    status = navigator.effects(Selection()).status
    assert status[0] == ["banned", "", "", "", ""]
    assert status[1] == ["banned", "banned", "banned", "locked", "banned"]
    assert status[2] == ["", "", "preferred", "", ""]
    assert status[3] == ["avoided", "", "", "", "avoided"]
    navigator.study.steer("retract", row=2)
    assert navigator.effects(Selection()).status[1] == [*NO_STEERING]


def test_the_table_is_sorted_and_paged(start: Start):
    navigator = start(30)
    order = {"sort": "result", "descending": True}
    first = navigator.table(Selection(), True, ["params", "result"], limit=4, **order)
    rest = navigator.table(Selection(), True, ["params", "result"], offset=4, **order)
    values = sorted((trial.metrics["accuracy"] for trial in navigator.trials()), reverse=True)
    assert first.total == rest.total == 30
    assert [row.values[1] for row in (*first.rows, *rest.rows)] == pytest.approx(values)
    best = next(trial for trial in navigator.trials() if trial.id == first.rows[0].trial)
    assert (best.row, best.text) == (first.rows[0].row, first.rows[0].text)
    whole = navigator.table(Selection(), False, ["result"], sort="result", offset=30, limit=2)
    assert [row.values for row in whole.rows] == [[None], [None]]  # unknown ones come last
    for wrong in ({"limit": 0}, {"limit": 201}, {"offset": -1}):
        with pytest.raises(BadSetting):
            navigator.table(Selection(), False, [], **wrong)
    with pytest.raises(UnknownName):
        navigator.table(Selection(), False, ["nothing"])
