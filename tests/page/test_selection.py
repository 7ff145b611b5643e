"""Regions of the map: drawn, described by rules, combined as sets, and steered by."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.acting import apply, card, kinds, pane, tab
from tierwise import Study
from tierwise.filters import Filter

NO_NONE = 'count("none") == 0'


pytestmark = pytest.mark.usefixtures("forgiven")


def many(app: Page) -> int:
    """How many are selected, as the page says."""
    said = pane(app, "Selection").get_by_role("heading").first
    expect(said).to_contain_text("selected")
    return int(re.sub(r"\D", "", said.inner_text().split(" of ")[0]))


def select(app: Page, rule: str) -> None:
    """By the filter, then the menu of the map."""
    app.get_by_role("textbox", name="Filter", exact=True).fill(rule)
    app.keyboard.press("Enter")
    app.get_by_role("button", name="Select", exact=True).first.click()
    app.get_by_role("menuitem", name="What the filter keeps").click()


def drag(app: Page, start: tuple[float, float], end: tuple[float, float], *, key: str | None = None) -> None:
    """On the map, from and to shares of its width and height."""
    box = app.get_by_role("application", name=re.compile("^Map of")).bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    if key:
        app.keyboard.down(key)
    app.mouse.move(*points[0])
    app.mouse.down()
    app.mouse.move(*points[1], steps=4)
    app.mouse.up()
    if key:
        app.keyboard.up(key)


def test_boxes_add_subtract_and_invert(app: Page, study: Study) -> None:
    app.get_by_role("radio", name=re.compile("^Box")).click()
    drag(app, (0.1, 0.05), (0.5, 0.9))
    left = many(app)
    drag(app, (0.5, 0.05), (0.95, 0.9), key="Shift")
    expect(pane(app, "Selection").get_by_role("heading").first).not_to_contain_text(f"{left:,} of")
    both = many(app)
    assert 0 < left < both
    drag(app, (0.1, 0.05), (0.5, 0.9), key="Alt")
    expect(pane(app, "Selection").get_by_role("heading").first).to_contain_text(f"{both - left:,} of")
    pane(app, "Selection").get_by_role("button", name="Complement").click()
    expect(pane(app, "Selection").get_by_role("heading").first).to_contain_text(f"{15_625 - both + left:,} of")


def test_a_lasso_selects(app: Page) -> None:
    box = app.get_by_role("application", name=re.compile("^Map of")).bounding_box()
    assert box is not None
    app.get_by_role("radio", name=re.compile("^Lasso")).click()
    corners = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9), (0.1, 0.1)]
    for place, (x, y) in enumerate(corners):
        app.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=3)
        if place == 0:
            app.mouse.down()
    app.mouse.up()
    assert many(app) > 1_000
    expect(pane(app, "Selection")).to_contain_text("purity")


def test_numbers_of_a_rule_are_those_of_python(app: Page, study: Study) -> None:
    select(app, NO_NONE)
    expected = Filter(NO_NONE, study.space).mask(study.space.enumerate())
    assert many(app) == int(expected.sum())
    inside = Filter(NO_NONE, study.space).mask(study.history().done.archs)
    expect(pane(app, "Selection")).to_contain_text(f"{int(inside.sum())} evaluated")
    best = study.history().done.y[inside].max()
    expect(pane(app, "Selection")).to_contain_text(f"best {best:.2f}")
    expect(pane(app, "Selection")).to_contain_text("none at cell/0-1")  # nobody has it


def test_sets_are_named_and_combined(app: Page) -> None:
    selected = pane(app, "Selection")
    select(app, 'pick("cell/0-1") == "none"')
    assert many(app) == 5**5
    selected.get_by_label("Name of this set").fill("dead start")
    selected.get_by_role("button", name="Save set").click()
    select(app, 'pick("cell/2-3") == "none"')
    for operation, expected in (("Union with", 2 * 5**5 - 5**4), ("Intersection with", 5**5), ("Without", 0)):
        selected.get_by_role("button", name=f"{operation} dead start").click()
        if expected:
            expect(selected.get_by_role("heading").first).to_contain_text(f"{expected:,} of 15,625")
    expect(selected).to_have_count(0)  # an empty set is no selection
    expect(pane(app, "Architecture")).to_be_visible()


@pytest.mark.parametrize(
    ("button", "kind", "left"),
    [
        ("Restrict", "narrow", "4,096"),
        ("Ban region", "ban", "11,529"),
        ("Focus", "prefer", "15,625"),
        ("Avoid", "avoid", "15,625"),
    ],
)
def test_a_region_steers_by_its_rule(app: Page, study: Study, button: str, kind: str, left: str) -> None:
    select(app, NO_NONE)
    pane(app, "Selection").get_by_role("button", name=button, exact=True).click()
    expect(card(app)).to_contain_text(f"{left} of 15,625")
    apply(app)
    assert kinds(study)[-1] == kind
    assert study.steers()[-1].what["rule"] == NO_NONE


def test_some_that_differ_are_compared_and_evaluated(app: Page, study: Study) -> None:
    select(app, NO_NONE)
    chosen = pane(app, "Selection")
    chosen.get_by_label("How many to evaluate").fill("2")
    chosen.get_by_role("button", name="Evaluate 2 that differ").click()
    expect(card(app)).to_contain_text("2 rows will be written")
    apply(app)
    assert kinds(study)[-2:] == ["evaluate", "evaluate"]
    chosen.get_by_role("button", name="Compare medoids").click()
    expect(pane(app, "Compare").get_by_role("img").first).to_be_visible()
    tab(app, "Selection")


def test_a_selection_is_exported(app: Page, tmp_path: Path) -> None:
    select(app, NO_NONE)
    with app.expect_download() as download:
        pane(app, "Selection").get_by_role("button", name="Export CSV").click()
    download.value.save_as(tmp_path / "selection.csv")
    with (tmp_path / "selection.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4**6
