"""Pictures of cells as SVG text."""

from tierwise.drawing.cell import NEUTRAL, colour, short_name, svg

__all__ = ["NEUTRAL", "colour", "short_name", "svg"]
