"""One column for each option of each choice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Archs
from tierwise.encoding import Encoding, batch
from tierwise.space import Space


class OneHot(Encoding):
    """Choices as 0/1 columns, (n, sum of option counts); a choice that is not active is all zero."""

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """The columns, gene after gene, option after option."""
        rows = batch(archs)
        return np.concatenate(
            [
                (rows.genes[:, [gene]] == np.arange(len(choice.options))).astype(np.float32)
                for gene, choice in enumerate(rows.space.choices)
            ],
            axis=1,
        )

    def feature_names(self, space: Space) -> list[str]:
        """The choice and the option of each column."""
        return [f"{choice.path} is {option}" for choice in space.choices for option in choice.options]
