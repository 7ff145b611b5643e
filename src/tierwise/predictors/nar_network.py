"""The network of the Neural Architecture Ranker: a Transformer that matches cells with tier embeddings."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_NORM_EPS = 1e-6


@dataclass(frozen=True, slots=True)
class NarSizes:
    """The sizes of one `NarNetwork`.

    `tokens` matrices of `entries` numbers each go in; `n_tiers` logits and one score come out.
    The defaults from `d_model` on are those published for NAS-Bench-201.
    """

    tokens: int
    entries: int
    n_tiers: int = 5
    d_model: int = 128
    heads: int = 4
    d_k: int = 32
    layers: int = 6
    ffn: int = 512
    tier_hidden: int = 256
    score_hidden: int = 1024
    dropout: float = 0.1


def sinusoids(positions: int, width: int) -> Tensor:
    """The fixed position table, shape (positions, width): sine on even columns, cosine on odd ones."""
    column = torch.arange(width, dtype=torch.float64)
    angle = torch.arange(positions, dtype=torch.float64)[:, None] / 10_000 ** (2 * (column // 2) / width)
    table = torch.where(column % 2 == 0, angle.sin(), angle.cos())
    return table.float()


class TokenLinear(nn.Linear):
    """A linear map of every token of (..., p, d), computed on the CPU as a 1 x 1 convolution.

    Same numbers; oneDNN's convolution uses the whole vector width of every CPU, the matrix product of torch's
    wheel only half of it on AMD: a training step takes a quarter less time.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type != "cpu":
            return super().forward(input)
        image = input.flatten(0, -3).unsqueeze(1).permute(0, 3, 1, 2)  # channels last: no copy
        mapped = F.conv2d(image, self.weight[:, :, None, None], self.bias)
        return mapped.permute(0, 2, 3, 1).reshape(*input.shape[:-1], self.out_features)


class Attention(nn.Module):
    """Multi-head attention, dropout, residual, layer norm (post-norm); projections carry no bias."""

    def __init__(self, sizes: NarSizes) -> None:
        super().__init__()
        inner = sizes.heads * sizes.d_k
        self.heads = sizes.heads
        self.dropout = sizes.dropout
        self.query = TokenLinear(sizes.d_model, inner, bias=False)
        self.key = TokenLinear(sizes.d_model, inner, bias=False)
        self.value = TokenLinear(sizes.d_model, inner, bias=False)
        self.out = TokenLinear(inner, sizes.d_model, bias=False)
        self.norm = nn.LayerNorm(sizes.d_model, eps=_NORM_EPS)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        """Attend from `x` (b or 1, q, d) to `memory` (b, k, d), by default to `x` itself; gives (b, q, d)."""
        source = x if memory is None else memory
        key, value = self._split(self.key(source)), self._split(self.value(source))
        # One row of `x` may serve every row of `memory`: only the view grows, the projection is done once.
        query = self._split(self.query(x)).expand(len(source), -1, -1, -1)
        rate = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=rate)
        step = F.dropout(self.out(mixed.transpose(-3, -2).flatten(-2)), self.dropout, self.training)
        return self.norm(x + step)


