"""Columns that can be read: encodings side by side, with the name of each column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.encoding import Encoding
from tierwise.errors import BadSetting
from tierwise.space import Space


@dataclass(frozen=True)
class NamedColumns:
    """Some encodings side by side; names: (d,) what each column says."""

    encodings: tuple[Encoding, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, encodings: tuple[str | Encoding, ...], space: Space) -> NamedColumns:
        """What of the encodings (registered names or objects) the space can give. Raises BadSetting if that is none."""
        one = space.sample(1, np.random.default_rng(0))
        kept: list[Encoding] = []
        for given in encodings:
            encoding: Encoding = registry.make("encoding", given) if isinstance(given, str) else given
            try:
                encoding.transform(one)
            except BadSetting:
                continue  # no cost formulas, or too many paths
            kept.append(encoding)
        if not kept:
            raise BadSetting("encodings", encodings, f"one that space {space.name} can give, such as onehot")
        return cls(tuple(kept), tuple(name for encoding in kept for name in encoding.feature_names(space)))

    def matrix(self, rows: Architectures) -> NDArray[np.float32]:
        """(n, d) the columns."""
        parts = [encoding.transform(rows) for encoding in self.encodings]
        return np.concatenate([part.reshape(len(rows), int(np.prod(part.shape[1:]))) for part in parts], 1)
