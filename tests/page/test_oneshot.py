"""The template editor and the panes of a one-shot study, as a person uses them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect
from sklearn.datasets import load_digits

from tests.page.served import TOKEN

SLOW = 90_000  # milliseconds that a study may take to begin, on a busy machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With data of somebody's own: 200 digits."""
    place = tmp_path_factory.mktemp("drawn")
    x, y = load_digits(return_X_y=True)
    np.savez(place / "some.npz", x=np.asarray(x)[:200].reshape(200, 8, 8), y=np.asarray(y)[:200])
    return place


@pytest.fixture(scope="module")
def start(folder: Path) -> Iterator[str]:
    """The start address of a server without a study."""
    command = [sys.executable, "-m", "tierwise.cli.main", "serve", "--no-browser"]
    environment = {**os.environ, "TIERWISE_TOKEN": TOKEN, "COLUMNS": "200"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().partition("the page: ")[2].strip()
    process.terminate()
    process.wait(timeout=30)
    process.stdout.close()


@pytest.fixture
def editor(page: Page, start: str) -> Iterator[Page]:
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(start)
    expect(page.get_by_role("heading", name="Template")).to_be_visible()
    expect(cards(page)).to_have_count(17)
    yield page
    assert not wrong


def canvas(page: Page) -> Locator:
    return page.get_by_role("group", name="Template:")


def cards(page: Page) -> Locator:
    return canvas(page).locator(".card")


def card(page: Page, name: str) -> Locator:
    return canvas(page).get_by_role("button", name=f"{name}:")


def test_a_template_is_drawn_with_mouse_and_keys(editor: Page) -> None:
    canvas(editor).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Delete"):
        editor.keyboard.press(key)
    expect(cards(editor)).to_have_count(16)
    expect(card(editor, "layer2/conv3")).to_have_count(0)
    editor.keyboard.press("Control+z")
    expect(card(editor, "layer2/conv3")).to_be_visible()
    editor.get_by_role("button", name="conv block").drag_to(card(editor, "layer2/conv3"))
    expect(cards(editor)).to_have_count(18)
    editor.get_by_role("button", name="Undo (Ctrl+Z)").click()
    card(editor, "layer1/conv5").drag_to(card(editor, "layer2/conv1"))
    expect(card(editor, "layer2/conv5-2")).to_be_visible()
    expect(card(editor, "layer1/conv5")).to_have_count(0)
    editor.get_by_role("button", name="Load a network").click()
    editor.get_by_role("menuitem", name="VGG16-like").click()
    expect(cards(editor)).to_have_count(46)  # 13 layers of three blocks, two of two pools, flatten, two of dense


def test_the_canvas_zooms_by_wheel_and_keys(editor: Page) -> None:
    def width() -> float:
        box = card(editor, "layer1/conv3").bounding_box()
        assert box is not None
        return box["width"]

    before = width()
    card(editor, "layer1/conv3").hover()
    editor.mouse.wheel(0, -300)
    assert width() > 1.3 * before
    canvas(editor).focus()
    editor.keyboard.press("0")
    assert width() == pytest.approx(before, rel=0.02)


def test_shapes_follow_and_an_error_stands_at_its_link(editor: Page) -> None:
    expect(canvas(editor).locator(".shape")).to_have_text(["1×8×8", "8×8×8", "8×8×8", "8×4×4", "16×4×4", "16×4×4"])
    card(editor, "layer2/conv5").click()
    editor.get_by_label("stride").fill("2")
    editor.keyboard.press("Enter")
    flag = canvas(editor).get_by_role("button", name="Error at layer2/conv5: conv5 gives 8×4×4")
    expect(flag).to_be_visible()
    expect(editor.get_by_role("alert")).to_contain_text("stride = 1 in op 1 (conv) would fit")
    expect(editor.get_by_role("button", name="Start", exact=True)).to_be_disabled()
    editor.get_by_label("stride").fill("1")
    editor.keyboard.press("Enter")
    expect(flag).to_have_count(0)
    expect(editor.get_by_text("50,625 networks")).to_be_visible()


def test_the_search_space_is_seen_before_anything_is_evaluated(editor: Page) -> None:
    editor.get_by_role("button", name="Get search space").click()
    points = editor.get_by_role("region", name="Search space").locator("circle")
    expect(points.nth(250)).to_be_attached()
    editor.get_by_role("img", name="Candidates").focus()
    editor.keyboard.press("ArrowRight")
    expect(canvas(editor).locator(".lit.block").first).to_be_visible()


def test_from_a_template_to_a_ban(editor: Page, folder: Path) -> None:
    editor.get_by_label("data").select_option("some.npz")
    for label, value in (("epochs", "2"), ("evaluations", "30"), ("name", "mine")):
        editor.get_by_role("form", name="Begin a study").get_by_label(label).fill(value)
    editor.get_by_role("button", name="Start", exact=True).click()
    editor.get_by_role("tab", name="Template").click(timeout=SLOW)
    assert (folder / "mine.db").exists()
    assert (folder / "mine.template.json").exists()
    editor.get_by_role("tab", name="One-shot").click()
    expect(editor.get_by_role("img", name="Epoch 2 of 2")).to_be_visible(timeout=SLOW)
    expect(editor.get_by_role("img", name="loss by epoch")).to_be_visible()
    expect(editor.get_by_role("img", name="Iteration 3")).to_be_visible(timeout=SLOW)
    editor.get_by_role("button", name="Fittest blocks").click()
    expect(editor.get_by_text("with all blocks on")).to_be_visible()
    card(editor, "layer1/conv3").click()
    canvas(editor).focus()
    editor.keyboard.press("Delete")
    expect(editor.get_by_role("heading", name="Delete layer1/conv3")).to_be_visible()
    expect(editor.get_by_text("23,625 of 50,625 now")).to_be_visible()
    editor.get_by_role("button", name="Apply").click()
    expect(canvas(editor).locator(".block.banned")).to_have_count(1)
    editor.get_by_title("Show the best architecture").click()
    lit = canvas(editor).locator(".block.lit")
    expect(lit.filter(has_text="fixed")).to_have_count(1)  # the pool, whose layer has no other
    layers = {name.partition("/")[0] for name in lit.evaluate_all("all => all.map((one) => one.ariaLabel)")}
    assert layers == {"layer1", "layer2", "layer3", "layer4", "layer5"}
    blocks_of_a_region(editor)
    trained_in_full(editor)


def blocks_of_a_region(app: Page) -> None:
    """What is on in all, and in none, of the best fifth of what was evaluated, on the template."""
    app.get_by_role("textbox", name="Filter", exact=True).fill('result > 0 and pick("layer1/conv3") == "off"')
    app.keyboard.press("Enter")
    app.get_by_role("tab", name="Map").click()
    app.get_by_role("button", name="Select", exact=True).first.click()
    app.get_by_role("menuitem", name="What the filter keeps").click()
    app.get_by_role("tab", name="Template").click()
    app.get_by_role("button", name="none has").click()
    expect(card(app, "layer1/conv3")).to_have_class(re.compile(r"\blit\b"))
    app.get_by_role("button", name="all have").click()
    expect(card(app, "layer1/conv3")).not_to_have_class(re.compile(r"\blit\b"))


def trained_in_full(app: Page) -> None:
    """The fittest blocks beside all of them, each trained anew; then the network as a file."""
    app.get_by_role("tab", name="One-shot").click()
    app.get_by_label("epochs").fill("1")
    app.get_by_role("button", name="Train in full").click()
    trainings = app.get_by_role("region", name="Trainings in full").get_by_role("listitem")
    expect(trainings.filter(has_text="assembled").filter(has_text="validation")).to_be_visible(timeout=SLOW)
    app.get_by_role("button", name="whole template").click()
    expect(trainings.filter(has_text="the whole template").filter(has_text="validation")).to_be_visible(timeout=SLOW)
    with app.expect_download() as saved:
        trainings.filter(has_text="assembled").get_by_role("link", name="network.py").click()
    assert "import torch" in saved.value.path().read_text()
