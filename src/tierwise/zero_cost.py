"""Zero-cost proxies: numbers that foretell how good a network gets, measured on it before any training."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tierwise import registry
from tierwise.architecture import Architecture, Architectures, Archs
from tierwise.distinct_networks import distinct
from tierwise.encoding import Encoding, batch
from tierwise.errors import BadSetting, MissingExtra
from tierwise.proxy_sample import Sample
from tierwise.space import Shape, Space

try:
    from tierwise.networks.passes import Passes, reproducible
except ImportError as error:
    raise MissingExtra("zero-cost proxies", "torch", "torch") from error

if TYPE_CHECKING:
    from torch import nn

WORST = -1e8  # the score of what has none, as NAS-Bench-Suite-Zero writes it
AZ_NAS = ("az_expressivity", "az_progressivity", "az_trainability")
Scores = dict[str, NDArray[np.float64]]
Score = Callable[[Passes], float]


class Proxy(Encoding):
    """One number for each architecture, (n, 1), measured on its untrained network: higher is better.

    images: (n, channels, height, width), scaled as for training, or None for standard normal ones of `shape`; equal for
    all architectures, as are the labels. labels: (n,) from 0, None for random ones. batch: images that one pass reads;
    of `images` the first ones. classes: outputs of the network. seed: of images, labels and weights; a network has
    weights of its own, the same in every batch.

    Each network is measured once, whichever of its equal architectures is asked for (``distinct_networks``), and
    remembered while the process lasts. What has no score, such as a network whose output does not depend on the image,
    gets -1e8, less than everything else.

    A subclass gives ``name``, under which it is registered, and ``score``.
    Raises BadSetting for a space that builds no networks and for images or labels that do not fit, MissingExtra.
    """

    name: ClassVar[str]
    batches: ClassVar[int] = 1  # how many it reads

    def __init__(
        self,
        images: NDArray[Any] | None = None,
        labels: NDArray[Any] | None = None,
        batch: int = 32,
        seed: int = 0,
        classes: int = 10,
        shape: Shape = (3, 32, 32),
    ):
        self.images = images
        self.labels = labels
        self.batch = batch
        self.seed = seed
        self.classes = classes
        self.shape = shape

    @staticmethod
    @abstractmethod
    def score(passes: Passes) -> float:
        """The proxy of one network; NaN or an infinity where it has none."""

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """(n, 1)"""
        settings = {name: getattr(self, name) for name in ("images", "labels", "batch", "seed", "classes", "shape")}
        sample = Sample.of(**settings, batches=self.batches)
        return _remembered(batch(archs), {self.name: self.score}, sample)[self.name].astype(np.float32)[:, None]

    def feature_names(self, space: Space) -> list[str]:
        """The name of the proxy."""
        return [self.name]


def proxies(
    space: Space,
    archs: Archs,
    names: Sequence[str],
    *,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Scores:
    """Name -> (n,) proxies of architectures, all those of a network from one building and from shared passes.

    names: of installed proxies, and ``"az_nas"``, which ranks these architectures among each other. settings: those of
    ``Proxy``. progress: told (networks done, networks in all). Raises as ``Proxy`` does, and UnknownName.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> cells = NASBench201()
    >>> found = proxies(cells, cells.at([0, 6111]), ["synflow", "naswot"], batch=4, shape=(3, 8, 8))
    >>> found["synflow"][1] > found["synflow"][0]
    np.True_
    """
    asked = dict.fromkeys((*(name for name in names if name != "az_nas"), *(AZ_NAS if "az_nas" in names else ())))
    kinds = {name: find(name) for name in asked}
    sample = Sample.of(**settings, batches=max((kind.batches for kind in kinds.values()), default=1))
    rows = Architectures.of(archs, space)
    found = _remembered(rows, {name: kind.score for name, kind in kinds.items()}, sample, progress)
    if "az_nas" in names:
        flops = space.origin.totals(distinct(rows), classes=sample.classes, shape=sample.images.shape[1:])[:, 0]
        found["az_nas"] = az_nas(*(found[name] for name in AZ_NAS), flops)
    return {name: found[name] for name in names}


def measure(networks: Iterable[nn.Module], names: Sequence[str], **settings: Any) -> Scores:
    """Name -> (n,) proxies of PyTorch networks, from images to scores, with the weights that they have.

    settings: those of ``Proxy``; the shape of the images and the number of classes must suit the networks. These are
    left in training mode, and their batch norms have seen the images.
    """
    kinds = {name: find(name) for name in names}
    sample = Sample.of(**settings, batches=max((kind.batches for kind in kinds.values()), default=1))
    scores = {name: kind.score for name, kind in kinds.items()}
    found = [_scored(network, scores, sample, sample.seed) for network in networks]
    return {name: np.array([each[name] for each in found], dtype=np.float64) for name in names}


def find(name: str) -> type[Proxy]:
    """The proxy of this name. Raises UnknownName, BadSetting for an encoding that is none."""
    kind = registry.find("encoding", name)
    if not issubclass(kind, Proxy):
        raise BadSetting("proxy", name, ", ".join((*installed(), "az_nas")))
    return kind


@functools.cache
def installed() -> tuple[str, ...]:
    """The names of all installed proxies."""
    points = registry.installed("encoding")
    return tuple(name for name in points if issubclass(registry.find("encoding", name), Proxy))


def az_nas(*columns: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) the sum of log(rank / n) over columns (n,), the best of each at rank n: one bad rank weighs heavily.

    Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search" (2024), with expressivity,
    progressivity, trainability and FLOPs as columns. It ranks candidates among each other, so it is no encoding.
    """
    return np.sum([np.log(rankdata(column) / len(column)) for column in columns], axis=0)


@functools.lru_cache(maxsize=64)
def _memory(space: Space, digest: str) -> dict[tuple[str, Architecture], float]:
    """Scores of a space and a sample, by proxy and architecture."""
    return {}


def _remembered(
    archs: Architectures,
    scores: Mapping[str, Score],
    sample: Sample,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Name -> (n,); what is not known is measured."""
    rows = distinct(archs)
    _, first, back = np.unique(rows.keys(), return_index=True, return_inverse=True)
    known = _memory(rows.space, sample.digest)
    keys = rows.space.canonical(rows[first]).tolist()
    for done, (arch, key) in enumerate(zip(rows[first], keys, strict=True), start=1):
        new = {name: score for name, score in scores.items() if (name, arch) not in known}
        if new:
            seed = int(np.random.SeedSequence([sample.seed, key]).generate_state(1, np.uint32)[0])
            with reproducible(seed):
                network = rows.space.build(arch, classes=sample.classes, shape=sample.images.shape[1:])
            known.update({(name, arch): score for name, score in _scored(network, new, sample, seed).items()})
        if progress:
            progress(done, len(first))
    columns = {name: [known[name, arch] for arch in rows[first]] for name in scores}
    return {name: np.array(column, dtype=np.float64)[back.ravel()] for name, column in columns.items()}


def _scored(network: nn.Module, scores: Mapping[str, Score], sample: Sample, seed: int) -> dict[str, float]:
    """The proxies of one network from shared passes."""
    with reproducible(seed), np.errstate(all="ignore"):
        passes = Passes(network, sample.images, sample.labels, sample.batch, seed)
        found = {name: score(passes) for name, score in scores.items()}
    return {name: value if np.isfinite(value) else WORST for name, value in found.items()}
