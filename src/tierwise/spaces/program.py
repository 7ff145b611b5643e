"""A class or function whose code picks, as something to run, compare and send to other processes."""

from __future__ import annotations

import functools
import inspect
import pickle
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tierwise.errors import BadSetting, TierwiseError
from tierwise.space import Shape
from tierwise.spaces.building import as_module
from tierwise.spaces.picking import Run, deciding, pick

if TYPE_CHECKING:
    from torch import nn

_FILLED = ("classes", "shape")
_IMPORTABLE = (
    "for other processes a class or function at the top level of a module or script, or a functools.partial of one "
    "(no lambda, nothing defined in a function or typed into a prompt); or executor 'inline', which needs none"
)


class Program:
    """What builds a network: a module class, or a function that gives a module.

    It may take ``classes`` and ``shape`` by name, and one further argument, which is ``pick`` itself.
    again: a function and arguments that give this program in another process; None for what can be imported there.
    Raises BadSetting.
    """

    def __init__(self, make: Callable[..., Any], again: tuple[Callable[..., Program], tuple[str, ...]] | None = None):
        self.make, self._again = make, again
        self._given, self._takes_pick = _parameters(make)
        self._device = "meta"

    @property
    def name(self) -> str:
        """Of the class or function, "" if it has none."""
        inner = self.make.func if isinstance(self.make, functools.partial) else self.make
        name = getattr(inner, "__name__", "")
        return name if name.isidentifier() else ""

    def build(self, decided: Mapping[str, str], classes: int, shape: Shape) -> tuple[nn.Module, Run]:
        """A network on the default device, and what was picked. Raises what the code raises, and BadSetting."""
        given = {name: value for name, value in {"classes": classes, "shape": shape}.items() if name in self._given}
        with deciding(decided) as run:
            return as_module(self.make(*([pick] if self._takes_pick else []), **given)), run

    def trace(self, decided: Mapping[str, str], classes: int, shape: Shape) -> Run:
        """What is picked; the network is built without numbers where its code allows that. Raises BadSetting."""
        from tierwise.networks.counting import built

        runs: list[Run] = []

        def traced() -> nn.Module:
            made, run = self.build(decided, classes, shape)
            runs.append(run)
            return made

        failure: Exception | None = None
        for device in dict.fromkeys((self._device, "cpu")):
            try:
                built(traced, device)
                self._device = device
                return runs[-1]
            except TierwiseError:
                raise
            except Exception as error:  # noqa: BLE001  whatever a person's own code raises
                failure = error
        allowed = f"a network for every combination of choices; this one raises {type(failure).__name__}: {failure}"
        raise BadSetting(f"space of {self.name}", written(decided) or "the first options", allowed) from failure

    def cost(self, decided: Mapping[str, str], classes: int, shape: Shape) -> tuple[int, int]:
        """Multiply-adds for one input of this shape and parameters, counted. Raises what the code raises."""
        from tierwise.networks.counting import counted

        with deciding({}, closed=True):
            return counted(lambda: self.build(decided, classes, shape)[0], shape)[:2]

    def __reduce__(self) -> tuple[Any, ...]:
        if self._again is not None:
            return self._again
        try:
            pickle.dumps(self.make)
        except Exception as error:
            raise BadSetting("space of", repr(self.make), f"{_IMPORTABLE} ({error})") from error
        return Program, (self.make,)


def written(decided: Mapping[str, str]) -> str:
    """Decisions as a text, ``width=32; block0=conv``."""
    return "; ".join(f"{name}={option}" for name, option in decided.items())


def _parameters(make: Callable[..., Any]) -> tuple[set[str], bool]:
    """Which arguments are filled by name, and whether there is one for ``pick``. Raises BadSetting."""
    if not callable(make) or (not isinstance(make, type) and hasattr(make, "forward")):
        raise BadSetting("space of", make, "a module class, or a function that gives a module; no module that is built")
    parameters = inspect.signature(make).parameters.values()
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in kinds and p.name not in _FILLED]
    if len(needed) > 1:
        allowed = "classes, shape and at most one more, which is pick; give others their values by functools.partial"
        raise BadSetting(f"arguments of {make!r}", needed, allowed)
    return {p.name for p in parameters if p.name in _FILLED}, bool(needed)
