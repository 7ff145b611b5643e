"""A hierarchical space from a grammar: its size, its moves, and a small search on handwritten digits."""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from tierwise import Architectures, Study, load_space

TASK = {"classes": 10, "shape": (64,)}


def accuracy(net: nn.Module) -> float:
    """Percent right of 500 digits after eight epochs on 300 others."""
    x, y = load_digits(return_X_y=True)
    pixels, labels = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    optimiser = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(8):
        for rows in torch.randperm(300).split(50):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(pixels[rows]), labels[rows]).backward()
            optimiser.step()
    with torch.no_grad():
        return 100 * (net.eval()(pixels[300:800]).argmax(1) == labels[300:800]).float().mean().item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    space = load_space(Path(__file__).with_name("grammar.toml"))
    print(f"{space.size:,} terms in {len(space.choices)} genes")

    parent = space.parse("series(series(linear, relu), residual(series(layer_norm, tanh, linear), id))")
    child = space.mutate(Architectures.of([parent], space), np.random.default_rng(1))[0]
    around, _ = space.neighbours(Architectures.of([parent], space))
    print(f"a mutant, {space.distance(parent, child)} edits away: {space.term(child)}; {len(around)} neighbours")

    def evaluate(arch, job):
        torch.manual_seed(job.seed)
        return accuracy(space.build(arch, **TASK))

    study = Study(None, space, "evolution", evaluate, limits={"params": 10_000})
    study.run(12)
    best = Architectures.of([trial.arch for trial in study.best(3)], space)
    for trial, text, (_, params) in zip(study.best(3), space.format(best), space.totals(best), strict=True):
        print(f"{trial.metrics['accuracy']:.1f} % with {params:,} parameters: {text}")
