"""Embeddings of a variational graph autoencoder that is trained once a space, without labels.

    python -m tierwise.encodings.arch2vec nasbench201

trains it anew, keeps its weights in the data folder and says how well it reconstructs cells.
"""

from __future__ import annotations

import argparse
import copy
import functools
import hashlib
import json
import logging
import os
import sys
import time
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures, Archs
from tierwise.encoding import Encoding, batch
from tierwise.errors import BadModel, BadSetting, MissingExtra, TierwiseError
from tierwise.importers.folder import benchmarks_folder
from tierwise.space import Space

try:
    import torch

    from tierwise.encodings.arch2vec_network import Check, GraphAutoencoder, embed, operation_graphs, train
except ImportError as error:
    raise MissingExtra("encoding arch2vec", "torch", "torch") from error

FORMAT = "tierwise arch2vec 1"
_MOST = 20_000  # cells that are learnt from
_ROWS = 8_192  # cells embedded together: their features take some dozens of MB
_PROBES = 64  # cells whose graphs tell one space from another
_SPACE = "__space__"

Weights = Mapping[str, NDArray[Any]]


class Arch2Vec(Encoding):
    """Sixteen latent numbers of a cell's graph, learnt without labels: (n, 16) float32.

    Operations on edges become nodes, and what neither input nor output depends on is left out. A graph isomorphism
    network gives every node a mean and a variance; a decoder reconstructs operations and links from a draw.
    The features are the mean over the nodes of their means, so the order of the nodes does not matter: isomorphic
    cells have equal rows. Identities stay operations, so cells that are equal only without them may differ.

    One training on at most 20,000 architectures of the whole space serves all that is narrowed from it. The first use
    trains, which takes up to a minute, and keeps the weights in the folder ``arch2vec`` of the data folder
    (TIERWISE_HOME), under a name that changes with the space's declaration and with these settings.

    epochs: passes over nine tenths of the distinct cells; published are 10 on NAS-Bench-201 and 8 on NAS-Bench-101.
    seed: decides sample, weights and draws.

    Fitted, if ``fit`` was called: ``weights_`` and ``space_``; without a fit ``transform`` uses the kept weights.

    Raises BadSetting for fewer than one epoch, for another space than that of the fit and for a data folder that cannot
    be written; BadModel for a damaged file of weights.

    From: Yan et al., "Does Unsupervised Architecture Representation Learning Help Neural Architecture Search?" (2020).
    As published: layers, sizes, losses and their weights, dropout, Adam. Ours: batches of 128 at a rate of 0.002
    instead of 32 at 0.001, three times as fast and no worse to rank from on NAS-Bench-201; at least 50 batches an
    epoch; operations are decoded by a softmax; nodes that are not there and links of a node with itself do not enter
    the loss; dead operations are left out.

    >>> Arch2Vec().get_params()
    {'epochs': 10, 'seed': 0}
    """

    def __init__(self, epochs: int = 10, seed: int = 0):
        self.epochs = epochs
        self.seed = seed

    def fit(self, archs: Archs, y: Any = None) -> Self:
        """Looks up the weights for the space of `archs`, or learns them from the space itself."""
        space = batch(archs).space
        self.space_ = declaration(space)
        self.weights_ = _weights(self, space)
        return self

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """The features, (n, 16)."""
        rows = batch(archs)
        fitted = hasattr(self, "weights_")
        if fitted and declaration(rows.space) != self.space_:
            raise BadSetting("space", rows.space.name, "the space that was fitted on")
        network = _network(self.weights_ if fitted else _weights(self, rows.space))
        return np.concatenate([embed(network, rows.space.graphs(part)) for part in rows.chunks(_ROWS)])

    def state(self) -> dict[str, NDArray[Any]]:
        """The fitted weights and the digest of their space, for a predictor that is saved with them."""
        return {**self.weights_, _SPACE: np.array(self.space_)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of ``state``."""
        self.space_ = str(state[_SPACE])
        self.weights_ = {name: value for name, value in state.items() if name != _SPACE}
        _network(self.weights_)  # raises KeyError or RuntimeError for what are no weights


def declaration(space: Space) -> str:
    """A digest of the choices of a space and of what they mean as graphs, whether or not it is narrowed."""
    return _declared(_whole(space))


def weights_path(encoding: Arch2Vec, space: Space) -> Path:
    """Where the weights of `encoding` for `space` are kept."""
    settings = json.dumps([FORMAT, encoding.get_params(), declaration(space)], sort_keys=True)
    digest = hashlib.sha256(settings.encode()).hexdigest()[:16]
    name = "".join(c if c.isalnum() or c in "_.-" else "_" for c in space.name)
    return benchmarks_folder().parent / "arch2vec" / f"{name}-{digest}.npz"


def learn(encoding: Arch2Vec, space: Space) -> tuple[Path, Check]:
    """Trains anew and keeps the weights: the file, and how good they are. Raises BadSetting."""
    if encoding.epochs < 1:
        raise BadSetting("epochs", encoding.epochs, "at least 1")
    path, whole = weights_path(encoding, space), _whole(space)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSetting("TIERWISE_HOME", str(path.parent), f"a folder that can be written ({error})") from error
    archs = _sample(whole, _MOST, encoding.seed)
    graphs = whole.graphs(archs)
    ops, links = operation_graphs(graphs)
    rows = np.concatenate([ops, links.reshape(len(ops), -1)], 1)
    distinct = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    distinct = distinct[ops[distinct].any(1)]
    network, check = train(ops[distinct], links[distinct], len(graphs.ops) + 1, encoding.epochs, encoding.seed)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            arrays: dict[str, Any] = {name: value.numpy() for name, value in network.state_dict().items()}
            np.savez_compressed(file, allow_pickle=False, __format__=np.array(FORMAT), **arrays)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path, check


def _whole(space: Space) -> Space:
    """The space before it was narrowed."""
    if not space.narrowed:
        return space
    whole = copy.copy(space)
    options = np.array([len(choice.options) for choice in whole.choices])
    whole.allowed = np.arange(whole.allowed.shape[1]) < options[:, None]
    return whole


def _sample(space: Space, most: int, seed: int) -> Architectures:
    """All architectures of a space, or `most` of them drawn."""
    return space.enumerate() if space.size <= most else space.sample(most, np.random.default_rng(seed))


@functools.lru_cache(maxsize=32)
def _declared(space: Space) -> str:
    probes = _sample(space, _PROBES, 0)
    graphs = space.graphs(probes)
    digest = hashlib.sha256(repr((space.name, space.choices, graphs.ops)).encode())
    for array in (probes.genes, graphs.node_op, graphs.edge_op):
        digest.update(repr(array.shape).encode() + array.tobytes())
    return digest.hexdigest()


def _weights(encoding: Arch2Vec, space: Space) -> Weights:
    """The kept weights; where there are none, they are learnt first. Raises BadModel."""
    path = weights_path(encoding, space)
    if not path.is_file():
        logging.getLogger("tierwise").warning("arch2vec learns space %s once and keeps it in %s", space.name, path)
        learn(encoding, space)
    return _read(path, path.stat().st_mtime_ns)


def _network(weights: Weights) -> GraphAutoencoder:
    with torch.device("meta"):  # without first weights, which would be drawn at random
        network = GraphAutoencoder(len(weights["operation.weight"]))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, assign=True)
    return network.eval()


@functools.lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> Weights:
    """The arrays of a file of weights, read again only after it has changed. Raises BadModel."""
    try:
        # opened here, because np.load forgets to close what turns out to be no npz file
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
        if str(arrays.pop("__format__")) != FORMAT:
            raise ValueError("of another version")
        _network(arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise BadModel(path, "weights of arch2vec that are damaged: remove the file, it is made anew") from error
    return arrays


def main(arguments: list[str] | None = None) -> None:
    """Trains on one space and writes what came of it."""
    parser = argparse.ArgumentParser("python -m tierwise.encodings.arch2vec", description="Train arch2vec on a space.")
    parser.add_argument("space", help="registered name of the space")
    parser.add_argument("--epochs", type=int, default=Arch2Vec().epochs)
    parser.add_argument("--seed", type=int, default=Arch2Vec().seed)
    given = parser.parse_args(arguments)
    started = time.perf_counter()
    path, check = learn(Arch2Vec(given.epochs, given.seed), registry.make("space", given.space))
    lines = [
        f"weights              {path}",
        f"seconds              {time.perf_counter() - started:.1f}",
        "held-out cells, decoded from their means:",
        f"  operations right   {check.operations:.2%}",
        f"  node pairs right   {check.links:.2%}",
        f"  links found        {check.links_found:.2%}",
        "cells decoded from random latents:",
        f"  valid              {check.valid:.2%}",
        f"  unique among them  {check.unique:.2%}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    try:
        main()
    except TierwiseError as error:
        sys.exit(str(error))
