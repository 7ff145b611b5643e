"""By keyboard alone, on small screens, in both themes, and as axe-core checks it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.acting import card, cell, kinds, pane, tab
from tierwise import Study

AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
PANES = ("Table", "Selection", "Compare", "Next batch", "Log")
FOUND = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .filter((v) => ['serious', 'critical'].includes(v.impact))
    .map((v) => `${v.id}: ${v.nodes.slice(0, 4).map((n) => n.target.join(' ') + ' ' + n.failureSummary).join('; ')}`)"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(app: Page, theme: str) -> None:
    if not AXE.is_file():
        pytest.skip(f"no {AXE.name}: npm ci in web/")
    app.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    cdp = app.context.new_cdp_session(app)
    cdp.send("Runtime.evaluate", {"expression": AXE.read_text()})
    expect(app.locator("[data-drawn]")).to_be_visible()
    expect(cell(app, "none", "cell/0-1")).to_be_visible()
    assert app.evaluate(FOUND) == []
    for name in PANES:
        tab(app, name)
    cell(app, "none", "cell/0-1").click()
    card(app).get_by_role("button", name="Ban", exact=True).click()
    expect(card(app)).to_contain_text("12,500")
    assert app.evaluate(FOUND) == []


def test_banning_an_operation_needs_no_mouse(app: Page, study: Study) -> None:
    before = len(kinds(study))
    reached = app.get_by_role("button", name="none anywhere")
    for _ in range(120):
        app.keyboard.press("Tab")
        if reached.evaluate("(e) => e === document.activeElement"):
            break
    expect(reached).to_be_focused()
    app.keyboard.press("Enter")
    app.keyboard.press("Enter")  # the first button of the card: Ban everywhere
    expect(card(app)).to_contain_text("4,096 of 15,625")
    app.keyboard.type("no dead edges")
    app.keyboard.press("Enter")
    expect(card(app)).to_have_count(0)
    assert kinds(study)[before:] == ["ban"]
    assert study.steers()[-1].what["reason"] == "no dead edges"
    app.keyboard.press("z")
    expect(app.get_by_role("button", name="Redo what was undone")).to_be_enabled()


@pytest.mark.parametrize("width", [480, 1100])
def test_small_screens_show_every_pane(app: Page, width: int) -> None:
    app.set_viewport_size({"width": width, "height": 900})
    for name in ("Components", "Search", "Next batch", "Log", "Tiers", "Table"):
        tab(app, name)
        label = "Decision log" if name == "Log" else name
        expect(pane(app, label)).to_be_visible()
        assert app.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than the screen"


def test_the_theme_is_chosen_and_remembered(app: Page) -> None:
    for _ in range(3):
        app.get_by_role("button", name="Theme").click()
        if app.evaluate("document.documentElement.dataset.theme") == "dark":
            break
    app.reload()
    expect(app.get_by_role("heading", name="nasbench201")).to_be_visible()
    assert app.evaluate("document.documentElement.dataset.theme") == "dark"
    ground = app.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(part) for part in ground[4:-1].split(",")) < 64, "dark is dark"


def test_previews_fit_a_phone(app: Page) -> None:
    app.set_viewport_size({"width": 480, "height": 800})
    tab(app, "Components")
    app.get_by_role("button", name="none anywhere").click()
    card(app).get_by_role("button", name="Ban everywhere").click()
    expect(card(app)).to_contain_text("4,096")
    box = card(app).bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 480
    card(app).get_by_role("button", name="Cancel").click()
    expect(card(app)).to_have_count(0)
