"""Spaces of one's own PyTorch code: choices are marked where it picks, and everything else follows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise import python_files
from tierwise.architecture import Architecture, Architectures, Genes, Graphs
from tierwise.errors import BadArchitecture, BadSetting, UnknownName
from tierwise.space import Choice, Shape, Space, mix
from tierwise.spaces.building import checked_shape, need_torch
from tierwise.spaces.chain import path_graphs
from tierwise.spaces.composed_costs import ComposedCosts, composed
from tierwise.spaces.conditions import Conditions
from tierwise.spaces.edges import MOST_OPS, check_ops
from tierwise.spaces.program import Program, written
from tierwise.spaces.tracing import Trace

if TYPE_CHECKING:
    from torch import nn

_FEW = 1_000  # networks that are rather counted one by one
_DRAWN, _BASES = 100, 3  # architectures by which sums of costs are checked, and around which they are found
_TASK = (10, (3, 32, 32))  # classes and shape while choices are looked for


def space_of(
    network: Callable[..., Any] | Program, *, name: str = "", classes: int | None = None, shape: Shape | None = None
) -> Marked:
    """The space of the choices that code marks with ``pick``.

    network: a module class, or a function that gives a module. It may take ``classes`` and ``shape`` by name, which
    ``Space.build`` gives it, and one argument more, which is ``pick`` itself: code that takes it needs no import.
    name: of the space, by default that of the class or function.
    classes, shape: of the task for which costs are counted; by default those that are asked about.

    The code is run some hundred times, or thousands where many choices depend on others, without numbers in the
    tensors, to learn which choices there are and when each is asked for. Raises BadSetting, naming the choice, for code
    whose choices cannot be learnt: options that change, a name with two lists of options, chance, or a choice that
    depends on too much at once; MissingExtra without torch.
    """
    need_torch()
    program = network if isinstance(network, Program) else Program(network)
    task = (classes or _TASK[0], _TASK[1] if shape is None else checked_shape(shape))
    trace = Trace(lambda decided: program.trace(decided, *task))
    conditions = trace.conditions()
    return Marked(name or program.name or "marked", program, trace.choices, conditions, classes, shape)


def program_in(file: str, name: str) -> Program:
    """A class or function in a Python file, which is run. Raises BadSetting, UnknownName."""
    return Program(python_files.value(Path(file), name), (program_in, (file, name)))


class Marked(Space):
    """The space that `space_of` gives; every combination of choices is an architecture.

    A choice that is not asked for, given the options of the others, changes neither the network nor its key; `when`
    says under which options a choice is asked for. Graphs are paths of the options that were taken.
    """

    def __init__(
        self,
        name: str,
        program: Program,
        choices: Sequence[Choice],
        conditions: Conditions,
        classes: int | None,
        shape: Shape | None,
    ):
        super().__init__(name, choices)
        if self.size < 2:
            raise BadSetting(f"choices of {name}", f"{self.size} architecture", "at least 2 to choose from")
        self.program, self.conditions, self.classes, self.shape = program, conditions, classes, shape
        labels = [re.sub(r"\d+", "", choice.path).strip("/_.-") or choice.path for choice in self.choices]
        texts = [[f"{label} {o}" for o in c.options] for label, c in zip(labels, self.choices, strict=True)]
        self._names = list(dict.fromkeys(text for each in texts for text in each))
        if len(self._names) > MOST_OPS:
            raise BadSetting(f"choices of {name}", f"{len(self._names)} different options", f"at most {MOST_OPS}")
        check_ops(self._names)
        self._ops = [np.array([self._names.index(text) + 1 for text in each], dtype=np.uint8) for each in texts]
        self._counted: dict[tuple[int, int, Shape], tuple[int, int]] = {}
        self._sums: dict[tuple[int, Shape], ComposedCosts | None] = {}

    def when(self, path: str) -> str:
        """Under which options of others a choice is asked for, ``depth in 2, 3``; "" for always. Raises UnknownName."""
        paths = [choice.path for choice in self.choices]
        if path not in paths:
            raise UnknownName("choice", path, paths)
        return self.conditions.text(path)

    def graphs(self, archs: Architectures) -> Graphs:
        """A path of the options taken, in the order of the code; equal choices of several blocks have equal names."""
        ops = [codes[column] for codes, column in zip(self._ops, archs.genes.T, strict=True)]
        return path_graphs(np.stack(ops, axis=1), self.conditions.asked(archs.genes), self._names)

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) keys of the options of the choices that are asked for."""
        answers = (archs.genes.astype(np.int64) + 1) * self.conditions.asked(archs.genes)
        keys = np.zeros(len(archs), dtype=np.uint64)
        for column in answers.astype(np.uint64).T:
            keys = mix(keys + column)
        return keys

    def decisions(self, arch: Architecture) -> dict[str, str]:
        """Choice -> option, those that are not asked for included."""
        return {choice.path: choice.options[gene] for choice, gene in zip(self.choices, arch.genes, strict=True)}

    def format(self, archs: Architectures) -> list[str]:
        """The options by choice, ``depth=1; block0=conv; (block1=sep)``, what is not asked for in parentheses."""
        asked = self.conditions.asked(archs.genes).tolist()
        return ["; ".join(self._texts(arch, there)) for arch, there in zip(archs, asked, strict=True)]

    def _texts(self, arch: Architecture, there: list[bool]) -> list[str]:
        texts = [f"{name}={option}" for name, option in self.decisions(arch).items()]
        return [text if asked else f"({text})" for text, asked in zip(texts, there, strict=True)]

    def parse(self, text: str) -> Architecture:
        """The inverse of ``format``, where a choice left out has its first option; or "name/0-1-...".

        Raises BadArchitecture.
        """
        if "=" not in text:
            return super().parse(text)
        genes, paths = [0] * len(self.choices), [choice.path for choice in self.choices]
        for part in map(str.strip, text.split(";")):
            path, _, option = (part[1:-1] if part[:1] == "(" else part).partition("=")
            if path not in paths or option not in self.choices[paths.index(path)].options:
                known = "; ".join(f"{c.path}={'|'.join(c.options)}" for c in self.choices)
                raise BadArchitecture(text, f"{part!r} is no choice and option of {self.name}: {known}")
            genes[paths.index(path)] = self.choices[paths.index(path)].options.index(option)
        return Architecture(self.name, tuple(genes))

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network as the code builds it. Raises BadArchitecture, BadSetting and what the code raises."""
        need_torch()
        self.check(Architectures.of([arch], self))
        made, run = self.program.build(self.decisions(arch), classes, checked_shape(shape))
        new = run.asked.keys() - {choice.path for choice in self.choices}
        if new:
            allowed = "choices that were seen while the space was made; make it anew with fewer rare combinations"
            raise BadSetting(f"choices of {self.name}", f"{', '.join(sorted(new))} in {arch}", allowed)
        return made

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs (multiply-adds of convolutions and matrix products) and parameters, each network counted once.

        For the task of the space where it has one. Of thousands of networks, only as many are counted as it takes to
        know what each set of choices that interact adds. Raises BadSetting, naming the architecture whose network does
        not take inputs of the shape.
        """
        task = (self.classes or classes, checked_shape(self.shape or shape))
        keys = np.unique(self.canonical(archs)).tolist()
        if sum((key, *task) not in self._counted for key in keys) > _FEW and (sums := self._composed(*task)):
            return sums(archs.genes)
        return self._count(archs.genes, *task)

    def _composed(self, classes: int, shape: Shape) -> ComposedCosts | None:
        """The costs of any architecture as sums, None where they are none."""
        if (classes, shape) not in self._sums:
            drawn = self.origin.sample(_DRAWN, np.random.default_rng(0)).genes
            fullest = np.argsort(-self.conditions.asked(drawn).sum(1), kind="stable")[:_BASES]
            options = [len(choice.options) for choice in self.choices]
            made = composed(lambda genes: self._count(genes, classes, shape), options, drawn[fullest], drawn)
            self._sums[classes, shape] = made
        return self._sums[classes, shape]

    def _count(self, genes: Genes, classes: int, shape: Shape) -> NDArray[np.int64]:
        """(n, 2) costs, counted from networks."""
        archs = Architectures(self, genes)
        keys, first, place = np.unique(self.canonical(archs), return_index=True, return_inverse=True)
        costs = [self._cost(int(key), archs[int(row)], classes, shape) for key, row in zip(keys, first, strict=True)]
        return np.array(costs, dtype=np.int64).reshape(-1, 2)[place]

    def _cost(self, key: int, arch: Architecture, classes: int, shape: Shape) -> tuple[int, int]:
        if (key, classes, shape) not in self._counted:
            try:
                need_torch()
                self._counted[key, classes, shape] = self.program.cost(self.decisions(arch), classes, shape)
            except Exception as error:
                if isinstance(error, BadSetting):
                    raise
                allowed = f"a network that takes inputs of {shape}, or space_of(..., shape=(channels, height, width))"
                text = f"{allowed}; it raises {type(error).__name__}: {error}"
                raise BadSetting("costs of the space", written(self.decisions(arch)), text) from error
        return self._counted[key, classes, shape]

    def _identity(self) -> tuple[Any, ...]:
        terms = [(path, *(frozenset(term.items()) for term in each)) for path, each in self.conditions.terms.items()]
        return *super()._identity(), frozenset(terms), self.classes, self.shape
