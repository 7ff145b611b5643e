"""Losses that judge scores by the order of labels: what a torch predictor may be trained with, by name.

Each takes scores (..., n), higher better, and the order (..., n), numbers of which only those of one list are
compared: labels, or their ranks. Scores of several members beside each other, (members, n), may share one order
(n,). Each gives the sum over members, so that every member learns as if it were alone. Equal labels ask for
nothing: a list of equal labels has a loss without gradient, except with "mse".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from tierwise.errors import UnknownName

Loss = Callable[[Tensor, Tensor], Tensor]
TIERS = 5
MARGIN = 1.0
TOP_GAIN = 20.0  # relevance of the best: its gain is 2**20
IRRELEVANT = 0.2  # share of the labels, the lowest, that have no relevance


def mse(scores: Tensor, order: Tensor) -> Tensor:
    """Squared difference of score and standardised label: of a list of equal labels, of score and zero."""
    target = order - order.mean(-1, keepdim=True)
    spread = target.square().mean(-1, keepdim=True).sqrt()
    return (scores - target / torch.where(spread > 0, spread, 1.0)).square().mean(-1).sum()


def pairwise(scores: Tensor, order: Tensor) -> Tensor:
    """Logistic loss of every pair with different labels.

    Burges et al., "Learning to Rank using Gradient Descent" (2005); for architectures Xu et al., "ReNAS:
    Relativistic Evaluation of Neural Architecture Search" (2021), who name hinge and exponential loss beside it.
    """
    margin, different = _margins(scores, order)
    return _mean_over_pairs(F.softplus(-margin), different)


def hinge(scores: Tensor, order: Tensor) -> Tensor:
    """How much every pair with different labels lacks to a margin of 1.

    Joachims, "Optimizing Search Engines using Clickthrough Data" (2002); for architectures Xu et al., "ReNAS" (2021).
    """
    margin, different = _margins(scores, order)
    return _mean_over_pairs(F.relu(MARGIN - margin), different)


def lambdarank(scores: Tensor, order: Tensor) -> Tensor:
    """Logistic loss of every pair, weighted by what exchanging the two would change in NDCG; the top counts most.

    Burges, "From RankNet to LambdaRank to LambdaMART: An Overview" (2010). Relevance as in Zhang et al.,
    "AceNAS: Learning to Rank Ace Neural Architectures with Weak Supervision of Weight Sharing" (2021): 0 up to the
    20 % quantile of the labels, from there linear up to 20 for the best; the gain is 2**relevance - 1.
    Positions are those of the present scores.
    """
    lowest = torch.quantile(order, IRRELEVANT, dim=-1, keepdim=True)
    reach = order.amax(-1, keepdim=True) - lowest
    relevance = TOP_GAIN * ((order - lowest) / torch.where(reach > 0, reach, 1.0)).clamp(0, 1)
    gain = (torch.exp2(relevance) - 1).expand_as(scores)
    place = torch.sort(-scores.detach(), dim=-1, stable=True).indices.argsort(-1)
    discount = 1 / torch.log2(place + 2.0)
    positions = torch.arange(scores.shape[-1], device=scores.device)
    ideal = (gain.sort(-1, descending=True).values / torch.log2(positions + 2.0)).sum(-1)
    change = _differences(gain).abs() * _differences(discount).abs()
    change = change / torch.where(ideal > 0, ideal, 1.0)[..., None, None]
    margin, different = _margins(scores, order)
    return (F.softplus(-margin) * change * different).sum((-2, -1)).sum()


def listmle(scores: Tensor, order: Tensor) -> Tensor:
    """Negative log likelihood of the order when each next best is drawn by softmax from what is left, over n.

    Xia et al., "Listwise Approach to Learning to Rank: Theory and Algorithm" (2008). Equal labels do not compete:
    each is drawn from itself and what lies below it.
    """
    order = order.expand_as(scores)
    itself = torch.eye(scores.shape[-1], dtype=torch.bool, device=scores.device)
    left = (_differences(order) > 0) | itself
    among = torch.where(left, scores[..., None, :], -math.inf).logsumexp(-1)
    return (among - scores).mean(-1).sum()


def ordinal(scores: Tensor, order: Tensor) -> Tensor:
    """Cross-entropy of "is better than this boundary" at each boundary of 5 tiers of equal size.

    McCullagh, "Regression Models for Ordinal Data" (1980). The boundaries lie where scores of a logistic
    distribution have them, so nothing beside the scores is learnt. Equal labels are in one tier.
    """
    order = order.expand_as(scores)
    below = (order[..., None, :] < order[..., :, None]).float().mean(-1)
    tier = (below * TIERS).floor()
    losses = torch.zeros_like(scores)
    for boundary in range(1, TIERS):
        above = (tier >= boundary).to(scores.dtype)
        share = above.mean(-1, keepdim=True)
        split = (share > 0) & (share < 1)  # a boundary with all on one side asks for nothing
        logit = scores - torch.logit(1 - torch.where(split, share, 0.5))
        losses = losses + F.binary_cross_entropy_with_logits(logit, above, reduction="none") * split
    return losses.mean(-1).sum()


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "mse": mse,
        "pairwise": pairwise,
        "hinge": hinge,
        "lambdarank": lambdarank,
        "listmle": listmle,
        "ordinal": ordinal,
    }
)


def find_loss(name: str) -> Loss:
    """The ranking loss of this name. Raises UnknownName."""
    if name not in LOSSES:
        raise UnknownName("ranking loss", name, list(LOSSES))
    return LOSSES[name]


def _differences(x: Tensor) -> Tensor:
    """(..., n, n) each minus each other."""
    return x[..., :, None] - x[..., None, :]


def _margins(scores: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """(..., n, n) how far the better of two is ahead of the worse, and 1 where they are not equally good, else 0."""
    sign = torch.sign(_differences(order))
    return _differences(scores) * sign, sign.abs()


def _mean_over_pairs(losses: Tensor, different: Tensor) -> Tensor:
    count = different.sum((-2, -1)).clamp(min=1.0)
    return ((losses * different).sum((-2, -1)) / count).sum()
