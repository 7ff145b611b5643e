"""What there is to see of a study, and to say about it, in numbers: the page of ``tierwise serve`` without the page."""

from tierwise.navigator.navigator import Navigator
from tierwise.navigator.watching import Changes

__all__ = ["Changes", "Navigator"]
