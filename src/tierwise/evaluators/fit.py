"""The training of one network, or of several in one program, epoch by epoch."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tierwise.errors import TrainingFailed
from tierwise.evaluators.dataset import Part
from tierwise.evaluators.recipe import Recipe

EVALUATED = 512  # inputs at once where nothing is learnt


class Alone(nn.Module):
    """One network in the form of several: (b, 1, ...) in, (b, 1, classes) out."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(b, 1, classes) scores."""
        return self.network(x[:, 0])[:, None]


@dataclass(frozen=True)
class Scores:
    """(k,) accuracies in percent and mean losses of k networks."""

    accuracy: list[float]
    loss: list[float]


class Fit:
    """k networks in training: (b, k, ...) in, (b, k, classes) out. seeds: of their order and augmentation."""

    def __init__(self, networks: nn.Module, seeds: Sequence[int], recipe: Recipe, epochs: int, device: str):
        self.networks, self.seeds, self.recipe, self.epochs = networks.to(device), list(seeds), recipe, epochs
        self.device = torch.device(device)
        self.optimiser = recipe.optimiser(self.networks)

    def epoch(self, number: int, train: Part) -> list[float]:
        """Epoch `number` (from 0); the mean training loss of each network, NaN where it is no number any more."""
        self.networks.train()
        generators = [_generator(seed, number) for seed in self.seeds]
        order = torch.stack([torch.randperm(len(train), generator=g) for g in generators], 1)
        steps = max(len(train) // self.recipe.batch, 1)  # a rest would be a small, noisy batch
        total = torch.zeros(len(self.seeds), device=self.device)
        with seeded(int(generators[0].initial_seed())):  # what dropout draws
            for step, (x, y) in enumerate(train.batches(self.recipe.batch, order[: steps * self.recipe.batch])):
                for group in self.optimiser.param_groups:
                    group["lr"] = self.recipe.rate_at(number + (step + 1) / steps, self.epochs)
                x = torch.stack([self.recipe.augmented(x[:, k], g) for k, g in enumerate(generators)], 1)
                losses = self._losses(x, y, self.recipe.smoothing)
                self.optimiser.zero_grad()
                losses.sum().backward()
                self.optimiser.step()
                total += losses.detach()
        return (total / steps).tolist()

    @torch.no_grad()
    def scores(self, part: Part) -> Scores:
        """Accuracy and loss on these data."""
        self.networks.eval()
        k, right, total = len(self.seeds), torch.zeros(len(self.seeds)), torch.zeros(len(self.seeds))
        order = torch.arange(len(part))[:, None].expand(-1, k)
        for x, y in part.batches(EVALUATED, order):
            logits = self._logits(x)
            losses = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
            right += (logits.argmax(2) == y).sum(0).cpu()
            total += losses.view(y.shape).sum(0).cpu()
        return Scores((right * 100 / len(part)).tolist(), (total / len(part)).tolist())

    def _losses(self, x: Tensor, y: Tensor, smoothing: float) -> Tensor:
        logits = self._logits(x)
        each = nn.functional.cross_entropy(
            logits.flatten(0, 1), y.flatten(), reduction="none", label_smoothing=smoothing
        )
        return each.view(y.shape).mean(0)

    def _logits(self, x: Tensor) -> Tensor:
        half = self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            logits = self.networks(x)
        if logits.dim() != 3:
            raise TrainingFailed(f"scores of shape {tuple(logits.shape[2:])} for an input; one a class is needed")
        return logits.float()

    # ---- checkpoints ---------------------------------------------------------------------------------------

    def state(self) -> dict[str, np.ndarray]:
        """Weights and momenta by name."""
        weights = {f"weight/{name}": value for name, value in self.networks.state_dict().items()}
        momenta = {
            f"momentum/{name}": self.optimiser.state[parameter]["momentum_buffer"]
            for name, parameter in self.networks.named_parameters()
            if self.optimiser.state.get(parameter, {}).get("momentum_buffer") is not None
        }
        return {name: value.detach().cpu().numpy() for name, value in (weights | momenta).items()}

    def load(self, state: dict[str, np.ndarray]) -> None:
        """Go on from there. Raises TrainingFailed for weights of another network."""
        weights = {n.removeprefix("weight/"): torch.from_numpy(v) for n, v in state.items() if n.startswith("weight/")}
        try:
            self.networks.load_state_dict(weights)
            for name, parameter in self.networks.named_parameters():
                if f"momentum/{name}" in state:
                    buffer = torch.from_numpy(state[f"momentum/{name}"]).to(parameter.device).view_as(parameter)
                    self.optimiser.state[parameter]["momentum_buffer"] = buffer
        except RuntimeError as error:
            raise TrainingFailed(f"the checkpoint is of another network: {error}") from error


def _generator(seed: int, epoch: int) -> torch.Generator:
    mixed = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator().manual_seed(mixed)


@contextlib.contextmanager
def seeded(seed: int) -> Generator[None]:
    """Torch's own generator has this seed inside, and goes on as before outside."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
