"""The default predictor: a Neural Architecture Ranker mended for few labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tierwise.architecture import Architectures, Archs
from tierwise.errors import BadSetting, MissingExtra
from tierwise.predictor import Predictor, check_fitted, check_labels
from tierwise.predictors.encoded import Encodings, made, with_texts
from tierwise.tier_statistics import tier_blocks

try:
    import torch
    from torch import Tensor

    from tierwise.networks.threads import threads
    from tierwise.predictors.tier_network import TierNetwork, TierSizes, ranking_loss, tier_loss, tier_means
except ImportError as error:
    raise MissingExtra("predictor tier", "torch", "torch") from error

_ROWS = 8_192  # encoded at a time: the features of all members stay within a few dozen MB
_FITTED = ("embeddings", "tiers", "centre", "scale", "score_mean", "score_std")


class Tier(Predictor):
    """Scores architectures and sorts them into quality tiers, 0 the best, from a few dozen labels on.

    After Guo et al., "Generalized Global Ranking-Aware Neural Architecture Ranker for Efficient Image
    Classifier Search" (2022): an encoder whose feature is scored (pairwise ranking loss) and matched with the
    mean feature of every quality tier (cross-entropy). What is different (ours, measured on NAS-Bench-201):

    * The encoder sees counts over live paths, equal for equal networks, instead of cost matrices.
    * Each tier's logit comes from its own embedding, so the matching knows which tier is which.
    * Tier embeddings are the mean features of all labelled members, without noise, after training.
    * A small network, several of it trained side by side in one program: the mean scores, the spread is the
      standard deviation. Noise on the inputs stands in for dropout; no label is held back.
    * Scoring runs the encoder alone, so a whole space can be ranked.

    encodings: registered encodings by name, or encoding objects, that the encoder sees side by side.
    n_tiers: quality tiers; fewer if there are less than two labels a tier.
    members, width, layers: networks in the ensemble, and their size.
    steps, epochs, batch: optimiser steps, more if `epochs` passes over the labels need more; rows in each step.
    learning_rate, weight_decay: of AdamW; the rate rises and falls once.
    noise: on the inputs, in their standard deviations. tier_weight: of the tier loss; the ranking loss has 1.
    seed: decides weights, batches and noise.

    Fitted: ``network_``, ``embeddings_`` (members, tiers, width), ``tiers_`` (lowest label of every tier but one).

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> archs = NASBench201().at(range(40))
    >>> Tier(steps=20).fit(archs, (archs.genes == 3).sum(1)).predict(archs).shape
    (40,)
    """

    gives_std = True

    def __init__(
        self,
        *,
        encodings: Encodings = ("paths",),
        n_tiers: int = 5,
        members: int = 8,
        width: int = 64,
        layers: int = 2,
        steps: int = 200,
        epochs: int = 25,
        batch: int = 256,
        learning_rate: float = 0.02,
        weight_decay: float = 0.01,
        noise: float = 0.1,
        tier_weight: float = 0.3,
        seed: int = 0,
    ):
        self.encodings = encodings
        self.n_tiers = n_tiers
        self.members, self.width, self.layers = members, width, layers
        self.steps, self.epochs, self.batch = steps, epochs, batch
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.noise, self.tier_weight = noise, tier_weight
        self.seed = seed

    def fit(self, archs: Archs, y: Any) -> Self:
        """Learn from (n,) labels, higher better, n at least 4."""
        rows, labels = check_labels(archs, y)
        self._check_settings()
        blocks = tier_blocks(labels, min(self.n_tiers, len(rows) // 2))
        self.tiers_ = np.array([labels[blocks == t].min() for t in range(blocks.max())])
        encoded = self._encode(rows)
        self.centre_ = np.concatenate([part.mean(0) for part in encoded])
        # one scale an encoding: rare counts stay small, and FLOPs do not drown counts
        spreads = [float(np.sqrt(part.var(0).mean())) or 1.0 for part in encoded]
        self.scale_ = np.repeat(np.array(spreads, dtype=np.float32), [part.shape[1] for part in encoded])
        order = rankdata(labels, method="dense")  # only the order of the labels counts
        self._train(self._inputs(rows), torch.from_numpy(order).float(), torch.from_numpy(blocks))
        return self

    def _check_settings(self) -> None:
        least = {"n_tiers": 1, "members": 1, "width": 2, "layers": 1, "steps": 1, "batch": 1}
        for name, least_value in least.items():
            if getattr(self, name) < least_value:
                raise BadSetting(name, getattr(self, name), f"at least {least_value}")

    def _encode(self, rows: Architectures) -> list[NDArray[np.float32]]:
        """One (n, d) matrix an encoding."""
        parts = [made(encoding).transform(rows) for encoding in self.encodings]
        return [part.reshape(len(rows), int(np.prod(part.shape[1:]))) for part in parts]

    def _inputs(self, rows: Architectures) -> Tensor:
        """(members, n, d) what the encoder sees, equal for all members."""
        x = torch.from_numpy((np.concatenate(self._encode(rows), 1) - self.centre_) / self.scale_)
        return x.expand(self.members, -1, -1)

    @threads()
    def _train(self, x: Tensor, order: Tensor, tiers: Tensor) -> None:
        generator = torch.Generator().manual_seed(self.seed)
        n_tiers = len(self.tiers_) + 1
        network = TierNetwork(self._sizes(x.shape[2], n_tiers), generator)
        optimizer = torch.optim.AdamW(network.parameters(), weight_decay=self.weight_decay)
        steps = max(self.steps, math.ceil(self.epochs * len(order) / self.batch))
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * one_cycle((step + 0.5) / steps)
            pick = self._pick(len(order), generator)
            seen = x.gather(1, pick[:, :, None].expand(-1, -1, x.shape[2]))
            features = network.encode(seen + self.noise * torch.randn(seen.shape, generator=generator))
            embeddings = tier_means(features.detach(), tiers[pick], n_tiers)
            loss = ranking_loss(network.score(features), order[pick])
            loss = loss + self.tier_weight * tier_loss(network.tier_logits(features, embeddings), tiers[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.network_ = network.eval()
        self._summarise(x, tiers.expand(self.members, -1), n_tiers)

    def _pick(self, n: int, generator: torch.Generator) -> Tensor:
        """(members, rows) of a step: all of them, or each member its own sample."""
        if n <= self.batch:
            return torch.arange(n).expand(self.members, -1)
        return torch.rand(self.members, n, generator=generator).argsort(1)[:, : self.batch]

    @torch.no_grad()
    def _summarise(self, x: Tensor, tiers: Tensor, n_tiers: int) -> None:
        """What the trained networks say of the labelled rows: tier embeddings, and each member's range of scores."""
        features = self.network_.encode(x)
        self.embeddings_ = tier_means(features, tiers, n_tiers).numpy()
        scores = self.network_.score(features)
        self.score_mean_ = scores.mean(1).numpy()
        spread = scores.std(1)
        self.score_std_ = torch.where(spread > 1e-6, spread, 1.0).numpy()

    def predict(self, archs: Archs, return_std: bool = False) -> Any:
        """(n,) scores, from the encoder and the score head only; their unit is the spread over the labelled rows.

        With `return_std` also (n,) standard deviations over the members.
        """
        raw = self._each_part(archs, lambda network, features: network.score(features))
        scores = (raw - self.score_mean_[:, None]) / self.score_std_[:, None]
        return (scores.mean(0), scores.std(0)) if return_std else scores.mean(0)

    def predict_tier_proba(self, archs: Archs) -> NDArray[np.float64]:
        """(n, tiers) chances of each tier, 0 the best: the mean over the members."""
        check_fitted(self, "network_")
        embeddings = torch.from_numpy(self.embeddings_)
        return self._each_part(
            archs, lambda network, features: network.tier_logits(features, embeddings).softmax(2)
        ).mean(0)

    def predict_tier(self, archs: Archs) -> NDArray[np.int64]:
        """(n,) most likely tier, 0 the best."""
        return self.predict_tier_proba(archs).argmax(1)

    @threads()
    @torch.no_grad()
    def _each_part(self, archs: Archs, head: Callable[[TierNetwork, Tensor], Tensor]) -> NDArray[np.float64]:
        """(members, n, ...) what the head says."""
        check_fitted(self, "network_")
        rows = Architectures.of(archs)
        parts = [rows[:0], *rows.chunks(_ROWS)]
        return (
            torch.cat([head(self.network_, self.network_.encode(self._inputs(part))) for part in parts], 1)
            .double()
            .numpy()
        )

    def save(self, path: str | Path) -> None:
        """As every predictor does. Raises BadSetting for encodings that no text can stand for."""
        Predictor.save(with_texts(self, "encodings"), path)

    def state(self) -> dict[str, NDArray[Any]]:
        """Weights, tier embeddings and scales."""
        check_fitted(self, "network_")
        weights = {f"network.{name}": value.numpy() for name, value in self.network_.state_dict().items()}
        return weights | {name: getattr(self, f"{name}_") for name in _FITTED}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of ``state``."""
        part = "network."
        weights = {k.removeprefix(part): torch.from_numpy(v) for k, v in state.items() if k.startswith(part)}
        for name in _FITTED:
            setattr(self, f"{name}_", state[name])
        self.network_ = TierNetwork(
            self._sizes(len(state["centre"]), len(state["tiers"]) + 1), torch.Generator()
        ).eval()
        self.network_.load_state_dict(weights)

    def _sizes(self, inputs: int, tiers: int) -> TierSizes:
        return TierSizes(self.members, inputs, tiers, self.width, self.layers)


def one_cycle(share: float) -> float:
    """Learning rate after this share of the steps: up to 1 over the first fifth, then down to 0 as a cosine."""
    return share / 0.2 if share < 0.2 else 0.5 + 0.5 * math.cos(math.pi * (share - 0.2) / 0.8)
