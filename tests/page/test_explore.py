"""The space is explored: map, tiers, architectures alone and beside each other, the table, exports."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.acting import pane, tab
from tests.page.served import Served
from tierwise import Study


def drawn(app: Page) -> Locator:
    """The map, once its points are there."""
    expect(app.locator("[data-drawn]")).to_be_visible()
    return app.get_by_role("application", name=re.compile("^Map of"))


def picture(plan: Locator) -> bytes:
    """What the map looks like when it has come to rest."""
    plan.page.wait_for_timeout(300)
    return plan.screenshot()


def test_the_map_is_useful_at_once_and_zooms(app: Page) -> None:
    plan = drawn(app)
    expect(app.get_by_role("combobox", name="x", exact=True)).to_have_value("params")
    before = picture(plan)
    plan.focus()
    app.keyboard.press("+")
    app.keyboard.press("ArrowRight")
    expect(app.get_by_role("button", name=re.compile("^Zoom out"))).to_be_enabled()
    assert picture(plan) != before
    app.keyboard.press("0")
    expect(app.get_by_role("button", name=re.compile("^Zoom out"))).to_be_disabled()


def test_axes_and_colours_are_chosen(app: Page) -> None:
    plan = drawn(app)
    before = picture(plan)
    app.get_by_role("combobox", name="x", exact=True).select_option("flops")
    app.get_by_role("combobox", name="y", exact=True).select_option("result")
    app.get_by_role("combobox", name="colour", exact=True).select_option("params")
    expect(app).to_have_url(re.compile("x=flops&y=result&colour=params"))
    assert picture(plan) != before


def test_points_are_chosen_by_keys(app: Page) -> None:
    drawn(app).focus()
    app.keyboard.press("Shift+ArrowLeft")
    expect(app).to_have_url(re.compile(r"row=\d+"))
    first = app.url
    app.keyboard.press("Shift+ArrowLeft")
    app.keyboard.press("Shift+ArrowDown")
    expect(app).not_to_have_url(first)
    app.keyboard.press("c")
    expect(pane(app, "Compare")).to_be_visible()


def test_the_search_is_played_again(app: Page) -> None:
    plan = drawn(app)
    before = picture(plan)
    time = app.get_by_label("Results told so far")
    time.fill("10")
    expect(app.get_by_text(re.compile(r"^10 of \d+$"))).to_be_visible()
    assert picture(plan) != before


def test_the_best_are_selected_by_share(app: Page) -> None:
    expect(pane(app, "Tiers").get_by_role("button", name=re.compile("^tier 1"))).to_be_visible()  # it is predicted
    drawn(app)
    app.get_by_role("button", name="Select", exact=True).first.click()
    app.get_by_role("menuitem", name=re.compile("^Top 1")).click()
    heading = pane(app, "Selection").get_by_role("heading").first
    expect(heading).to_contain_text("of 15,625")
    chosen = int(re.sub(r"\D", "", heading.inner_text().split(" of ")[0]))
    assert 100 <= chosen <= 200  # one in a hundred of 15,625, and ties


def test_a_tier_is_chosen_and_its_border_moved(app: Page) -> None:
    tiers = pane(app, "Tiers")
    tiers.get_by_role("button", name=re.compile("^tier 1")).click()
    expect(pane(app, "Selection")).to_contain_text("selected")
    border = tiers.get_by_role("slider", name=re.compile("tiers 1 and 2"))
    before = border.get_attribute("aria-valuenow")
    border.focus()
    border.press("ArrowLeft")
    expect(border).not_to_have_attribute("aria-valuenow", before or "")


def test_one_architecture_its_reasons_and_its_neighbours(app: Page, study: Study) -> None:
    seen, best = pane(app, "Architecture"), study.best(1)[0]
    expect(seen).to_contain_text("Best so far")
    expect(seen).to_contain_text(str(best.arch))
    expect(seen).to_contain_text(f"{best.metrics['accuracy']:.2f}")
    expect(seen).to_contain_text("Why it is scored so")
    expect(seen).to_contain_text("24 architectures")  # four other options at each of six edges
    operation = seen.get_by_label("cell/0-1")
    operation.select_option(label=operation.locator("option:not(:checked)").first.inner_text())
    expect(seen).to_contain_text("Edited")
    seen.get_by_role("button", name="Discard").click()
    expect(seen).to_contain_text("Best so far")


def test_architectures_beside_each_other(app: Page) -> None:
    tab(app, "Table")
    for place in (3, 5, 9):
        app.get_by_role("row").nth(place).get_by_role("button", name="Compare").click()
    tab(app, "Compare")
    compared = pane(app, "Compare")
    expect(compared.get_by_role("button", name="Take it out")).to_have_count(3)
    everything = compared.get_by_role("rowheader").count()
    compared.get_by_role("checkbox", name="only differences").check()
    expect(compared.get_by_role("rowheader").first).to_be_visible()
    assert compared.get_by_role("rowheader").count() <= everything
    compared.get_by_role("button", name="Compare the others with this one").first.click()
    compared.get_by_role("button", name="Take it out").first.click()
    expect(compared.get_by_role("button", name="Take it out")).to_have_count(2)


def test_the_table_is_filtered_and_sorted(app: Page) -> None:
    tab(app, "Table")
    box = app.get_by_role("textbox", name="Filter", exact=True)
    box.fill("count(none) == 6")
    box.press("Enter")
    table = app.get_by_role("table")
    expect(table).to_have_attribute("aria-rowcount", "1")
    box.fill("count(none) ==")
    box.press("Enter")
    expect(box).to_have_attribute("aria-invalid", "true")
    app.get_by_role("button", name="Remove the filter").click()
    table.get_by_role("button", name=re.compile("^FLOPs")).click()
    expect(table.get_by_role("columnheader", name=re.compile("^FLOPs"))).to_have_attribute("aria-sort", re.compile("."))


def test_an_address_holds_the_whole_view(app: Page, served: Served) -> None:
    app.goto("about:blank")  # as somebody opens it who was sent it
    app.goto(f"{served.address}#x=flops&y=params&row=7&select=rule:count(none)+==+0&tab.map=table")
    expect(app.get_by_role("tab", name="Table")).to_have_attribute("aria-selected", "true")
    expect(app.get_by_role("tab", name=re.compile("^Selection"))).to_contain_text("4,096")


@pytest.mark.parametrize(
    ("item", "begins"),
    [
        ("Report", "<!doctype html"),
        ("Script", ""),
        ("Decisions", ""),
        ("Drawing", "<svg"),
        ("Graph", "digraph"),
        ("Network .PyTorch", '"""nasbench201/'),
    ],
)
def test_things_are_taken_home(app: Page, tmp_path: Path, item: str, begins: str) -> None:
    app.get_by_role("banner").get_by_role("button", name=re.compile("^best")).click()
    app.get_by_role("button", name="Export", exact=True).click()
    with app.expect_download(timeout=200_000) as download:  # the report explains what it ranks
        app.get_by_role("menuitem", name=re.compile(f"^{item}")).click()
    download.value.save_as(tmp_path / "file")
    text = (tmp_path / "file").read_text()
    assert text.lower().lstrip().startswith(begins)
    assert len(text) > 1


def test_the_table_is_exported_as_python_has_it(app: Page, tmp_path: Path, study: Study) -> None:
    app.get_by_role("button", name="Export", exact=True).click()
    with app.expect_download() as download:
        app.get_by_role("menuitem", name=re.compile("^Table .CSV")).click()
    download.value.save_as(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == study.space.size
    found = {int(row["trial"]): float(row["result"]) for row in rows if row["trial"]}
    assert found == pytest.approx({trial.id: trial.metrics["accuracy"] for trial in study.trials()}, rel=1e-6)
