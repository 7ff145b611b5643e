"""What happens in the study is on the page at once, and nothing is lost when a process dies."""

from __future__ import annotations

import re

import numpy as np
from playwright.sync_api import Page, expect

from tests.page.acting import card, kinds, pane, tab
from tests.page.served import Served, driving
from tests.waiting import until
from tierwise import Study
from tierwise.steer_row import in_force


def told(study: Study) -> int:
    study.refresh()
    return study.finished


def tell(study: Study, value: float) -> str:
    """One more result, of an architecture that nobody has evaluated; the architecture."""
    rng = np.random.default_rng(told(study))
    archs = study.space.sample(200, rng)
    arch = archs[np.flatnonzero(study.history().fresh(archs))[:1]]
    assert study.include(arch, np.array([value]), "the test") == 1
    return str(arch[0])


def test_the_first_view_says_how_the_search_is(app: Page, study: Study) -> None:
    bar, best = app.get_by_role("banner"), study.best(1)[0]
    expect(bar).to_contain_text(f"best {best.metrics['accuracy']:.2f}")
    expect(bar).to_contain_text(f"{told(study)} evaluated")
    expect(app).to_have_title(re.compile("cells.db"))
    expect(pane(app, "Search").get_by_role("img", name=re.compile("best so far by number of results"))).to_be_visible()
    expect(pane(app, "Search")).to_contain_text("a random search")
    expect(pane(app, "Search")).to_contain_text("Predictor trees")
    expect(pane(app, "Search")).to_contain_text("tau")


def test_a_result_is_on_the_page_at_once(app: Page, study: Study) -> None:
    before = told(study)
    tell(study, 99.25)
    bar = app.get_by_role("banner")
    expect(bar).to_contain_text(f"{before + 1} evaluated", timeout=10_000)
    expect(bar).to_contain_text("best 99.25")
    expect(bar).to_contain_text("just now")
    bar.get_by_role("button", name=re.compile("best 99.25")).click()
    expect(pane(app, "Architecture")).to_contain_text("99.25")


def test_a_failure_tells_its_reason(app: Page, study: Study) -> None:
    failing = study.space.sample(1, np.random.default_rng(77))[0]
    study.steer("evaluate", architecture=str(failing))
    (trial,) = study.ask(1)
    study.tell(trial, error="Traceback:\n  in train\nRuntimeError: <b>out</b> of memory")
    search = pane(app, "Search")
    expect(search).to_contain_text(f"trial {trial.id}: RuntimeError: <b>out</b> of memory")
    expect(app.get_by_role("banner")).to_contain_text("1 failed")
    search.get_by_text(f"trial {trial.id}:").click()
    expect(search.get_by_text("in train")).to_be_visible()


def test_the_page_goes_on_with_another_server(app: Page, served: Served, study: Study) -> None:
    served.kill()
    expect(app.get_by_text("The server does not answer; trying again")).to_be_visible()
    before = told(study)
    tell(study, 50.0)
    served.again()
    expect(app.get_by_role("banner")).to_contain_text(f"{before + 1} evaluated")


def test_a_driver_is_seen_paused_and_stopped(app: Page, served: Served, study: Study) -> None:
    state = app.get_by_role("banner").get_by_role("status")
    study.steer("review", wait=1)
    with driving(served.study, 400) as driver:
        expect(state).to_contain_text("searching")
        tab(app, "Next batch")
        card_of_one = pane(app, "Next batch").get_by_role("article").first
        expect(card_of_one).to_contain_text(re.compile(r"starts in \d s|running"))
        app.get_by_role("button", name="Pause").click()
        expect(state).to_contain_text("paused")
        app.get_by_role("button", name="Stop").click()
        card(app).get_by_role("button", name="Apply").click()
        expect(state).to_contain_text("stopped")
        assert driver.wait(timeout=60) == 0
    assert kinds(study)[-2:] == ["pause", "stop"]


def test_the_search_goes_on_by_a_click(app: Page, study: Study) -> None:
    """In a process of its own; a stop that was said before is taken back first."""
    for row in in_force(study.steers()):
        study.steer("retract", row=row)
    before, bar = told(study), app.get_by_role("banner")
    bar.get_by_role("button", name="Start", exact=True).click()
    expect(bar.get_by_role("status")).to_contain_text("searching")
    until(lambda: told(study) > before)
    bar.get_by_role("button", name="Stop").click()
    card(app).get_by_role("button", name="Apply").click()
    expect(bar.get_by_role("status")).to_contain_text("stopped")
    until(lambda: not study.driving)
