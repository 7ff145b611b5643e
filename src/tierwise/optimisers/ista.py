"""ISTA-NAS: Yang et al., "ISTA-NAS: Efficient and Consistent Neural Architecture Search by Sparse Coding" (2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tierwise.errors import BadSetting
from tierwise.optimisers.softmax import BETAS, check
from tierwise.supernets.search import Batch, Learner, SupernetFit

PENALTY = 1e-5  # on the sum of the weights, as published
STILL = 1e-3  # a change of a solution that counts as none, as published
ITERATIONS = 2000  # of a recovery, of at most some dozens of numbers


@dataclass(frozen=True)
class ISTANAS:
    """Weights z of candidates that compete are sparse, and are searched through a compressed image b = A z of them.

    Before every epoch the weights are recovered from b as the solution x of a LASSO, by iterative shrinkage, and the
    largest are kept: one of each choice, or two of each node in DARTS. Within the epoch the network has these alone,
    with weights z = x + A'(b - c) over the columns of A that are left, and b is trained through them; c is b as it was
    at first. (Published is A x in place of c, which differs by what was not kept.) A is random.

    stages: 2 trains b on validation batches; 1 trains b and the network on the same batch, and fixes what a recovery
    did not change any more. rows: of A, as published; where there are fewer candidates, nothing is lost in the image.
    rate: of Adam for b.
    warmup: part of the epochs in which candidates have equal weights. dense: the part after it in which b is trained,
    and nothing is left out. Raises BadSetting.
    Ours: warm-up and dense epochs (a candidate that is left out has no gradient, so a bad start would stay), recovered
    weights that are not negative and begin an epoch with the number that is kept as their sum, and never two candidates
    of one choice.
    """

    stages: Literal[1, 2] = 2
    rate: float = 0.02
    rows: int = 7
    warmup: float = 0.3
    dense: float = 0.4

    def __post_init__(self) -> None:
        check(self.rate, self.warmup)
        if self.stages not in (1, 2):
            raise BadSetting("stages", self.stages, "1 or 2")
        if self.rows < 1:
            raise BadSetting("rows", self.rows, "1 or more")
        if not 0 <= self.dense < 1 - self.warmup:
            raise BadSetting("dense", self.dense, f"0 or more, less than 1 - warmup = {1 - self.warmup:g}")

    def begin(self, fit: SupernetFit, seed: int) -> ISTANASLearner:
        """The matrices are drawn."""
        return ISTANASLearner(fit, self, seed)


class ISTANASLearner(Learner):
    """See `ISTANAS`."""

    def __init__(self, fit: SupernetFit, settings: ISTANAS, seed: int):
        super().__init__(fit)
        draws, device = torch.Generator().manual_seed(seed), next(fit.supernet.parameters()).device
        self.settings, self.groups = settings, list[_Group]()
        for members, kept in fit.supernet.groups:
            matrix = torch.rand(settings.rows, len(members), generator=draws) * 2 - 1
            self.groups.append(_Group(members, kept, (matrix / matrix.norm(dim=0)).to(device)))
        self.images = [group.image for group in self.groups]
        self.adam = torch.optim.Adam(self.images, lr=settings.rate, betas=BETAS)

    def step(self, train: Batch, validation: Batch) -> float:
        """Images, then weights; of one stage both at once."""
        if self.fit.done <= self.settings.warmup:
            return self.fit.step(self._loss(self.weights(), train))
        if self.settings.stages == 1:
            self.adam.zero_grad()
            loss = self.fit.step(self._loss(self._mixed(), train))
            self.adam.step()
            return loss
        gradient = self.fit.gradient(self._loss(self._mixed(), validation), self.images)
        for image, own in zip(self.images, gradient, strict=True):
            image.grad = own
        self.adam.step()
        return self.fit.step(self._loss(self.weights(), train))

    def weights(self) -> list[Tensor]:
        """Those of the network: exactly 0 but for a few."""
        return [own.detach() for own in self._mixed()]

    def epoch_end(self) -> None:
        """Recover the weights for the next epoch."""
        if self.fit.done >= self.settings.warmup + self.settings.dense:
            for group in self.groups:
                group.recover(fix=self.settings.stages == 1)

    def _loss(self, weights: list[Tensor], batch: Batch) -> Tensor:
        return self.fit.loss(self.supernet.everywhere(weights), batch)

    def _mixed(self) -> list[Tensor]:
        """(m,) of each choice, with gradients to the images. A choice without any falls to what no group holds."""
        device = self.images[0].device
        found = [torch.zeros(len(choice.options), device=device) for choice in self.supernet.choices]
        outside = [torch.ones_like(own) for own in found]
        for group in self.groups:
            values = group.values()
            for k, (choice, candidate) in enumerate(group.members):
                outside[choice][candidate] = 0.0
                if group.live[k]:
                    found[choice] = found[choice].index_put((torch.tensor(candidate, device=device),), values[k])
        return [
            own if own.detach().any() else rest / rest.sum().clamp_min(1)
            for own, rest in zip(found, outside, strict=True)
        ]


class _Group:
    """Candidates (choice, candidate) of which `kept` are to be left. matrix: (rows, members), columns of norm 1."""

    def __init__(self, members: Sequence[tuple[int, int]], kept: int, matrix: Tensor):
        self.members, self.kept, self.matrix, self.fixed = members, kept, matrix, False
        self.solution = self.found = torch.full_like(matrix[0], kept / len(members))
        self.start = matrix @ self.solution
        self.image = self.start.clone().requires_grad_()
        self.live = [True] * len(members)

    def values(self) -> Tensor:
        """(members,) weights with gradients to the image; they count for what is live alone."""
        return self.solution + self.matrix.T @ (self.image - self.start)

    def recover(self, *, fix: bool) -> None:
        """The sparse solution for this image. fix: for good, if it has not changed."""
        if self.fixed:
            return
        self.start = self.image.detach().clone()
        found = recovered(self.matrix, self.start, PENALTY)
        rest = self.matrix.T @ (self.start - self.matrix @ found)
        order = sorted(range(len(found)), key=lambda k: (-float(found[k]), -float(rest[k])))
        chosen: dict[int, int] = {}  # members by their choices
        for k in order:
            if len(chosen) < self.kept:
                chosen.setdefault(self.members[k][0], k)
        self.live = [k in chosen.values() for k in range(len(found))]
        kept = torch.where(torch.tensor(self.live, device=found.device), found, 0.0)
        self.fixed = fix and float((kept - self.found).norm()) <= STILL
        self.found, positive = kept, kept.clamp_min(STILL) * torch.tensor(self.live, device=found.device)
        self.solution = self.kept * positive / positive.sum()


def recovered(matrix: Tensor, image: Tensor, penalty: float) -> Tensor:
    """(n,) x >= 0 with the least |A x - b|^2 / 2 + penalty * sum(x), by accelerated shrinkage (Beck and Teboulle, "A
    Fast Iterative Shrinkage-Thresholding Algorithm for Linear Inverse Problems", 2009).
    """
    a, b = matrix.cpu().double().numpy(), image.cpu().double().numpy()
    step = 1 / float(np.linalg.norm(a, 2)) ** 2
    x = y = np.zeros(a.shape[1])
    momentum = 1.0
    for _ in range(ITERATIONS):
        after = np.maximum(y - step * (a.T @ (a @ y - b)) - step * penalty, 0)
        later = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        y = after + (momentum - 1) / later * (after - x)
        x, momentum = after, later
    return torch.from_numpy(x).to(matrix)
