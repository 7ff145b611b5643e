"""Cost formulas: arithmetic on named numbers, read from text and never run as Python."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from tierwise.errors import BadSetting, UnknownName

LARGEST_COST = 2**62  # sums over a network stay within 64 bits only if its parts stay well within
_LONGEST = 500
_LARGEST_EXPONENT = 8
_ALLOWED = "numbers, names, + - * / // ** and parentheses"
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}


@dataclass(frozen=True)
class Formula:
    """A number as a formula of named numbers, such as ``"9*c*c*h*w"``.

    text: numbers, names, ``+ - * / // **`` and parentheses; an exponent is at most 8.
    where: what an error names, for instance the file and the key. names: the variables that there are.
    Raises BadSetting for anything else, UnknownName for another variable.

    >>> Formula("k*k*c", "cost", {"k", "c"}).value({"k": 3, "c": 16})
    144
    """

    text: str
    where: str
    names: Collection[str]
    _tree: ast.expr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.text) > _LONGEST:
            raise BadSetting(self.where, self.text[:40] + "...", f"a formula of at most {_LONGEST} characters")
        try:
            tree = ast.parse(self.text.strip(), mode="eval").body
            self._check(tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise BadSetting(self.where, self.text, f"{_ALLOWED} ({error})") from error
        object.__setattr__(self, "_tree", tree)

    def __getstate__(self) -> dict[str, Any]:
        return {"text": self.text, "where": self.where, "names": self.names}  # a syntax tree is made anew

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    def _check(self, node: ast.expr) -> None:
        match node:
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                pass
            case ast.Name():
                if node.id not in self.names:
                    raise UnknownName(f"variable of {self.where}", node.id, self.names)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                self._check(node.operand)
            case ast.BinOp() if type(node.op) in _OPERATORS:
                self._check(node.left)
                self._check(node.right)
            case _:
                raise BadSetting(self.where, self.text, _ALLOWED)

    def value(self, numbers: Mapping[str, float]) -> int:
        """The whole number nearest to the formula's value for these numbers, by name.

        Raises BadSetting where it divides by zero, is negative, beyond 2**62 or of an exponent above 8.
        """
        given = ", ".join(f"{name} = {numbers[name]}" for name in sorted(numbers))
        try:
            result = self._of(self._tree, numbers)
            if not 0 <= result <= LARGEST_COST:
                raise BadSetting(self.where, self.text, f"a cost of 0 to 2**62; it is {result:.6g} where {given}")
            return round(result)
        except ZeroDivisionError as error:
            raise BadSetting(self.where, self.text, f"no division by zero; there is one where {given}") from error
        except (OverflowError, TypeError, ValueError) as error:
            raise BadSetting(self.where, self.text, f"a cost of 0 to 2**62; it is none where {given}") from error

    def _of(self, node: ast.expr, numbers: Mapping[str, float]) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return numbers[node.id]
            case ast.UnaryOp():
                value = self._of(node.operand, numbers)
                return -value if isinstance(node.op, ast.USub) else value
            case ast.BinOp():
                left, right = self._of(node.left, numbers), self._of(node.right, numbers)
                if isinstance(node.op, ast.Pow) and abs(right) > _LARGEST_EXPONENT:
                    raise BadSetting(self.where, self.text, f"an exponent of at most {_LARGEST_EXPONENT}, not {right}")
                return _OPERATORS[type(node.op)](left, right)
            case _:
                raise BadSetting(self.where, self.text, _ALLOWED)


@dataclass(frozen=True)
class Cost:
    """FLOPs and parameters, each a formula; without one a cost is 0."""

    flops: str = "0"
    params: str = "0"

    def formulas(self, where: str, names: Collection[str]) -> tuple[Formula, Formula]:
        """Both, checked. Raises BadSetting, UnknownName."""
        known = tuple(sorted(names))
        return Formula(self.flops, f"{where}.flops", known), Formula(self.params, f"{where}.params", known)


FREE = Cost()
