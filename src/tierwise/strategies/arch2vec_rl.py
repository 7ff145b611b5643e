"""A policy learnt by reinforcement that walks through arch2vec's embedding.

Yan et al., "Does Unsupervised Architecture Representation Learning Help Neural Architecture Search?" (2020).
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures, concatenate
from tierwise.candidates import FEWEST, candidates, random_proposals
from tierwise.errors import BadSetting, MissingExtra
from tierwise.history import LARGEST_SWEEP, History, Proposal
from tierwise.space import Space

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:
    raise MissingExtra("strategy arch2vec-rl", "torch", "torch") from error

_LATENT, _HIDDEN = 16, 128
_DEEP = 100  # episodes that are replayed by one recursion

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Arch2VecRL:
    """A recurrent policy names a point of the embedding; the nearest architecture that is not known is proposed.

    episode: trials between two steps of the policy's weights; as many random labels come first.
    learning_rate: of Adam. pretraining_epochs: of the registered encoding `arch2vec`, which learns a space once,
    without labels. draws: candidates in a space too large to be embedded as a whole.

    As published: the embedding; an LSTM from 16 over 128 to 16 numbers, the mean of a normal distribution of unit
    variance, from which the point is drawn; distances in L2; REINFORCE in episodes of 16, Adam at a rate of 0.01.
    Ours: the reward is the result less the mean of all results so far, in units of their spread (published: accuracy
    less 0.95, which nobody knows beforehand); random trials, those of other strategies too, teach as if their own
    embedding had been drawn; failed trials teach nothing; in a large space the candidates are half uniform, half
    mutants of the best. The policy is learnt from the history alone, trial by trial in the order of their ids.
    Yan et al., "Does Unsupervised Architecture Representation Learning Help Neural Architecture Search?" (2020).
    """

    episode: int = 16
    learning_rate: float = 0.01
    pretraining_epochs: int = 10
    draws: int = 20_000

    def __post_init__(self) -> None:
        if self.episode < FEWEST:
            raise BadSetting("episode", self.episode, f"{FEWEST} or more")
        if not 0 < self.learning_rate < 1:
            raise BadSetting("learning_rate", self.learning_rate, "more than 0 and less than 1")
        if self.pretraining_epochs < 1 or self.draws < 2:
            given = (self.pretraining_epochs, self.draws)
            raise BadSetting("pretraining_epochs and draws", given, "1 or more, and 2 or more")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Random proposals until there is an episode, then the neighbours of the points that the policy draws."""
        if len(history) < self.episode or len(history.done) < FEWEST:
            wanted = min(n, max(self.episode - len(history), 1))
            return random_proposals("arch2vec-rl", history, wanted, rng)
        pool = candidates(history.space, history, self.draws, rng)
        fresh = np.flatnonzero(history.fresh(pool))
        if not len(fresh):
            return random_proposals("arch2vec-rl", history, n, rng)
        epochs, listed = self.pretraining_epochs, history.space.size <= LARGEST_SWEEP
        points = _whole(history.space, epochs)[fresh] if listed else _embedded(pool[fresh], epochs)
        walk = self._walk(history)
        proposals = list[Proposal]()
        while len(proposals) < min(n, len(fresh)):
            drawn = walk.draw(rng)
            distance = np.linalg.norm(points - drawn, axis=1)
            row = int(distance.argmin())
            why = {
                "strategy": "arch2vec-rl",
                "step": f"after {walk.episodes} episodes",
                "distance": round(float(distance[row]), 4),
                "latent": [round(float(x), 4) for x in drawn],
            }
            proposals.append(Proposal(pool[int(fresh[row])], why))
            walk.visit(points[row])
            points[row] = np.inf  # taken
        return proposals

    def _walk(self, history: History) -> _Walk:
        """Where the policy stands: it has learnt from every full episode, and has gone through the trials after it."""
        done, running = history.done, history.running
        points = _embedded(concatenate([done.archs, running.archs]), self.pretraining_epochs)
        seen = np.concatenate([np.zeros((1, _LATENT), np.float32), points])  # before each trial
        drawn = points[: len(done)].copy()
        for row in range(len(done)):
            why = done.why(row)
            if why.get("strategy") == "arch2vec-rl" and "latent" in why:
                drawn[row] = why["latent"]
        episodes = list[_Episode]()
        for end in range(self.episode, len(done) + 1, self.episode):
            part, so_far = slice(end - self.episode, end), done.y[:end]
            reward = (done.y[part] - so_far.mean()) / max(float(so_far.std()), 1e-12)
            episodes.append(_Episode(seen[part], drawn[part], reward.astype(np.float32)))
        start = (history.seed, self.learning_rate)
        for end in range(_DEEP, len(episodes), _DEEP):
            _learnt(start, tuple(episodes[:end]))
        walk = _Walk(_learnt(start, tuple(episodes))[0], self.episode, len(episodes))
        for position in range(len(points) // self.episode * self.episode, len(points)):
            walk.go(seen[position], position)
        walk.last, walk.position = seen[-1], len(points)
        return walk


class _Policy(nn.Module):
    """Means of the points to draw, one after each point that was seen."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.LSTM(_LATENT, _HIDDEN), nn.Linear(_HIDDEN, _LATENT)

    def forward(self, seen: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        """(t, 16) to (t, 16), and the memory of the LSTM."""
        hidden, memory = self.cell(seen, memory)
        return self.head(hidden), memory


class _Walk:
    """A policy on its way through one ask; its memory starts anew with each episode."""

    def __init__(self, policy: _Policy, episode: int, episodes: int):
        self.policy, self.length, self.episodes = policy, episode, episodes
        self.memory: Any = None
        self.last, self.position = np.zeros(_LATENT, np.float32), 0

    @torch.no_grad()
    def go(self, seen: Points, position: int) -> Points:
        """The mean after one more point."""
        memory = self.memory if position % self.length else None
        mean, self.memory = self.policy(torch.from_numpy(seen[None]), memory)
        return mean[0].numpy()

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """A point around the mean."""
        return self.go(self.last, self.position) + rng.standard_normal(_LATENT)

    def visit(self, point: Points) -> None:
        """That is the next point that the policy sees."""
        self.last, self.position = point.copy(), self.position + 1


class _Episode:
    """What was seen before each trial (t, 16), drawn for it (t, 16) and its reward (t), as a value for a cache."""

    def __init__(self, seen: Points, drawn: Points, reward: Points):
        self.arrays = seen, drawn, reward
        self._bytes = b"".join(array.tobytes() for array in self.arrays)
        self._hash = hash(self._bytes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Episode) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return self._hash


@functools.lru_cache(maxsize=16)
def _learnt(start: tuple[int, float], episodes: tuple[_Episode, ...]) -> tuple[_Policy, torch.optim.Optimizer]:
    """The policy after these episodes, and its optimiser; the last step starts from what is remembered of the others.

    start: seed and learning rate.
    """
    if not episodes:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(start[0])
            policy = _Policy()
        return policy, torch.optim.Adam(policy.parameters(), lr=start[1])
    policy, optimizer = copy.deepcopy(_learnt(start, episodes[:-1]))
    seen, drawn, reward = (torch.from_numpy(array) for array in episodes[-1].arrays)
    loss = reinforce_loss(policy(seen)[0], drawn, reward)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return policy, optimizer


def reinforce_loss(mean: Tensor, drawn: Tensor, reward: Tensor) -> Tensor:
    """Less the mean of reward times log density of what was drawn, up to a constant; the variance is one."""
    return (reward * ((drawn - mean) ** 2).sum(1) / 2).mean()


def _embedded(archs: Architectures, epochs: int) -> Points:
    return cast(Points, registry.make("encoding", "arch2vec", epochs=epochs).transform(archs))


@functools.lru_cache(maxsize=2)
def _whole(space: Space, epochs: int) -> Points:
    """The embedding of every architecture of a space; a second training would give the same."""
    return _embedded(space.enumerate(), epochs)
