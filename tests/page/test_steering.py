"""A person steers by mouse and by keyboard; what the page shows before and after is what Python says."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.page.acting import apply, card, cell, kinds, pane, tab
from tests.page.served import Served, asking
from tierwise import Study

BANNED = re.compile(", banned$")


pytestmark = pytest.mark.usefixtures("forgiven")


def test_a_ban_is_looked_at_then_written_then_undone(app: Page, study: Study) -> None:
    before = len(kinds(study))
    cell(app, "none", "cell/0-1").click()
    card(app).get_by_role("button", name="Ban", exact=True).click()
    expect(card(app)).to_contain_text("12,500 of 15,625")  # four of five options at one of six edges
    expect(card(app)).to_contain_text("Evidence")
    assert len(kinds(study)) == before, "a preview writes nothing"
    card(app).get_by_label("Reason").fill("dead edges")
    card(app).get_by_label("Your name").fill("anna")
    apply(app)
    assert kinds(study)[before:] == ["ban"]
    row = study.steers()[-1]
    assert row.who == "anna"
    assert dict(row.what) == {"choice": "cell/0-1", "option": "none", "reason": "dead edges"}
    expect(cell(app, "none", "cell/0-1")).to_have_accessible_name(BANNED)
    app.get_by_role("button", name="Undo the latest steering").click()
    expect(cell(app, "none", "cell/0-1")).not_to_have_accessible_name(BANNED)
    assert kinds(study)[before:] == ["ban", "retract"]


def test_keys_alone_lock_undo_and_redo(app: Page, study: Study) -> None:
    before = len(kinds(study))
    cell(app, "none", "cell/0-1").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight"):
        app.keyboard.press(key)
    expect(cell(app, "nor_conv_3x3", "cell/0-2")).to_be_focused()
    app.keyboard.press("l")
    expect(card(app)).to_contain_text("3,125 of 15,625")
    app.keyboard.press("Enter")
    expect(cell(app, "nor_conv_3x3", "cell/0-2")).to_have_accessible_name(re.compile(", locked$"))
    app.keyboard.press("z")
    expect(cell(app, "nor_conv_3x3", "cell/0-2")).not_to_have_accessible_name(re.compile(", locked$"))
    app.keyboard.press("Shift+Z")
    expect(cell(app, "nor_conv_3x3", "cell/0-2")).to_have_accessible_name(re.compile(", locked$"))
    assert kinds(study)[before:] == ["pin", "retract", "pin"]


def test_a_preference_has_a_share(app: Page, study: Study) -> None:
    cell(app, "skip_connect", "cell/0-3").focus()
    app.keyboard.press("p")
    share = card(app).get_by_role("slider")
    share.focus()
    for _ in range(5):
        share.press("ArrowLeft")
    expect(card(app)).to_contain_text("come from there: 50")
    expect(card(app)).to_contain_text("3,125")
    apply(app)
    expect(cell(app, "skip_connect", "cell/0-3")).to_have_accessible_name(re.compile(", preferred$"))
    study.refresh()
    assert study.steers()[-1].what["share"] == pytest.approx(0.5)


def test_an_operation_is_banned_everywhere(app: Page, study: Study) -> None:
    app.get_by_role("button", name="none anywhere").click()
    card(app).get_by_role("button", name="Ban everywhere").click()
    expect(card(app)).to_contain_text("4,096 of 15,625")  # four options at six edges
    apply(app)
    tab(app, "Log")
    expect(pane(app, "Decision log")).to_contain_text("4,096 of 15,625 may be proposed")
    study.refresh()
    assert study.steering().left.count() == 4**6


def test_a_choice_is_narrowed(app: Page, study: Study) -> None:
    app.get_by_role("button", name="Options of cell/1-2").click()
    for option in ("none", "avg_pool_3x3"):
        card(app).get_by_role("checkbox", name=option).uncheck()
    card(app).get_by_role("button", name="Narrow").click()
    expect(card(app)).to_contain_text("9,375 of 15,625")
    apply(app)
    study.refresh()
    assert study.steers()[-1].what["options"] == ["skip_connect", "nor_conv_1x1", "nor_conv_3x3"]


def test_what_leaves_nothing_is_refused_with_the_fewest_rows(app: Page, study: Study) -> None:
    study.steer("ban", choice="cell/0-2", option="none", who="ben")
    study.steer("ban", choice="cell/0-1", option="none", who="ben")
    row = study.steers()[-1].id
    expect(cell(app, "none", "cell/0-1")).to_have_accessible_name(BANNED)
    cell(app, "none", "cell/0-1").focus()
    app.keyboard.press("l")
    expect(card(app)).to_contain_text(f"row {row}: ban cell/0-1 none")
    expect(card(app)).not_to_contain_text("cell/0-2")
    expect(card(app).get_by_role("button", name="Apply")).to_be_disabled()
    card(app).get_by_role("button", name="Take back").click()
    apply(app)
    expect(cell(app, "none", "cell/0-1")).not_to_have_accessible_name(BANNED)


def test_whoever_is_slower_sees_what_is_new_and_decides_again(app: Page, study: Study) -> None:
    cell(app, "none", "cell/0-1").focus()
    app.keyboard.press("b")
    expect(card(app)).to_contain_text("12,500")
    study.steer("ban", choice="cell/0-2", option="none", who="ben")
    before = len(study.steers())
    card(app).get_by_role("button", name="Apply").click()
    expect(card(app)).to_contain_text("Somebody was faster")
    expect(card(app)).to_contain_text("ben: ban cell/0-2 none")
    expect(card(app)).to_contain_text("10,000 of 12,500")
    assert len(kinds(study)) == before
    apply(app)
    assert len(kinds(study)) == before + 1


def test_the_run_is_paused_continued_and_stopped(app: Page, study: Study) -> None:
    before = len(kinds(study))
    app.get_by_role("heading", name="nasbench201").click()
    app.keyboard.press("Space")
    state = app.get_by_role("banner").get_by_role("status")
    expect(state).to_contain_text("paused, no driver")
    app.get_by_role("button", name="Continue").click()
    expect(state).not_to_contain_text("paused")
    assert kinds(study)[before:] == ["pause", "continue"]


def test_the_log_tells_takes_back_and_goes_back(app: Page, study: Study) -> None:
    study.steer("ban", choice="cell/0-1", option="none", who="ben", reason="looks bad")
    first = len(study.steers())
    study.steer("avoid", choice="cell/0-2", options=["none"], who="ben")
    study.steer("prefer", choice="cell/0-3", options=["nor_conv_3x3"], who="anna")
    tab(app, "Log")
    log = pane(app, "Decision log")
    row = log.get_by_role("article", name=f"Row {first}", exact=True)
    for text in ("ban cell/0-1 none", "looks bad", "ben", "after 40 results", "in force", "12,500 were left"):
        expect(row).to_contain_text(text)
    row.get_by_role("button", name="Revert to here").click()
    expect(card(app)).to_contain_text("2 rows will be written")
    apply(app)
    expect(log.get_by_role("article", name=f"Row {first + 1}", exact=True)).to_contain_text("taken back")
    assert kinds(study)[first:] == ["avoid", "prefer", "retract", "retract"]
    row.get_by_role("button", name="Take back").click()
    apply(app)
    expect(row).to_contain_text("taken back")
    with app.expect_download() as branch:
        row.get_by_role("link", name="Branch").click()
    script = branch.value.path().read_text()
    assert f"cells-from-row-{first}.db" in script
    assert script.count("Planned(") == first
    log.get_by_label("A note for the log").fill("look at the pooling edges")
    log.get_by_role("button", name="Note").click()
    expect(log).to_contain_text("look at the pooling edges")
    assert kinds(study)[-1] == "note"


def test_a_share_of_the_proposals_audits_what_is_excluded(app: Page, study: Study) -> None:
    tab(app, "Log")
    app.get_by_role("button", name=re.compile("^Audit: none")).click()
    app.get_by_role("menuitemradio", name=re.compile("^5.% of the proposals")).click()
    expect(app.get_by_role("button", name=re.compile("^Audit: 5"))).to_be_visible()
    study.refresh()
    assert (study.steers()[-1].kind, study.steers()[-1].what["share"]) == ("audit", 0.05)


def test_what_a_ban_costs_is_said(app: Page, served: Served) -> None:
    """An audited one that is better than all that is allowed: the ban is a loss."""
    with asking(served.study) as study:
        row = study.steer("ban", choice="cell/0-3", option="nor_conv_3x3")
        study.steer("audit", share=0.5)
        for trial in (trials := study.ask(12)):
            study.tell(trial, 99.0 if trial.why.get("strategy") == "audit" else 50.0)
    audited = [trial for trial in trials if trial.why.get("strategy") == "audit"]
    tab(app, "Log")
    expect(pane(app, "Decision log")).to_contain_text(re.compile(f"Row {row} was audited {len(audited)} times?"))
    expect(pane(app, "Decision log")).to_contain_text("best of what it excludes 99.00")
    expect(pane(app, "Decision log")).to_contain_text("⚠")


def test_options_and_the_map_point_at_each_other(app: Page, study: Study) -> None:
    cell(app, "none", "cell/0-1").click()
    card(app).get_by_role("button", name="Select on the map").click()
    expect(pane(app, "Selection")).to_contain_text("3,125 of 15,625")
    app.get_by_role("button", name="Scatter").click()
    scatter = app.get_by_role("application", name=re.compile("^Options by fitness"))
    scatter.focus()
    scatter.press("ArrowRight")
    expect(pane(app, "Components")).to_contain_text(re.compile(r"at cell/\d-\d: fitness 0\.\d\d, \d+ seen"))
    scatter.press("Enter")
    expect(card(app)).to_contain_text("Fitness")
    app.keyboard.press("Escape")
    expect(card(app)).to_have_count(0)


def test_the_list_of_keys(app: Page) -> None:
    app.keyboard.press("?")
    expect(card(app)).to_contain_text("undo the latest steering")
    app.keyboard.press("Escape")
    expect(card(app)).to_have_count(0)
    app.keyboard.press("/")
    expect(app.get_by_role("textbox", name="Filter", exact=True)).to_be_focused()
    app.keyboard.type("b")
    expect(card(app)).to_have_count(0)