class FeedForward(nn.Module):
    """Linear, ReLU, linear, dropout, residual, layer norm."""

    def __init__(self, sizes: NarSizes) -> None:
        super().__init__()
        self.dropout = sizes.dropout
        self.wide = TokenLinear(sizes.d_model, sizes.ffn)
        self.narrow = TokenLinear(sizes.ffn, sizes.d_model)
        self.norm = nn.LayerNorm(sizes.d_model, eps=_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        step = self.narrow(F.relu(self.wide(x)))
        return self.norm(x + F.dropout(step, self.dropout, self.training))


class TokenInput(nn.Module):
    """Linear projection plus position table, dropout, layer norm."""

    def __init__(self, entries: int, sizes: NarSizes) -> None:
        super().__init__()
        self.dropout = sizes.dropout
        self.project = TokenLinear(entries, sizes.d_model)
        self.norm = nn.LayerNorm(sizes.d_model, eps=_NORM_EPS)
        self.register_buffer("positions", sinusoids(sizes.tokens, sizes.d_model), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (b, p, entries) to (b, p, d)."""
        placed = self.project(tokens) + self.get_buffer("positions")
        return self.norm(F.dropout(placed, self.dropout, self.training))


class EncoderLayer(nn.Module):
    """Self-attention among the tokens of an architecture, then the feed-forward net."""

    def __init__(self, sizes: NarSizes) -> None:
        super().__init__()
        self.among = Attention(sizes)
        self.feed = FeedForward(sizes)

    def forward(self, x: Tensor) -> Tensor:
        return self.feed(self.among(x))


class DecoderLayer(nn.Module):
    """Self-attention inside each tier, attention to the architecture, feed-forward net; all tiers at once."""

    def __init__(self, sizes: NarSizes) -> None:
        super().__init__()
        self.among = Attention(sizes)
        self.across = Attention(sizes)
        self.feed = FeedForward(sizes)

    def forward(self, z: Tensor, encoded: Tensor) -> Tensor:
        """Tier tokens (b or 1, tiers, p, d) and architectures (b, p, d) to (b, tiers, p, d)."""
        own = self.among(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        # The tiers stand side by side in the query, so they share the keys and values of an architecture.
        return self.feed(self.across(own.flatten(1, 2), encoded)).unflatten(1, z.shape[1:3])


class NarNetwork(nn.Module):
    """Encoder with a score head, decoder with a tier head.

    Neural Architecture Ranker (Guo et al., 2022). With P tokens per architecture and width d:

    * `encode`: tokens (b, P, entries) to features (b, P, d).
    * `score`: features to one number a row, shape (b,); the decoder takes no part in it.
    * `tier_logits`: features and tier embeddings (tiers, P, d) to (b, tiers). The decoder outputs are
      summed over the tiers without an index, so permuting the embeddings changes nothing.

    The tiers are evaluated as one batch; in the first layer the tier tokens do not depend on the architecture
    yet, so their self-attention (and its dropout mask) is shared by the whole batch, as published.
    """

    def __init__(self, sizes: NarSizes) -> None:
        super().__init__()
        self.sizes = sizes
        flat = sizes.tokens * sizes.d_model
        self.source = TokenInput(sizes.entries, sizes)
        self.encoder = nn.Sequential(*(EncoderLayer(sizes) for _ in range(sizes.layers)))
        self.score_head = nn.Sequential(
            nn.Linear(flat, sizes.score_hidden), nn.ReLU(), nn.Linear(sizes.score_hidden, 1)
        )
        self.target = TokenInput(sizes.d_model, sizes)
        self.decoder = nn.ModuleList(DecoderLayer(sizes) for _ in range(sizes.layers))
        self.tier_head = nn.Sequential(
            nn.Linear(flat, sizes.tier_hidden, bias=False),
            nn.ReLU(),
            nn.Linear(sizes.tier_hidden, sizes.n_tiers),
        )
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.xavier_uniform_(weight)

    def encode(self, tokens: Tensor) -> Tensor:
        return self.encoder(self.source(tokens))

    def score(self, encoded: Tensor) -> Tensor:
        return self.score_head(encoded.flatten(1)).squeeze(1)

    def tier_logits(self, encoded: Tensor, embeddings: Tensor) -> Tensor:
        z = self.target(embeddings)[None]
        for layer in self.decoder:
            z = layer(z, encoded)
        return self.tier_head(z.sum(1).flatten(1)) / math.sqrt(self.sizes.d_model)

    def forward(self, tokens: Tensor, embeddings: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens and tier embeddings to features (b, P, d), scores (b,) and tier logits (b, tiers)."""
        encoded = self.encode(tokens)
        return encoded, self.score(encoded), self.tier_logits(encoded, embeddings)


class TierMeans:
    """The mean encoder output of each tier so far, (tiers, P, d): zeros where a tier is still empty."""

    def __init__(self, sizes: NarSizes, device: str):
        self._sum = torch.zeros(sizes.n_tiers, sizes.tokens, sizes.d_model, device=device)
        self._count = torch.zeros(sizes.n_tiers, 1, 1, device=device)

    def add(self, encoded: Tensor, tiers: Tensor) -> None:
        self._sum.index_add_(0, tiers, encoded)
        self._count += torch.bincount(tiers, minlength=len(self._count))[:, None, None]

    def values(self) -> Tensor:
        return self._sum / self._count.clamp(min=1)


def pairwise_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean logistic loss over the ordered pairs of (n,) scores and labels; a tie of labels costs log 2."""
    n = len(scores)
    sign = (labels[:, None] - labels[None]).sign().to(scores.dtype)
    losses = F.softplus(-(scores[:, None] - scores[None]) * sign)
    return (losses.sum() - losses.diagonal().sum()) / (n * (n - 1))
