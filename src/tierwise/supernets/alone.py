"""What candidates of a trained supernet are worth, each alone in its place."""

from __future__ import annotations

import torch
from torch import Tensor

from tierwise.supernets.supernet import Supernet


@torch.no_grad()
def alone_weights(supernet: Supernet, x: Tensor, y: Tensor) -> list[Tensor]:
    """(m,) for each choice: the softmax of less the loss on this batch with a candidate alone in its place, while the
    candidates of all other choices are mixed equally.

    One candidate is looked at in a network that is otherwise known to work, so neither what the others make up for nor
    a bad draw of companions counts. Wang et al., "Rethinking Architecture Selection in Differentiable NAS" (2021), take
    a candidate out and look at what is lost; ours leaves it alone. x (b, ...), y: inputs and targets. There are as many
    passes of the supernet as candidates. Batch norms take the statistics of the batch; the supernet stays as it is. A
    candidate whose loss is no number weighs nothing; where there is no other, all weights are NaN.
    """
    training, buffers = supernet.training, [buffer.clone() for buffer in supernet.buffers()]
    supernet.train()
    equal, found = equal_weights(supernet), list[Tensor]()
    for choice, own in enumerate(equal):
        losses = torch.empty_like(own)
        for candidate, alone in enumerate(torch.eye(len(own), device=own.device)):
            mixed = [*equal[:choice], alone, *equal[choice + 1 :]]
            losses[candidate] = supernet.loss(supernet(x, supernet.everywhere(mixed)), y)
        found.append((-losses.nan_to_num(torch.inf)).softmax(0))
    for buffer, value in zip(supernet.buffers(), buffers, strict=True):
        buffer.copy_(value)
    supernet.train(training)
    return found


def equal_weights(supernet: Supernet) -> list[Tensor]:
    """(m,) for each choice: every candidate weighs the same."""
    device = next(supernet.parameters()).device
    counts = [len(choice.options) for choice in supernet.choices]
    return [torch.full((count,), 1 / count, device=device) for count in counts]
