"""When a choice of a program is asked for at all, as combinations of the options of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Genes
from tierwise.space import Choice

Term = Mapping[str, frozenset[str]]  # choice -> options of which it must have one


class Conditions:
    """For each choice that is not always asked for, the combinations of options with which it is.

    terms: choice -> terms; it is asked for where one of them holds.
    """

    def __init__(self, choices: Sequence[Choice], terms: Mapping[str, Sequence[Term]]):
        self._gene = {choice.path: gene for gene, choice in enumerate(choices)}
        self._options = {choice.path: choice.options for choice in choices}
        self.terms = {path: tuple(each) for path, each in terms.items()}

    def asked(self, genes: Genes) -> NDArray[np.bool_]:
        """(n, genes) whether each choice is asked for."""
        asked = np.ones(genes.shape, dtype=np.bool_)
        for path, terms in self.terms.items():
            asked[:, self._gene[path]] = np.any([self._holds(term, genes) for term in terms], axis=0)
        return asked

    def _holds(self, term: Term, genes: Genes) -> NDArray[np.bool_]:
        """(n,)"""
        holds = np.ones(len(genes), dtype=np.bool_)
        for path, kept in term.items():
            holds &= np.array([option in kept for option in self._options[path]])[genes[:, self._gene[path]]]
        return holds

    def text(self, path: str) -> str:
        """In words, ``depth in 2, 3 and block0 in conv``; "" for a choice that is always asked for."""
        return ", or ".join(
            " and ".join(
                f"{other} in {', '.join(option for option in self._options[other] if option in kept)}"
                for other, kept in sorted(term.items(), key=lambda item: self._gene[item[0]])
            )
            for term in self.terms.get(path, ())
        )
