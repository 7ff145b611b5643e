"""The final network of a one-shot study: put together from its blocks, then trained in full by ``tierwise train``."""

from __future__ import annotations

import numpy as np

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting
from tierwise.spaces.masks import OFF, ON, Masks
from tierwise.strategies.blocks import fitness_of
from tierwise.study import Study


def assemble(study: Study, choose: str = "best") -> Architecture:
    """The architecture that is chosen.

    choose: "best", that of the best result; "fitness", in each layer of a template the one block of the highest fitness
    (see ``strategies.blocks``) among those that steering has left; or an architecture as text, such as
    ``conv3+conv5 | max``, evaluated or not. Raises BadSetting where there is no result yet, BadArchitecture.
    """
    if choose not in ("best", "fitness"):
        return study.space.parse(choose)
    done = study.history().done
    if not len(done):
        raise BadSetting("assemble", choose, "a study with a result, or an architecture as text")
    if choose == "best":
        return done.best(1).archs[0]
    space = study.steering().space
    if not isinstance(space, Masks):
        raise BadSetting("assemble", choose, f"best, or an architecture as text, in {space!r}")
    fitness = np.where(space.allowed[:, ON], fitness_of(done)[:, ON], -np.inf)
    genes = np.where(space.allowed[:, OFF], OFF, ON)  # what must be on
    for slot in space.slots:
        if not genes[slot].any():
            genes[slot.start + int(fitness[slot].argmax())] = ON
    return Architectures(space, genes[None])[0]
