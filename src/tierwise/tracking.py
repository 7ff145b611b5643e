"""Passing on what is told to trackers: somebody else's dashboards, whose troubles must not end a search."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from tierwise import registry
from tierwise.history import Trial

if TYPE_CHECKING:
    from tierwise.study import Study


class Tracker(Protocol):
    """Hears of every result once it is in the study's file."""

    def on_tell(self, study: Study, trial: Trial) -> None:
        """A trial is done, or has failed."""
        ...

    def close(self) -> None:
        """The run has ended; a later one may make the tracker anew."""
        ...


class Trackers:
    """Several of them, as objects or by registered name; one that raises is left out from then on, with a warning."""

    def __init__(self, trackers: Sequence[Tracker | str]):
        self._known: list[Tracker] = [registry.make("tracker", t) if isinstance(t, str) else t for t in trackers]

    def tell(self, study: Study, trials: Iterable[Trial]) -> None:
        """Each trial to each tracker."""
        for trial in trials:
            for tracker in list(self._known):
                try:
                    tracker.on_tell(study, trial)
                except Exception as error:  # noqa: BLE001  a server that is down raises anything
                    self._known.remove(tracker)
                    text = f"{type(tracker).__name__} hears no more of this run: {type(error).__name__}: {error}"
                    warnings.warn(text, stacklevel=2)

    def close(self) -> None:
        """All of them."""
        for tracker in self._known:
            tracker.close()
