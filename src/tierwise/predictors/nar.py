"""The Neural Architecture Ranker as published: a tier classifier and a pairwise ranker over cost matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures, Archs, concatenate
from tierwise.errors import BadSetting, MissingExtra
from tierwise.predictor import Predictor, check_fitted, check_labels
from tierwise.space import Shape, Space
from tierwise.tier_statistics import PublishedSampler, TierRecords, tier_blocks

try:
    import torch
    import torch.nn.functional as F
    from torch import Tensor

    from tierwise.predictors.nar_network import NarNetwork, NarSizes, TierMeans, pairwise_loss
except ImportError as error:
    raise MissingExtra("predictor nar", "torch", "torch") from error

# The published settings for NAS-Bench-101, to be given as keywords; those for NAS-Bench-201 are the defaults.
NASBENCH101_SETTINGS: Mapping[str, Any] = MappingProxyType(
    {"flops_scale": 1e7, "params_scale": 1e5, "bins": 8, "d_model": 256, "d_k": 64, "ffn": 1024}
    | {"tier_hidden": 2048, "score_hidden": 2048, "rank_weight": 9.0, "epochs": 35, "batch": 256}
    | {"lr_factor": 0.1, "warmup": 50, "betas": (0.9, 0.982), "weight_decay": 5e-4, "validation": 1024 / 5260}
)
_RECORD_FIELDS = [f.name for f in fields(TierRecords)]


class NeuralArchitectureRanker(Predictor):
    """Scores architectures and sorts them into quality tiers, from what their operations cost.

    Guo et al., "Generalized Global Ranking-Aware Neural Architecture Ranker for Efficient Image Classifier
    Search" (2022), after the released code. The defaults are those published for NAS-Bench-201. Needs torch.

    encoding, classes, shape, flops_scale, params_scale: the tokens and the task whose costs they hold.
    n_tiers, bins: quality tiers; histogram bins of the tier records.
    d_model, heads, d_k, layers, ffn, tier_hidden, score_hidden, dropout: sizes, see `NarSizes`.
    rank_weight: weight of the pairwise ranking loss beside the tier loss.
    epochs, batch, lr_factor, warmup, betas, eps, weight_decay: of AdamW, see `learning_rate`.
    validation: share of the labels that chooses the checkpoint instead of training the network.
    device, seed: where torch works; what decides split, weights, order and dropout (on equally many threads).

    Fitted: ``network_``, ``embeddings_`` (tiers, tokens, d_model), ``records_`` (TierRecords of the kept
    epoch), ``tiers_`` (lowest training label of all but the last tier), ``validation_accuracy_`` (per epoch).

    Where the source says nothing or cannot be followed:

    * With fewer training labels than `batch` all of them are one batch (as published there would be no step).
    * Of several epochs with the same validation accuracy the first is kept.
    * ``predict_tier`` uses the embeddings that the last step of the kept epoch saw: means of true tiers, and
      zeros where an epoch has one step only (fewer labels than two batches). Published is nothing but the
      search, which starts from zeros and adds predicted tiers: ``guided_candidates``.
    """

    def __init__(
        self,
        *,
        encoding: str = "cost_tensor",
        classes: int = 10,
        shape: Shape = (3, 32, 32),
        flops_scale: float = 1.0,
        params_scale: float = 1.0,
        n_tiers: int = 5,
        bins: int = 5,
        d_model: int = 128,
        heads: int = 4,
        d_k: int = 32,
        layers: int = 6,
        ffn: int = 512,
        tier_hidden: int = 256,
        score_hidden: int = 1024,
        dropout: float = 0.1,
        rank_weight: float = 1.0,
        epochs: int = 55,
        batch: int = 128,
        lr_factor: float = 0.07,
        warmup: int = 30,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-9,
        weight_decay: float = 1e-2,
        validation: float = 256 / 1256,
        device: str = "cpu",
        seed: int = 0,
    ):
        self.encoding = encoding
        self.classes, self.shape = classes, shape
        self.flops_scale, self.params_scale = flops_scale, params_scale
        self.n_tiers, self.bins = n_tiers, bins
        self.d_model, self.heads, self.d_k, self.layers, self.ffn = d_model, heads, d_k, layers, ffn
        self.tier_hidden, self.score_hidden, self.dropout = tier_hidden, score_hidden, dropout
        self.rank_weight = rank_weight
        self.epochs, self.batch, self.lr_factor, self.warmup = epochs, batch, lr_factor, warmup
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        self.validation, self.device, self.seed = validation, device, seed

    def fit(self, archs: Archs, y: Any) -> Self:
        """Learn from (n,) labels, higher better. Raises BadSetting for fewer than two labels a tier."""
        rows, labels = check_labels(archs, y, least=2 * self.n_tiers)
        train, held = self._split(len(rows))
        with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
            torch.manual_seed(self.seed)
            self._train(self._labelled(rows[train], labels[train]), self._labelled(rows[held], labels[held]))
        blocks = tier_blocks(labels[train], self.n_tiers)
        self.tiers_ = np.array([labels[train][blocks == t].min() for t in range(self.n_tiers - 1)])
        return self

    def learning_rate(self, step: int) -> float:
        """Of step 1, 2, ...: linear warm-up, then falling with the square root of the step."""
        return self.lr_factor * self.d_model**-0.5 * min(step**-0.5, step * self.warmup**-1.5)

    def _split(self, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows for training and for the choice of the checkpoint; each has at least one row a tier."""
        held = min(max(round(self.validation * n), self.n_tiers), n - self.n_tiers)
        order = torch.randperm(n, generator=torch.Generator().manual_seed(self.seed)).numpy()
        return order[: n - held], order[n - held :]

    def _labelled(self, rows: Architectures, labels: NDArray[np.float64]) -> _Labelled:
        tiers = tier_blocks(labels, self.n_tiers)
        return _Labelled(
            rows=rows,
            costs=self._totals(rows),
            tokens=self._tokens(rows),
            labels=torch.from_numpy(labels).to(self.device),
            tiers=torch.from_numpy(tiers).to(self.device),
        )

    def _train(self, train: _Labelled, held: _Labelled) -> None:
        network = NarNetwork(self._sizes(*train.tokens.shape[1:])).to(self.device)
        settings: dict[str, Any] = {"betas": self.betas, "eps": self.eps, "weight_decay": self.weight_decay}
        optimizer = torch.optim.AdamW(network.parameters(), **settings)
        history: list[float] = []
        best: dict[str, Tensor] = {}
        for epoch in range(self.epochs):
            seen, records = self._epoch(network, optimizer, train, epoch)
            history.append(self._validate(network, held))
            if history[-1] > max(history[:-1], default=-1.0):
                best = {name: value.clone() for name, value in network.state_dict().items()}
                self.embeddings_, self.records_ = seen.cpu().numpy(), records
        network.load_state_dict(best)
        self.network_ = network.eval()
        self.validation_accuracy_ = np.array(history)

    def _epoch(
        self, network: NarNetwork, optimizer: torch.optim.Optimizer, train: _Labelled, epoch: int
    ) -> tuple[Tensor, TierRecords]:
        """One pass over the training labels: the tier embeddings that its last step saw, and the records."""
        network.train()
        means = TierMeans(network.sizes, self.device)
        seen = means.values()
        records: list[TierRecords] = []
        size = min(self.batch, len(train.rows))
        steps = len(train.rows) // size  # the last, smaller batch is dropped
        order = torch.randperm(len(train.rows))[: steps * size]
        for done, pick in enumerate(order.split(size)):
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate(epoch * steps + done + 1)
            tiers = train.tiers[pick]
            seen = means.values()
            encoded, scores, logits = network(train.tokens[pick], seen)
            rank_loss = pairwise_loss(scores, train.labels[pick])
            loss = F.cross_entropy(logits, tiers) + self.rank_weight * rank_loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            means.add(encoded.detach(), tiers)
            members = (train.rows[pick.numpy()], train.costs[pick.numpy()], tiers.cpu().numpy())
            records.append(TierRecords.of(*members, n_tiers=self.n_tiers, bins=self.bins))
        return seen, TierRecords.joined(records)

    @torch.no_grad()
    def _validate(self, network: NarNetwork, held: _Labelled) -> float:
        """Share of right tiers; as published, the true tiers of a batch make the embeddings of later ones."""
        network.eval()
        means = TierMeans(network.sizes, self.device)
        right = 0
        for tokens, tiers in zip(held.tokens.split(self.batch), held.tiers.split(self.batch), strict=True):
            encoded = network.encode(tokens)
            right += int((network.tier_logits(encoded, means.values()).argmax(1) == tiers).sum())
            means.add(encoded, tiers)
        return right / len(held.rows)

    def predict(self, archs: Archs, return_std: bool = False) -> Any:
        """(n,) scores, from encoder and score head only. Raises BadSetting for `return_std`."""
        if return_std:
            raise BadSetting("return_std", return_std, "False: this predictor gives no standard deviations")
        return self._each_batch(archs, lambda net, encoded: net.score(encoded))

    def predict_tier_proba(self, archs: Archs) -> NDArray[np.float64]:
        """(n, tiers) chances of each tier, 0 the best."""
        check_fitted(self, "network_")
        embeddings = torch.from_numpy(self.embeddings_).to(self.device)
        return self._each_batch(archs, lambda net, encoded: net.tier_logits(encoded, embeddings).softmax(1))

    def predict_tier(self, archs: Archs) -> NDArray[np.int64]:
        """(n,) most likely tier, 0 the best."""
        return self.predict_tier_proba(archs).argmax(1)

    @torch.no_grad()
    def _each_batch(self, archs: Archs, head: Callable[[NarNetwork, Tensor], Tensor]) -> NDArray[np.float64]:
        check_fitted(self, "network_")
        parts: list[Tensor] = []
        for rows in Architectures.of(archs).chunks(4_096):
            for tokens in self._tokens(rows).split(self.batch):
                parts.append(head(self.network_, self.network_.encode(tokens)).double())
        return torch.cat(parts).cpu().numpy()

    def guided_candidates(
        self,
        space: Space,
        rng: np.random.Generator,
        iterations: int = 50,
        sample: int = 128,
        k: int = 5,
        noise: float = 0.5,
        **sampler: Any,
    ) -> Iterator[Architectures]:
        """For each iteration of the published search the `k` best scored candidates of the first tier.

        Of `sample` candidates a share `noise` is drawn uniformly from the space, the rest under the shuffled
        tier records (`sampler`: settings of `PublishedSampler`), repeats and labelled ones included. The tier
        embeddings start from zeros and grow by predicted tiers. An iteration with fewer than `k` members of
        the first tier gives an empty batch. Evaluating what comes out is up to the caller.
        """
        check_fitted(self, "network_")
        guided = PublishedSampler(self.records_, **sampler)
        order = rng.permutation(len(self.records_))
        each = -(-iterations // len(order))
        means = TierMeans(self.network_.sizes, self.device)
        asked = sample - round(noise * sample)
        for iteration in range(iterations):
            drawn = guided.draw(space, int(order[iteration // each]), asked, rng, totals=self._totals)
            mixed = concatenate([drawn, space.sample(sample - len(drawn), rng)])
            candidates = mixed[rng.permutation(sample)]
            first, scores = self._first_tier(candidates, means)
            ranked = first[np.argsort(-scores[first], kind="stable")]
            yield candidates[ranked[:k] if len(ranked) >= k else ranked[:0]]

    @torch.no_grad()
    def _first_tier(self, candidates: Architectures, means: TierMeans) -> tuple[NDArray[Any], NDArray[Any]]:
        """Rows classified as the first tier, and all scores; the candidates then join the tier embeddings."""
        encoded, scores, logits = self.network_(self._tokens(candidates), means.values())
        tiers = logits.argmax(1)
        means.add(encoded, tiers)
        return np.flatnonzero(tiers.cpu().numpy() == 0), scores.cpu().numpy()

    def state(self) -> dict[str, NDArray[Any]]:
        """Weights, tier embeddings and records."""
        check_fitted(self, "network_")
        arrays = {f"network.{k}": v.cpu().numpy() for k, v in self.network_.state_dict().items()}
        arrays |= {f"records.{name}": getattr(self.records_, name) for name in _RECORD_FIELDS}
        fitted = {"embeddings": self.embeddings_, "tiers": self.tiers_}
        return arrays | fitted | {"validation_accuracy": self.validation_accuracy_}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of ``state``."""
        part = "network."
        weights = {k.removeprefix(part): torch.from_numpy(v) for k, v in state.items() if k.startswith(part)}
        tokens, entries = state["embeddings"].shape[1], weights["source.project.weight"].shape[1]
        with torch.random.fork_rng(devices=[]):  # the initial weights, soon overwritten, draw random numbers
            self.network_ = NarNetwork(self._sizes(tokens, entries)).to(self.device).eval()
        self.network_.load_state_dict(weights)
        self.records_ = TierRecords(*(state[f"records.{name}"] for name in _RECORD_FIELDS))
        self.embeddings_, self.tiers_ = state["embeddings"], state["tiers"]
        self.validation_accuracy_ = state["validation_accuracy"]

    def _sizes(self, tokens: int, entries: int) -> NarSizes:
        named = [f.name for f in fields(NarSizes)][2:]
        return NarSizes(tokens, entries, **{name: getattr(self, name) for name in named})

    def _totals(self, rows: Architectures) -> NDArray[np.int64]:
        return rows.space.totals(rows, classes=self.classes, shape=self.shape)

    def _tokens(self, rows: Architectures) -> Tensor:
        """(n, tokens, entries): every matrix of the cost tensor, flattened."""
        named = ("classes", "shape", "flops_scale", "params_scale")
        encoding = registry.make("encoding", self.encoding, **{name: getattr(self, name) for name in named})
        return torch.from_numpy(encoding.transform(rows)).flatten(2).to(self.device)


@dataclass(frozen=True, slots=True)
class _Labelled:
    """One part of the labelled set: its total costs (n, 2), tokens (n, p, e), labels and own tiers (n,)."""

    rows: Architectures
    costs: NDArray[np.int64]
    tokens: Tensor
    labels: Tensor
    tiers: Tensor
