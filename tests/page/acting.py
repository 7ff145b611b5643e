"""What a person does on the page, in the words of screen readers."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tierwise import Study


def cell(app: Page, option: str, choice: str) -> Locator:
    """An option in the table of components."""
    return app.get_by_role("grid").get_by_role("button", name=f"{option} at {choice}:")


def card(app: Page) -> Locator:
    """The dialog that is open."""
    return app.get_by_role("dialog")


def tab(app: Page, name: str) -> None:
    app.get_by_role("tab", name=re.compile(f"^{name}")).click()


def pane(app: Page, name: str) -> Locator:
    return app.get_by_role("region", name=name, exact=True)


def apply(app: Page) -> None:
    """Say yes to the preview that is open."""
    card(app).get_by_role("button", name=re.compile("^Apply")).click()
    expect(card(app)).to_have_count(0)


def kinds(study: Study) -> list[str]:
    """Of all steering rows, as Python reads them from the file."""
    study.refresh()
    return [row.kind for row in study.steers()]
