"""The parts of a report page: small builders that escape whatever is not markup already."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tierwise.plots import FIND, INK


class Html(str):
    """Text that is markup; any other text is escaped when it enters a page."""


STYLE = resources.files("tierwise.report").joinpath("report.css").read_text(encoding="utf-8")


def text(value: object) -> str:
    """Markup as it is, anything else escaped."""
    return value if isinstance(value, Html) else escape(str(value))


def join(parts: Iterable[object]) -> Html:
    """Pieces one after another."""
    return Html("\n".join(text(part) for part in parts if part != ""))


def tag(name: str, content: object, kind: str = "") -> Html:
    """One element, perhaps with a class."""
    return Html(f'<{name} class="{kind}">{text(content)}</{name}>' if kind else f"<{name}>{text(content)}</{name}>")


def section(title: str, *parts: object) -> Html:
    """A heading and what follows it."""
    return Html(f"<section><h2>{text(title)}</h2>\n{join(parts)}</section>")


def table(head: Sequence[object], rows: Iterable[Sequence[object]], kind: str = "") -> Html:
    """A table whose first column names the row; without `head` no head line."""
    first = "".join(f'<th scope="col">{text(cell)}</th>' for cell in head)
    lines = [
        f'<tr><th scope="row">{text(row[0])}</th>' + "".join(f"<td>{text(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    ]
    top = f"<thead><tr>{first}</tr></thead>" if head else ""
    return Html(f'<table class="{kind}">{top}<tbody>' + "\n".join(lines) + "</tbody></table>")


def figure(ax: Axes, description: str, kind: str = "") -> Html:
    """A plot as inline SVG; its ink and main colour follow the page, light or dark."""
    buffer = io.StringIO()
    drawn = ax.figure
    assert isinstance(drawn, Figure)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": description}):
        drawn.savefig(buffer, format="svg", metadata={"Date": None})
    drawing = buffer.getvalue()
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing[drawing.index("<svg") :], flags=re.DOTALL)
    drawing = re.sub(r'\sxmlns(:xlink)?="[^"]*"|(?<=<g) id="[^"]*"', "", drawing)
    drawing = re.sub(
        r'(<svg[^>]*?)\swidth="[^"]*"',
        r"\1",
        re.sub(r'(<svg[^>]*?)\sheight="[^"]*"', r"\1", drawing, count=1),
        count=1,
    )
    drawing = drawing.replace("xlink:href", "href").replace(INK, "currentColor").replace(FIND, "var(--find)")
    label = f'<svg role="img" aria-label="{escape(description)}"'
    return Html(f'<figure class="{kind}">{drawing.replace("<svg", label, 1)}</figure>')


def page(title: str, body: Html) -> str:
    """The whole document: no script, nothing loaded from elsewhere."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )
