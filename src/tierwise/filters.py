"""Which architectures are meant, in words: ``params < 5e6 and count(nor_conv_3x3) >= 2``; read, never run as Python.

Names are columns, such as costs and metrics; ``count(op)`` is how many choices have this option, ``pick(path)`` the
option of a choice. Text that is no plain name is quoted: ``pick("cell/0-1") == "none"``.
"""

from __future__ import annotations

import ast
import operator
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, UnknownName
from tierwise.space import Space

Column = NDArray[Any]
Columns = Mapping[str, Callable[[Architectures], Column]]  # name -> its (n,) values
LONGEST = 1_000
EXAMPLE = 'params < 5e6 and count(nor_conv_3x3) >= 2 and not pick("cell/0-1") == "none"'
ALLOWED = f"comparisons of numbers, columns, count(option) and pick(choice), with and, or, not; such as {EXAMPLE}"
_parsing = threading.Lock()  # two at once can fail in Python 3.11 (github.com/python/cpython/issues/106905)
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip
_COMPUTED: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


@dataclass(frozen=True)
class Filter:
    """Architectures of a space that fulfil a condition, see above. Raises BadSetting, UnknownName for what it is not.

    text: the condition. columns: names that may stand in it beside count and pick.

    >>> from tierwise import make
    >>> space = make("space", "nasbench201")
    >>> int(Filter("count(none) == 0 and count(nor_conv_3x3) >= 5", space).mask(space.enumerate()).sum())
    19
    """

    text: str
    space: Space
    columns: Columns = field(default_factory=dict[str, Any], compare=False)
    _tree: ast.expr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.text) > LONGEST:
            raise BadSetting("filter", self.text[:40] + "...", f"at most {LONGEST} characters")
        try:
            with _parsing:
                tree = ast.parse(self.text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise BadSetting("filter", self.text, f"{ALLOWED} ({error})") from error
        object.__setattr__(self, "_tree", tree)
        if self._values(tree, self.space.sample(2, np.random.default_rng(0))).dtype != np.bool_:
            raise BadSetting("filter", self.text, f"a condition, not a number: {ALLOWED}")

    def mask(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n,) who fulfils it; what is not known (NaN) fulfils no comparison."""
        parts = [self._values(self._tree, part) for part in archs.chunks()]
        return np.concatenate(parts)

    def _values(self, node: ast.expr, archs: Architectures) -> Column:
        match node:
            case ast.BoolOp():
                parts = [self._condition(part, archs) for part in node.values]
                return np.all(parts, axis=0) if isinstance(node.op, ast.And) else np.any(parts, axis=0)
            case ast.UnaryOp(op=ast.Not()):
                return ~self._condition(node.operand, archs)
            case ast.UnaryOp(op=ast.USub()):
                return -self._number(node.operand, archs)
            case ast.Compare():
                return self._compared(node, archs)
            case ast.BinOp() if type(node.op) in _COMPUTED:
                with np.errstate(divide="ignore", invalid="ignore"):
                    left, right = self._number(node.left, archs), self._number(node.right, archs)
                    return np.asarray(_COMPUTED[type(node.op)](left, right), dtype=np.float64)
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                return np.full(len(archs), float(cast(float, node.value)))
            case ast.Name():
                if node.id not in self.columns:
                    raise UnknownName("column of a filter", node.id, (*self.columns, "count(option)", "pick(choice)"))
                return np.asarray(self.columns[node.id](archs), dtype=np.float64)
            case ast.Call(func=ast.Name(id="count"), args=[argument], keywords=[]):
                return counted(archs, self._text(argument))
            case _:
                raise BadSetting("filter", ast.unparse(node), ALLOWED)

    def _compared(self, node: ast.Compare, archs: Architectures) -> Column:
        """Chains such as ``1 <= count(none) < 3``; a choice is compared with text."""
        sides, result = [node.left, *node.comparators], np.ones(len(archs), dtype=np.bool_)
        for compared, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if type(compared) not in _COMPARED:
                raise BadSetting("filter", self.text, ALLOWED)
            if isinstance(left, ast.Call) and isinstance(left.func, ast.Name) and left.func.id == "pick":
                if not isinstance(compared, ast.Eq | ast.NotEq):
                    raise BadSetting("filter", ast.unparse(node), "a choice compared by == or !=")
                same = self._picked(left, self._text(right), archs)
                result &= same if isinstance(compared, ast.Eq) else ~same
            else:
                a, b = self._number(left, archs), self._number(right, archs)
                result &= _COMPARED[type(compared)](a, b) & ~np.isnan(a) & ~np.isnan(b)
        return result

    def _picked(self, call: ast.Call, option: str, archs: Architectures) -> NDArray[np.bool_]:
        if len(call.args) != 1 or call.keywords:
            raise BadSetting("filter", ast.unparse(call), 'one choice, such as pick("cell/0-1")')
        path, paths = self._text(call.args[0]), [choice.path for choice in self.space.choices]
        if path not in paths:
            raise UnknownName("choice", path, paths)
        gene = paths.index(path)
        options = self.space.choices[gene].options
        if option not in options:
            raise UnknownName(f"option of {path}", option, options)
        return archs.genes[:, gene] == options.index(option)

    def _condition(self, node: ast.expr, archs: Architectures) -> NDArray[np.bool_]:
        values = self._values(node, archs)
        if values.dtype != np.bool_:
            raise BadSetting("filter", ast.unparse(node), "a condition beside and, or, not")
        return values

    def _number(self, node: ast.expr, archs: Architectures) -> Column:
        values = self._values(node, archs)
        if values.dtype == np.bool_:
            raise BadSetting("filter", ast.unparse(node), "a number beside + - * / and comparisons")
        return values

    def _text(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=str()):
                return str(node.value)
            case ast.Name():
                return node.id
            case _:
                raise BadSetting("filter", ast.unparse(node), "a name, in quotes where it is no plain word")


def counted(archs: Architectures, option: str) -> NDArray[np.float64]:
    """(n,) how many active choices have this option. Raises UnknownName."""
    choices = archs.space.choices
    if not any(option in choice.options for choice in choices):
        raise UnknownName("option", option, {option for choice in choices for option in choice.options})
    width = max(len(choice.options) for choice in choices)
    table = np.zeros((len(choices), width + 1))  # the last column is for what is not active
    for gene, choice in enumerate(choices):
        if option in choice.options:
            table[gene, choice.options.index(option)] = 1.0
    return table[np.arange(len(choices)), archs.genes].sum(1)


def quoted(name: str) -> str:
    """A name as it stands in a filter."""
    return name if name.isidentifier() else f'"{name}"'
