"""Hierarchical spaces: the terms that a context-free grammar derives.

Schrodi et al., "Construction of Hierarchical Neural Architecture Search Spaces based on Context-free Grammars" (2023).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Genes, Graphs
from tierwise.errors import BadArchitecture, BadSetting, TooLarge
from tierwise.space import LARGEST_LIST, Shape, Space
from tierwise.spaces import grammar_moves
from tierwise.spaces.building import Operations, naming
from tierwise.spaces.grammar_connected import connected as open_productions
from tierwise.spaces.grammar_costs import totals
from tierwise.spaces.grammar_counts import Counts, drawn
from tierwise.spaces.grammar_derivations import derivation, written
from tierwise.spaces.grammar_graphs import Folded
from tierwise.spaces.grammar_keys import keys, labels
from tierwise.spaces.grammar_network import HALVING, IDENTITIES, TermNetwork
from tierwise.spaces.grammar_places import Picks, places
from tierwise.spaces.grammar_rules import read_rules
from tierwise.spaces.grammar_terms import Term, distance, read_term
from tierwise.spaces.grammar_topologies import Wiring, checked_wiring

if TYPE_CHECKING:
    from torch import nn

_CELLS = 2**23  # places of all rows, looked at together
_MOST_DIGITS = 4_000  # of the size, which is printed


class Grammar(Space):
    """Terms that are derived from `start`: series, branches and cells of terms, down to operations by name.

    productions: symbol -> terms as text; a term that is written twice is one architecture, but twice as likely in
    ``derive`` and ``mutate``. Names without a small letter must be symbols, others without arguments are operations.
    Names with arguments are topologies: ``series``, ``residual``, ``branch``, ``cell``, and those of one's own.
    shared: symbols whose every use stands for one and the same sub-term, so that the network is regular.
    depth: how deep recursive symbols may be nested in each other.
    connected: leave out terms of which some part is cut by ``zero``, see `grammar_connected`.
    topologies: name -> edges (source, target), each of which carries one argument; node 0 is the input.
    operations: others than those of the vocabulary, ``make(c_in, c_out, stride)`` gives a module.
    channels: behind the stem. halving: operations of stride 2 that double the channels.
    shape: of an input for which costs are counted, by default that which is asked about.

    Genes: the production of each place where a symbol with several may stand, -1 where a term does not come by.
    ``CELL/3`` is the third such place of CELL from the left. A place is found by the way to it, and the k-th use of a
    symbol in one production is the k-th use in any other; so a gene means the same whatever others are, and narrowing
    is exact. Every term has one row, because ambiguous grammars are refused.

    Raises BadSetting, UnknownName for a grammar that is no such thing, naming the production.

    >>> nets = Grammar("nets", "NET", {"NET": "series(OP, OP)", "OP": "conv3x3 | branch(conv3x3, id) | id"})
    >>> nets.size, nets.format(nets.at([3]))
    (9, ['series(branch(conv3x3, id), conv3x3)'])
    """

    free = False

    def __init__(
        self,
        name: str,
        start: str,
        productions: Mapping[str, Sequence[str] | str],
        *,
        shared: Sequence[str] = (),
        depth: int | None = None,
        connected: bool = False,
        topologies: Mapping[str, Sequence[tuple[int, int]]] | None = None,
        operations: Operations | None = None,
        channels: int = 16,
        halving: Sequence[str] = HALVING,
        shape: Shape | None = None,
    ):
        own: dict[str, Wiring] = {key: checked_wiring(key, edges) for key, edges in (topologies or {}).items()}
        self.rules = read_rules(name, start, productions, shared=shared, depth=depth, topologies=own)
        if connected:
            start, productions = open_productions(self.rules)
            self.rules = read_rules(name, start, productions, shared=shared, depth=depth, topologies=own)
        self.places = places(self.rules)
        super().__init__(name, self.places.choices)
        self.network = TermNetwork(name, channels, tuple(halving), operations or {}, own, shape)
        leaves = {leaf for each in self.rules.productions.values() for option in each for leaf in option.term.leaves()}
        self.identity_op = next((op for op in IDENTITIES if op in leaves and op not in self.network.operations), "")
        if self.size >= 10**_MOST_DIGITS:
            raise BadSetting(f"size of {name}", "over 10^4000 terms", "fewer; a smaller depth, or shared symbols")

    # ---- how many, and which -------------------------------------------------------------------------------

    @property
    def counts(self) -> Counts:
        """What is counted under the options that narrowing has left."""
        if "counts" not in self._cache:
            self._cache["counts"] = Counts(self.places, self._allowed_places())
        return self._cache["counts"]

    def _allowed_places(self) -> NDArray[np.bool_]:
        """(p, options); a place without a gene has its one option."""
        allowed = np.zeros((len(self.places.end), self.allowed.shape[1]), dtype=np.bool_)
        allowed[:, 0] = True
        allowed[self.places.genes] = self.allowed
        return allowed

    @property
    def size(self) -> int:
        """The exact number of different terms."""
        return self.counts.total

    @property
    def derivations(self) -> int:
        """The exact number of derivations, in which a production counts as often as it is written."""
        return Counts(self.places, self._allowed_places(), weighted=True).total

    def __repr__(self) -> str:
        size = f"{self.size:,}" if self.size < 10**15 else f"about 10^{math.log10(self.size):.1f}"
        return f"<space {self.name}: {size} architectures{', narrowed' if self.narrowed else ''}>"

    def sample(self, n: int, rng: np.random.Generator) -> Architectures:
        """`n` terms, each equally likely, with replacement."""
        return self._in_parts(n, lambda rows: drawn(self.counts.uniform, len(rows), rng))

    def derive(self, n: int, rng: np.random.Generator) -> Architectures:
        """`n` terms, derived from the start with each production as likely as it is often written."""
        return self._in_parts(n, lambda rows: drawn(self.counts.by_rule, len(rows), rng))

    def enumerate(self) -> Architectures:
        """Every term, in the order of ``index``. Raises TooLarge above ten million."""
        if self.size > LARGEST_LIST:
            raise TooLarge(self.name, self.size, LARGEST_LIST)
        if "all" not in self._cache:
            self._cache["all"] = self.at(np.arange(self.size))
        return self._cache["all"]

    def at(self, index: NDArray[np.integer[Any]] | Sequence[int]) -> Architectures:
        """The terms with these numbers. Raises TooLarge where numbers pass 64 bits, IndexError beyond the last."""
        self._check_ranks()
        rank = np.asarray(index, dtype=np.int64)
        rank = np.where(rank < 0, rank + self.size, rank)
        if ((rank < 0) | (rank >= self.size)).any():
            raise IndexError(f"{self!r} has no such number among {index!r}")
        return self._in_parts(len(rank), lambda rows: self.counts.of_rank(rank[rows]))

    def index(self, archs: Architectures) -> NDArray[np.int64]:
        """(n,) the number of each, -1 outside. Raises TooLarge where numbers pass 64 bits."""
        self._check_ranks()
        inside = np.flatnonzero(self.contains(archs))
        found = np.full(len(archs), -1)
        for rows in self._parts(len(inside)):
            found[inside[rows]] = self.counts.rank(self.places.picks(archs.genes[inside[rows]]))
        return found

    def _check_ranks(self) -> None:
        if self.size >= 2**63:
            raise TooLarge(self.name, self.size, 2**63 - 1)

    def contains(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n,) whether each row is in this perhaps narrowed space."""
        inside = self._well_formed(archs.genes)
        kept = self.allowed[np.arange(len(self.choices)), np.clip(archs.genes, 0, self.allowed.shape[1] - 1)]
        return inside & (kept | (archs.genes < 0)).all(1)

    def _well_formed(self, genes: Genes) -> NDArray[np.bool_]:
        """(n,) whether genes are options, and there just where the term comes by."""
        counts = np.array([len(choice.options) for choice in self.choices])
        right = np.all((genes >= -1) & (genes < counts), axis=1)
        for rows in self._parts(len(genes)):
            known = rows[right[rows]]
            used = self.places.used(self.places.picks(genes[known]))[:, self.places.genes]
            right[known] = np.all(used == (genes[known] >= 0), axis=1)
        return right

    def check(self, archs: Architectures, texts: Sequence[str] | None = None) -> None:
        """Raises BadArchitecture for the first row that is no term of the whole space."""
        wrong = np.flatnonzero(~self._well_formed(archs.genes))
        if len(wrong):
            row = int(wrong[0])
            reason = f"no term of {self.name}: each choice that the others come by has an option, the rest have _"
            raise BadArchitecture(texts[row] if texts else str(archs[row]), reason)

    def _parts(self, n: int, wider: int = 1) -> list[NDArray[np.int64]]:
        """The numbers of so many rows in parts; wider: how much memory a place takes."""
        step = max(1, _CELLS // len(self.places.end) // wider)
        return [np.arange(start, min(start + step, n)) for start in range(0, n, step)]

    def _in_parts(self, n: int, make: Callable[[NDArray[np.int64]], Picks]) -> Architectures:
        rows = [self.places.rows(make(part)) for part in self._parts(n)]
        return Architectures(self, np.concatenate([np.zeros((0, len(self.choices)), np.int16), *rows]))

    # ---- moves -------------------------------------------------------------------------------------------------

    def mutate(self, archs: Architectures, rng: np.random.Generator, genes: int = 1) -> Architectures:
        """One child a row: `genes` times a random sub-term is derived anew, see `grammar_moves.derived_anew`."""

        def child(rows: NDArray[np.int64]) -> Picks:
            picks = self.places.picks(archs.genes[rows])
            for _ in range(genes):
                picks = grammar_moves.derived_anew(self.counts, picks, rng)
            return picks

        return self._in_parts(len(archs), child)

    def cross(self, a: Architectures, b: Architectures, rng: np.random.Generator) -> Architectures:
        """One child a row pair: the first with a sub-term of the second, see `grammar_moves.exchanged`."""

        def child(rows: NDArray[np.int64]) -> Picks:
            pair = self.places.picks(a.genes[rows]), self.places.picks(b.genes[rows])
            return grammar_moves.exchanged(self.counts, *pair, rng)

        children = self._in_parts(len(a), child)
        outside = ~self.contains(children)  # narrowing may have left other options at the other place
        return Architectures(self, np.where(outside[:, None], a.genes, children.genes))

    def neighbours(self, archs: Architectures) -> tuple[Architectures, NDArray[np.int64]]:
        """Every term with another production at one place, see `grammar_moves.one_production`; the parent of each."""
        found = [(Architectures(self, archs.genes[:0]), np.zeros(0, np.int64))]
        for row in range(len(archs)):
            children, _ = grammar_moves.one_production(self.counts, self.places.picks(archs.genes[row : row + 1]))
            inside = Architectures(self, self.places.rows(children))
            inside = inside[self.contains(inside)]
            found.append((inside, np.full(len(inside), row)))
        children, parents = zip(*found, strict=True)
        return Architectures(self, np.concatenate([each.genes for each in children])), np.concatenate(parents)

    # ---- keys, graphs, networks, text --------------------------------------------------------------------------

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) keys of terms, see `grammar_keys.keys`: series in series, identities in them, the order of branches."""
        alike = self.identity_op
        found = [keys(self.places, self.places.picks(archs.genes[rows]), alike) for rows in self._parts(len(archs))]
        return np.concatenate([np.zeros(0, np.uint64), *found])

    def term_labels(self, archs: Architectures, depth: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """(n, p) labels of the sub-term below each place down to so many productions, 0 where a term does not come by;
        and the (p,) level of each place.
        """
        return labels(self.places, self.places.picks(archs.genes), depth), self.places.level

    def graphs(self, archs: Architectures) -> Graphs:
        """Operations on nodes, sub-terms below a level folded into one node, see `Folded`."""
        if "folded" not in self._cache:
            self._cache["folded"] = Folded.of(self.places, self.rules)
        node_op, edge_op = self._cache["folded"](self.places.picks(archs.genes))
        return Graphs(node_op, edge_op, self._cache["folded"].names)

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters, each operation counted once for each number of halvings before it.

        Raises BadSetting, naming the production, where terms of different shapes are added.
        """
        found = [
            totals(self.network, self.places, self.places.picks(archs.genes[rows]), classes, shape)
            for rows in self._parts(len(archs), 64)
        ]
        return np.concatenate([np.zeros((0, 2), np.int64), *found])

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """Stem, the term, classifier as plain PyTorch. Raises BadArchitecture, BadSetting, MissingExtra."""
        with naming(arch):
            return self.network.build(self.term(arch), classes, shape)

    def term(self, arch: Architecture) -> Term:
        """The architecture as a term. Raises BadArchitecture."""
        one = Architectures.of([arch], self)
        self.check(one)
        return written(self.places, self.places.picks(one.genes)[0])

    def distance(self, a: Architecture, b: Architecture) -> int:
        """How many single edits make one term of the other, see `grammar_terms.distance`. Raises BadArchitecture."""
        return distance(self.term(a), self.term(b))

    def format(self, archs: Architectures) -> list[str]:
        """The terms, ``series(residual(conv3x3, id), linear)``."""
        return [str(written(self.places, picks)) for picks in self.places.picks(archs.genes)]

    def parse(self, text: str) -> Architecture:
        """The inverse of ``format``; or "name/0-1-_". Raises BadArchitecture."""
        if text.startswith(f"{self.name}/"):
            return super().parse(text)
        try:
            picks = derivation(self.places, read_term(text))
        except BadSetting as error:
            raise BadArchitecture(text, f"not {error.allowed}") from error
        if picks is None:
            raise BadArchitecture(text, f"{self.rules.start} of {self.name} does not derive this term")
        return Architecture(self.name, tuple(self.places.rows(picks[None])[0].tolist()))

    def _identity(self) -> tuple[Any, ...]:
        rules = self.rules
        terms = tuple((s, *((p.term, p.weight) for p in each)) for s, each in rules.productions.items())
        wired = tuple(sorted(rules.topologies.items()))
        return *super()._identity(), rules.start, terms, rules.shared, rules.depth, wired, self.network.identity
