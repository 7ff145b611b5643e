"""A study in Weights & Biases: one run, a step for every trial."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tierwise.extras import needed

if TYPE_CHECKING:
    from tierwise.history import Trial
    from tierwise.study import Study


class WandB:
    """target: the folder of its files. Offline unless WANDB_MODE says otherwise; ``wandb sync`` uploads later."""

    def __init__(self, target: str = "runs"):
        self._wandb = needed("wandb", "tracker 'wandb'", "wandb", "wandb")
        self._target, self._run = target, None

    def on_tell(self, study: Study, trial: Trial) -> None:
        """Metrics, the best so far and the choices at the step of the trial's number."""
        if self._run is None:
            mode = os.environ.get("WANDB_MODE", "offline")
            about = {"space": study.space.name, "objective": study.objective, "strategy": repr(study.strategy)}
            name = study.path.stem if study.path else "study"
            self._run = self._wandb.init(project="tierwise", name=name, dir=self._target, mode=mode, config=about)
        run: Any = self._run
        best = {f"best {study.objective}": t.metrics[study.objective] for t in study.best()}
        chosen = zip(study.space.choices, trial.arch.genes, strict=True)
        choices = {f"choice/{choice.path}": choice.options[gene] for choice, gene in chosen if gene >= 0}
        run.log({**trial.metrics, **best, **choices, "failed": trial.error is not None}, step=trial.id)

    def close(self) -> None:
        """The run is finished."""
        if self._run is not None:
            self._run.finish()
