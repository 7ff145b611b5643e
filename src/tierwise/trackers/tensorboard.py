"""A study in TensorBoard: each metric over the trials, the best so far, and the architectures as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tierwise.extras import needed

if TYPE_CHECKING:
    from tierwise.history import Trial
    from tierwise.study import Study


class TensorBoard:
    """target: the folder of event files. ``tensorboard --logdir runs/tensorboard`` shows them."""

    def __init__(self, target: str = "runs/tensorboard"):
        module = "torch.utils.tensorboard"
        tensorboard = needed(module, "tracker 'tensorboard'", "torch and tensorboard", "tensorboard")
        self._writer = tensorboard.SummaryWriter(target)

    def on_tell(self, study: Study, trial: Trial) -> None:
        """Scalars at the step of the trial's number."""
        for name, value in trial.metrics.items():
            self._writer.add_scalar(name, value, trial.id)
        if best := study.best():
            self._writer.add_scalar(f"best {study.objective}", best[0].metrics[study.objective], trial.id)
        self._writer.add_text("architecture", trial.error or trial.arch.gene_text, trial.id)
        self._writer.flush()

    def close(self) -> None:
        """Let go of the files."""
        self._writer.close()
