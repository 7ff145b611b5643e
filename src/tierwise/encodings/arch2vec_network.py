"""The variational graph autoencoder of arch2vec: cells as graphs of operations, the network, its training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from tierwise.architecture import Graphs
from tierwise.networks.threads import threads
from tierwise.node_form import node_form

LATENT = 16
_HIDDEN, _HOPS, _DROPOUT = 128, 4, 0.3  # four layers of convolution, then mean and variance: five hops as published
_BATCH, _LEARNING_RATE, _CLIP = 128, 2e-3, 5.0
_LEAST = 50  # batches an epoch: a small space is passed several times
_HELD_OUT = 0.1

Ops = NDArray[np.uint8]
Links = NDArray[np.bool_]


def operation_graphs(graphs: Graphs) -> tuple[Ops, Links]:
    """Operations (n, v), 0 for nothing, and whether there is a link (n, v, v), of cells in node form."""
    ops, links = node_form(graphs)
    return ops, links > 0


class GraphAutoencoder(nn.Module):
    """A graph isomorphism network to the mean and log-variance of `LATENT` numbers a node, and a decoder of both
    the operations (n, v), of `codes` kinds with 0 for nothing, and the links (n, v, v).
    """

    def __init__(self, codes: int):
        super().__init__()
        self.codes = codes
        inputs = [codes, *[_HIDDEN] * (_HOPS - 1)]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(i, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN)) for i in inputs
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(_HIDDEN) for _ in inputs)
        self.own = nn.Parameter(torch.zeros(_HOPS))
        self.mean, self.log_variance = nn.Linear(_HIDDEN, LATENT), nn.Linear(_HIDDEN, LATENT)
        self.operation = nn.Linear(LATENT, codes)

    def encode(self, ops: Tensor, links: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (nodes, LATENT) of the nodes that are there, cell by cell."""
        there = ops > 0
        around = (links | links.transpose(1, 2)).float()
        x = F.one_hot(ops.long(), self.codes).float()
        packed = x[there]
        for layer, norm, own in zip(self.layers, self.norms, self.own, strict=True):
            packed = F.relu(norm(layer((1 + own) * packed + (around @ x)[there])))
            x = packed.new_zeros(*ops.shape, _HIDDEN)
            x[there] = packed
        return self.mean(packed), self.log_variance(packed)

    def decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the operations (n, v, codes) and of the links (n, v, v), of latents (n, v, LATENT)."""
        z = F.dropout(z, _DROPOUT, self.training)
        return self.operation(z), z @ z.transpose(1, 2)

    def loss(self, ops: Tensor, links: Tensor) -> Tensor:
        """Cross-entropies of operations and links, and the divergence from a normal prior at its published weight."""
        there = ops > 0
        mean, log_variance = self.encode(ops, links)
        z = mean.new_zeros(*ops.shape, LATENT)
        z[there] = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        of_op, of_link = self.decode(z)
        pairs = node_pairs(there)
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
        reconstruction = F.cross_entropy(of_op[there], ops[there].long())
        reconstruction = reconstruction + F.binary_cross_entropy_with_logits(of_link[pairs], links[pairs].float())
        return reconstruction + divergence / ops.numel()


def node_pairs(there: Tensor) -> Tensor:
    """(n, v, v) whether two different nodes are there, the earlier one first."""
    return (there[:, :, None] & there[:, None, :]).triu(1)


@dataclass(frozen=True, slots=True)
class Check:
    """How well held-out cells come back from their means, and what random latents are decoded to.

    operations, links: shares of nodes and of node pairs that are right. links_found: share of the true links found.
    valid: share of decoded random latents that begin and end as the space's cells do and hold no operation more often.
    unique: share of the valid ones that differ. Shares are 0 to 1.
    """

    operations: float
    links: float
    links_found: float
    valid: float
    unique: float


@threads()
def train(ops: Ops, links: Links, codes: int, epochs: int, seed: int) -> tuple[GraphAutoencoder, Check]:
    """An autoencoder of these cells, trained on nine tenths of them and checked on the others."""
    cells = torch.from_numpy(ops), torch.from_numpy(links)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = GraphAutoencoder(codes)
        order = torch.randperm(len(ops))
        seen, held_out = order[int(_HELD_OUT * len(ops)) :], order[: max(1, int(_HELD_OUT * len(ops)))]
        optimizer = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE)
        batches = max(1, len(seen) // _BATCH)
        for _ in range(epochs * math.ceil(_LEAST / batches)):
            for rows in seen[torch.randperm(len(seen))].split(_BATCH)[:batches]:
                optimizer.zero_grad()
                network.loss(cells[0][rows], cells[1][rows]).backward()
                nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
                optimizer.step()
        network.eval()
        return network, _check(network, cells[0][held_out], cells[1][held_out])


@threads()
@torch.no_grad()
def embed(network: GraphAutoencoder, graphs: Graphs) -> NDArray[np.float32]:
    """(n, LATENT) the mean over the nodes of their means; zeros for a cell without a node."""
    ops, links = operation_graphs(graphs)
    there = ops > 0
    nodes = np.zeros((*ops.shape, LATENT), dtype=np.float32)
    nodes[there] = network.encode(torch.from_numpy(ops), torch.from_numpy(links))[0].numpy()
    return nodes.sum(1) / np.maximum(there.sum(1), 1, dtype=np.float32)[:, None]


@torch.no_grad()
def _check(network: GraphAutoencoder, ops: Tensor, links: Tensor) -> Check:
    there = ops > 0
    z = torch.zeros(*ops.shape, LATENT)
    z[there] = network.encode(ops, links)[0]
    of_op, of_link = network.decode(z)
    pairs = node_pairs(there)
    right = (of_link[pairs] > 0) == links[pairs]
    drawn, drawn_links = _decode_random(network, z, there)
    valid = _looks_alike(drawn, drawn_links, ops, links)
    graphs = torch.cat([drawn[valid], drawn_links[valid].flatten(1)], 1)
    return Check(
        float((of_op[there].argmax(-1) == ops[there]).float().mean()),
        float(right.float().mean()),
        float(right[links[pairs]].float().mean()),
        float(valid.float().mean()),
        len(torch.unique(graphs, dim=0)) / max(len(graphs), 1),
    )


def _decode_random(network: GraphAutoencoder, z: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """Cells decoded from normal latents with the mean and spread that those of each place have."""
    count = there.sum(0).clamp(min=1)[:, None]
    centre = z.sum(0) / count
    spread = (((z - centre) ** 2 * there[..., None]).sum(0) / count).sqrt()
    of_op, of_link = network.decode(centre + spread * torch.randn_like(z))
    ops = (of_op[..., 1:].argmax(-1) + 1) * there
    return ops, (of_link > 0) & node_pairs(there)


def _looks_alike(ops: Tensor, links: Tensor, like_ops: Tensor, like_links: Tensor) -> Tensor:
    """(n,) whether nodes that read nothing, and nodes that nobody reads, are those of such operations."""
    alike = torch.ones(len(ops), dtype=torch.bool)
    codes = torch.arange(1, int(max(ops.max(), like_ops.max())) + 1)
    most = (like_ops[..., None] == codes).sum(1).amax(0)
    alike &= ((ops[..., None] == codes).sum(1) <= most).all(1)
    for axis in (1, 2):
        ends = torch.unique(like_ops[(like_ops > 0) & ~like_links.any(axis)])
        alike &= (((ops > 0) & ~links.any(axis)) == torch.isin(ops, ends)).all(1)
    return alike
