"""The next batch: what the strategy proposes is approved, refused, changed or exchanged before it is started."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.acting import apply, card, kinds, pane, tab
from tests.page.served import Served, asking
from tierwise import Study
from tierwise.history import Trial

WAIT = 600  # seconds: nobody starts anything while a test looks


@pytest.fixture(scope="module", name="asking")
def reviewed(served: Served) -> Iterator[Study]:
    """The study, whose proposals wait for a person."""
    with asking(served.study) as study:
        study.steer("review", wait=WAIT)
        yield study


@pytest.fixture
def proposed(app: Page, asking: Study) -> tuple[Locator, Trial]:
    """The card of a new proposal, and the trial."""
    asking.refresh()
    (trial,) = asking.ask(1)
    tab(app, "Next batch")
    return pane(app, "Next batch").get_by_role("article", name=f"Proposal {trial.id}", exact=True), trial


def test_a_card_says_what_is_expected_and_why(app: Page, proposed: tuple[Locator, Trial]) -> None:
    shown, trial = proposed
    expect(shown).to_contain_text(str(trial.arch))
    expect(shown).to_contain_text(re.compile(r"predicted \d\d\.\d\d"))
    expect(shown).to_contain_text("weaknas")
    expect(shown).to_contain_text("parameters")
    expect(shown).to_contain_text(re.compile(r"nearest evaluated: trial \d+, \d changes? away"))
    expect(shown).to_contain_text(re.compile(r"starts in (9:\d\d|10:00)"))
    expect(shown.get_by_role("img").first).to_be_visible()


def test_how_many_there_are_at_once(app: Page, asking: Study, proposed: tuple[Locator, Trial]) -> None:
    pane(app, "Next batch").get_by_role("button", name=re.compile("^Proposals:")).click()
    app.get_by_role("menuitemradio", name="4", exact=True).click()
    expect(pane(app, "Next batch")).to_contain_text("Proposals: 4")
    assert (kinds(asking)[-1], dict(asking.steers()[-1].what)) == ("batch", {"size": 4})
    asking.undo("anna")


def test_approved(app: Page, asking: Study, proposed: tuple[Locator, Trial]) -> None:
    shown, trial = proposed
    shown.get_by_role("button", name="Approve").click()
    expect(shown).to_contain_text("approved")
    assert kinds(asking)[-1] == "approve"
    assert asking.steers()[-1].what["trial"] == trial.id


def test_refused_with_a_reason(app: Page, asking: Study, proposed: tuple[Locator, Trial]) -> None:
    shown, trial = proposed
    shown.get_by_role("button", name="Veto").click()
    expect(shown.get_by_label("Reason of the veto")).to_be_focused()
    app.keyboard.type("too deep")
    app.keyboard.press("Enter")
    expect(shown).to_contain_text("vetoed")
    expect(shown.get_by_role("button", name="Approve")).to_have_count(0)
    assert kinds(asking)[-1] == "veto"
    assert dict(asking.steers()[-1].what) == {"trial": trial.id, "reason": "too deep"}


def test_changed_before_it_is_evaluated(app: Page, asking: Study, proposed: tuple[Locator, Trial]) -> None:
    shown, trial = proposed
    shown.get_by_role("button", name="Edit").click()
    inspector = pane(app, "Architecture")
    expect(inspector).to_contain_text("Edited")
    operation = inspector.get_by_label("cell/0-3")
    option = operation.locator("option:not(:checked)").first.inner_text()
    operation.select_option(label=option)
    inspector.get_by_role("button", name="Evaluate next").click()
    expect(card(app)).to_contain_text("2 rows will be written")
    apply(app)
    expect(shown).to_contain_text("vetoed")
    expect(shown.get_by_role("button", name="Approve")).to_have_count(0)
    assert kinds(asking)[-2:] == ["veto", "evaluate"]
    assert asking.steers()[-2].what["trial"] == trial.id
    assert asking.steers()[-1].what["architecture"] != str(trial.arch)


def test_exchanged_for_one_of_the_map(app: Page, asking: Study, proposed: tuple[Locator, Trial]) -> None:
    shown, trial = proposed
    expect(shown.get_by_role("button", name="Replace")).to_be_disabled()
    tab(app, "Table")
    rows = app.get_by_role("table").get_by_role("row").filter(has_text=re.compile(r"\d-\d-\d"))
    of_nobody = rows.filter(has_not_text="trial").filter(has_not_text=str(trial.arch).split("/")[1])
    of_nobody.first.click()
    shown.get_by_role("button", name="Replace").click()
    apply(app)
    assert kinds(asking)[-2:] == ["veto", "evaluate"]


def test_the_autopilot_is_set(app: Page, asking: Study) -> None:
    app.get_by_role("banner").get_by_role("button", name="Autopilot: after 10").click()
    app.get_by_role("menuitemradio", name=re.compile("^At once")).click()
    expect(app.get_by_role("banner").get_by_role("button", name="Autopilot: at once")).to_be_visible()
    assert kinds(asking)[-1] == "review"
    assert asking.steers()[-1].what["wait"] == 0
