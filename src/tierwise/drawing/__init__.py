"""Pictures of cells as SVG text, and their graphs for Graphviz."""

from tierwise.drawing.cell import NEUTRAL, colour, short_name, svg
from tierwise.drawing.dot import dot

__all__ = ["NEUTRAL", "colour", "dot", "short_name", "svg"]
