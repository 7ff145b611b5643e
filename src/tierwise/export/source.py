"""A network as one readable Python file that imports torch alone.

Every module of torch.nn becomes its constructor call, every other module a class of its own whose forward pass is
traced (Reed et al., "torch.fx: Practical Program Capture and Transformation for Deep Learning in Python", 2022);
equal modules share a class. Names of weights stay, so that a state dict of the one loads into the other.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from tierwise.errors import BadSetting
from tierwise.export.shared_classes import WrittenClass, with_shared

_CALLED_BY_NAME = re.compile(r'getattr\(self\.([\w.]+), "([^"]+)"\)')


def python_source(network: nn.Module, shape: Sequence[int], title: str) -> str:
    """The text of a file with the class ``Network``. It is run and compared: its outputs are equal to the last bit.

    shape: of one input. title: the first line. Raises BadSetting for a network that cannot be written so.
    """
    writer = _Writer()
    writer.add(network, "Network")
    quoted = title.replace("\\", "\\\\").replace('"', "'")
    example = f"    print(Network()(torch.zeros(1, {', '.join(map(str, shape))})).shape)"
    imports = (["from collections import OrderedDict", ""] if writer.named else []) + ["import torch"]
    classes = [part for each in with_shared(writer.classes) for part in ("", "", str(each))]
    lines = [f'"""{quoted}"""', "", *imports, "from torch import Tensor, nn", *classes]
    text = "\n".join([*lines, "", "", 'if __name__ == "__main__":', example, ""])
    _compare(network, text, shape)
    return text


class _Writer:
    """Classes so far, in an order in which each is defined before it is used."""

    def __init__(self) -> None:
        self.classes: list[WrittenClass] = []
        self.named = False  # whether a sequence has names
        self._names: dict[str, str] = {}  # body -> name of the class

    def add(self, module: nn.Module, name: str) -> str:
        """The class of this module; the name under which it stands, another one's where they are equal."""
        sequence = isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward
        if sequence:
            body, forward = [self._sequence("super().__init__", module)], []
        else:
            body, forward = ["super().__init__()", *self._parts(module)], ["", *_forward(module)]
        made, after = "\n".join(textwrap.indent(part, " " * 8) for part in body), "\n".join(forward)
        text = f"{made}\n{after}"
        if text not in self._names:
            taken = set(self._names.values())
            free = next(n for n in (name, *(f"{name}{k}" for k in range(2, len(taken) + 3))) if n not in taken)
            self._names[text] = free
            self.classes.append(WrittenClass(free, name, sequence, made, after))
        return self._names[text]

    def _parts(self, module: nn.Module) -> list[str]:
        """What ``__init__`` sets: submodules, weights and buffers of its own."""
        parts = [f"self.{name} = {self.expression(child)}" for name, child in module.named_children()]
        for name, value in module.named_parameters(recurse=False):
            parts.append(f"self.{name} = nn.Parameter({_empty(value)})")
        for name, value in module.named_buffers(recurse=False):
            if name not in module.state_dict():
                what = f"buffer {name} of {type(module).__name__}"
                raise BadSetting("network", what, "buffers that are saved with it")
            parts.append(f'self.register_buffer("{name}", {_empty(value)})')
        return parts

    def expression(self, module: nn.Module) -> str:
        """How to make this module."""
        if isinstance(module, nn.ModuleList):
            return _call("nn.ModuleList", [self.expression(child) for child in module], "[", "]")
        if type(module) is nn.ModuleDict:
            inner = [f'"{name}": {self.expression(child)}' for name, child in module.items()]
            return _call("nn.ModuleDict", inner, "{", "}")
        if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
            return self._sequence("nn.Sequential", module)
        if type(module).__module__.startswith("torch.nn."):
            return _constructor(module)
        return f"{self.add(module, type(module).__name__)}()"

    def _sequence(self, name: str, module: nn.Module) -> str:
        """Its children in order, with names where they are not their numbers."""
        children = dict(module.named_children())
        if list(children) == [str(k) for k in range(len(children))]:
            return _call(name, [self.expression(child) for child in children.values()])
        self.named = True
        named = [f'("{key}", {self.expression(child)})' for key, child in children.items()]
        return _call(name, [_call("OrderedDict", named, "[", "]")])


