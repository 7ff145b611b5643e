"""What a pickle may say about numpy: types, scalars and arrays of plain numbers, checked before numpy sees them.

A global name of a pickle is a ``Global`` here, a value that only stands for itself. What the file does with it, to
call it or to set a state on what came of it, is answered by this module's functions, which look at every argument.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_TEXT = 4096  # bytes of one text of a fixed-width numpy type
DTYPE = re.compile(r"[iu][1248]|f[248]|f16|c8|c16|b1|S\d{1,4}|U\d{1,4}")


class Refused(Exception):
    """What the file asks for; becomes BadTable with the source and the byte."""


class Global:
    """One allowed global name; nothing can be set on it and only the interpreter knows what calling it means."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name


ORDERED_DICT, SCALAR, DTYPE_CLASS = Global("collections.OrderedDict"), Global("numpy scalar"), Global("numpy.dtype")
RECONSTRUCT, NDARRAY = Global("numpy _reconstruct"), Global("numpy.ndarray")
ALLOWED = {
    ("collections", "OrderedDict"): ORDERED_DICT,
    ("numpy.core.multiarray", "scalar"): SCALAR,
    ("numpy._core.multiarray", "scalar"): SCALAR,
    ("numpy", "dtype"): DTYPE_CLASS,
}
ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy", "ndarray"): NDARRAY,
}


@dataclass(slots=True, eq=False)
class Type:
    """A numpy type under way: its letters, and the byte order that comes later."""

    letters: str
    order: str = "="

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(("" if self.order == "|" else self.order) + self.letters)


@dataclass(slots=True, eq=False)
class PickledArray:
    """An array of numbers that a pickle holds."""

    values: NDArray[Any] | None = None


def call(called: Global, given: tuple[Any, ...]) -> Any:
    """The value of ``called(*given)``. Raises Refused."""
    if called is ORDERED_DICT and given == ():
        return {}
    if called is SCALAR and len(given) == 2:
        return _scalar(*given)
    if called is DTYPE_CLASS and given and type(given[0]) is str:
        return Type(_letters(given))
    if called is RECONSTRUCT and len(given) == 3 and given[0] is NDARRAY:
        return PickledArray()
    raise Refused(f"a call of {called.name} with other arguments than a table has")


def set_state(target: Any, state: Any) -> None:
    """Complete a numpy type or array. Raises Refused, also for any other target."""
    if type(state) is not tuple:
        raise Refused(f"a state of type {type(state).__name__}")
    if type(target) is Type:
        target.order = _byte_order(state)
    elif type(target) is PickledArray and target.values is None:
        target.values = _array(state)
    else:
        raise Refused(f"a state set on {type(target).__name__}")


def _letters(given: tuple[Any, ...]) -> str:
    letters = given[0]
    if not DTYPE.fullmatch(letters) or any(type(flag) not in (bool, int) for flag in given[1:]) or len(given) > 3:
        raise Refused(f"the numpy type {letters[:40]!r}; allowed are numbers and texts of fixed width")
    if np.dtype(letters).itemsize > MOST_TEXT:
        raise Refused(f"the numpy type {letters!r} of more than {MOST_TEXT} bytes")
    return letters


def _byte_order(state: tuple[Any, ...]) -> str:
    plain = len(state) == 8 and state[0] == 3 and state[2:5] == (None, None, None)
    if not plain or state[1] not in ("<", ">", "=", "|"):
        raise Refused("a numpy type with fields, parts or metadata")
    return state[1]


def _scalar(kind: Any, content: Any) -> Any:
    if type(kind) is not Type or type(content) is not bytes:
        raise Refused("a numpy scalar that is not a type and its bytes")
    dtype = kind.numpy()
    if len(content) != dtype.itemsize or not content:
        raise Refused(f"a numpy scalar of {dtype.itemsize} bytes with {len(content)} bytes of content")
    return np.frombuffer(content, dtype)[0].item()


def _array(state: tuple[Any, ...]) -> NDArray[Any]:
    if len(state) != 5:
        raise Refused(f"an array state of {len(state)} parts")
    _, shape, kind, fortran, content = state
    if type(kind) is not Type or type(content) is not bytes or type(shape) is not tuple or len(shape) > 4:
        raise Refused("an array of something else than numbers")
    if any(type(n) is not int or n < 0 for n in shape):
        raise Refused(f"an array of shape {shape}")
    dtype = kind.numpy()
    if math.prod(shape) * dtype.itemsize != len(content):
        raise Refused(f"an array of shape {shape} and type {dtype} with {len(content):,} bytes of content")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran is True else "C")
