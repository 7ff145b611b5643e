"""Which recorded figure a search is told: ``validation@200#mean``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from tierwise.errors import BadSetting

_FORM = re.compile(r"(validation|test)(?:@([\w.-]+))?(?:#(\w+))?")


@dataclass(frozen=True)
class Label:
    """An accuracy of a table, written ``accuracy@epochs#run`` as the columns of converted tables are.

    accuracy: "validation" or "test". epochs: of the recorded training, None for the most.
    run: "mean" over the recorded runs, one of them by its seed ("777") or place ("0"), or "noise": each evaluation is
    told one of the runs, which one by its own seed.
    """

    accuracy: Literal["validation", "test"]
    epochs: str | None
    run: str

    @classmethod
    def parse(cls, text: str) -> Label:
        """``validation``, ``test@12``, ``validation#noise``, ``validation@200#777``. Raises BadSetting."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise BadSetting("label", text, "validation or test, then @EPOCHS, then #RUN, e.g. validation@200#mean")
        accuracy = "test" if found[1] == "test" else "validation"
        return cls(accuracy, found[2], found[3] or "mean")