def _call(name: str, inner: Sequence[str], before: str = "", after: str = "") -> str:
    """On one line where it fits, else one argument a line."""
    flat = f"{name}({before}{', '.join(inner)}{after})"
    if len(flat) < 90 and "\n" not in flat:
        return flat
    indented = ",\n".join(inner).replace("\n", "\n    ")
    return f"{name}({before}\n    {indented},\n{after})"


def _constructor(module: nn.Module) -> str:
    """The call that makes this module of torch.nn, with what differs from its defaults."""
    given: list[str] = []
    for name, parameter in list(inspect.signature(type(module).__init__).parameters.items())[1:]:
        if name in ("device", "dtype") or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name == "bias":
            value: Any = getattr(module, name) is not None
        elif hasattr(module, name):
            value = getattr(module, name)
        else:
            raise BadSetting("network", f"nn.{type(module).__name__}", f"layers that tell their {name!r}")
        if parameter.default is inspect.Parameter.empty:
            given.append(_short(value))
        elif value != parameter.default and value != _pair(parameter.default, value):
            given.append(f"{name}={_short(value)}")
    return f"nn.{type(module).__name__}({', '.join(given)})"


def _pair(default: Any, value: Any) -> Any:
    """A default number in the form of a tuple that torch makes of it."""
    return (default,) * len(cast(tuple[Any, ...], value)) if isinstance(value, tuple) else default


def _short(value: Any) -> str:
    """``(3, 3)`` is 3: torch's own layers understand both."""
    if isinstance(value, tuple) and len(set(cast(tuple[Any, ...], value))) == 1:
        return repr(value[0])
    return repr(value)


def _empty(value: Tensor) -> str:
    dtype = "" if value.dtype == torch.float32 else f", dtype={value.dtype}"
    return f"torch.zeros({', '.join(map(str, value.shape)) or '()'}{dtype})"


class _Shallow(fx.Tracer):
    """Looks into one module, at its children from outside."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        del m, module_qualified_name
        return True


def _forward(module: nn.Module) -> list[str]:
    """The lines of the forward pass."""
    try:
        graph = _Shallow().trace(module)
    except Exception as error:  # a stranger's code meets a stand-in for a tensor
        allowed = f"modules that torch.fx can trace ({error}); .pt2 and .onnx may hold it"
        raise BadSetting("network", f"forward pass of {type(module).__name__}", allowed) from error
    code = graph.python_code("self")
    body = code.src.strip().splitlines()
    body = body[next(k for k, line in enumerate(body) if line.startswith("def forward")) + 1 :]

    def item(found: re.Match[str]) -> str:
        place = found[2] if isinstance(module.get_submodule(found[1]), nn.ModuleList) else f'"{found[2]}"'
        return f"self.{found[1]}[{place}]"

    body = [_CALLED_BY_NAME.sub(item, re.sub(r";  .* = None$", "", line)) for line in body if line.strip()]
    used = set(re.findall(r"[A-Za-z_]\w*", " ".join(body)))
    if foreign := sorted(used & code.globals.keys() - {"torch", "inf", "nan"}):
        raise BadSetting("network", f"{type(module).__name__} uses {', '.join(foreign)}", "functions of torch alone")
    arguments = [f"{node.target}: Tensor" for node in graph.nodes if node.op == "placeholder"]
    return [f"    def forward(self, {', '.join(arguments)}) -> Tensor:", *(f"    {line}" for line in body)]


def _compare(network: nn.Module, text: str, shape: Sequence[int]) -> None:
    """Raises BadSetting unless the text computes what the network computes, when used and when trained."""
    space: dict[str, Any] = {"__name__": "exported"}
    exec(compile(text, "exported", "exec"), space)  # noqa: S102  our own text
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        first, second = network.cpu(), space["Network"]()
        state = {name: value.clone() for name, value in first.state_dict().items()}
        try:
            second.load_state_dict(state)
        except RuntimeError as error:
            raise BadSetting("network", type(network).__name__, f"weights that belong to modules ({error})") from error
        modes = [(m, m.training) for m in first.modules()]
        x = torch.randn(4, *shape)
        for training in (False, True):
            first.train(training)
            second.train(training)
            torch.manual_seed(1)
            expected = first(x)
            torch.manual_seed(1)
            if not torch.equal(expected, second(x)):
                allowed = "a network whose layers tell all of their settings; .pt2 may hold it"
                raise BadSetting("network", type(network).__name__, allowed)
        first.load_state_dict(state)  # statistics of batch norms
        for module, training in modes:
            module.training = training
