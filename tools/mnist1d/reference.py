"""The same training in plain PyTorch, slow and obvious: what trainer.cpp and the table are checked against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tools.mnist1d.protocol import EPOCHS, batches, initial, rates
from torch import nn
from torch.nn.functional import cross_entropy

from tierwise.benchmarks.mnist1d_cells import TRAIN, VALIDATION, signals
from tierwise.networks.mnist1d import Network


def network(ops: Sequence[str], seed: int, class_id: int) -> Network:
    """With its initial weights; ops: of the six edges, dead ones "none"."""
    made = Network(ops, [op != "none" for op in ops])
    nn.utils.vector_to_parameters(torch.from_numpy(initial(ops, seed, class_id)), made.parameters())
    return made


def train(made: Network, seed: int, epochs: int = EPOCHS) -> Iterator[NDArray[np.float64]]:
    """After each epoch the losses of its batches; until the next is asked for, the network is in evaluation mode."""
    x, y = (torch.from_numpy(part[:TRAIN]) for part in signals())
    optimizer = torch.optim.SGD(made.parameters(), lr=0.0, momentum=0.9, nesterov=True, weight_decay=5e-4)
    step = iter(rates().tolist())
    for epoch in batches(seed)[:epochs]:
        made.train()
        losses: list[float] = []
        for rows in torch.from_numpy(epoch).long():
            optimizer.param_groups[0]["lr"] = next(step)
            optimizer.zero_grad()
            loss = cross_entropy(made(x[rows]), y[rows].long())
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        made.eval()
        yield np.array(losses)


def accuracies(made: Network) -> tuple[float, float]:
    """Validation and test accuracy, percent."""
    x, y = (torch.from_numpy(part[TRAIN:]) for part in signals())
    with torch.no_grad():
        right = (made(x).argmax(1) == y).double()
    return 100 * right[:VALIDATION].mean().item(), 100 * right[VALIDATION:].mean().item()
