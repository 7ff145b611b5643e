"""Templates as they stand in a file, and the shapes on all of their links, worked out without building anything.

A template is the over-parameterised network of Tyagi, Xie and Mueller, "NAS-Navigator: Visual Steering for Explainable
One-Shot Deep Neural Network Synthesis" (2022): layers in a row, in each several alternative blocks, every block wired
to all blocks of the next layer. What leaves a layer is the mean of its blocks that are on.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tierwise.errors import BadSetting, UnknownName
from tierwise.space import Shape
from tierwise.spaces.declaration import InputShape, Name
from tierwise.spaces.template_ops import Misfit, Op, Operation, shown

MOST_BYTES = 1_000_000  # of a file
MOST_NUMBERS = 2**28  # on a link, for one input: 1 GiB
MOST_COST = 2**45  # multiply-adds, or parameters, of one operation


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Block(_Table):
    """Operations in a row, one of the alternatives of a layer."""

    name: Name = ""
    ops: Annotated[tuple[Op, ...], Field(min_length=1, max_length=40, strict=False)]

    def text(self) -> str:
        """``conv3x3-16``: its operations without norms and activations, where there are others."""
        telling = [op for op in self.ops if op.group not in ("norm", "activation")]
        return "+".join(op.text() for op in telling or self.ops)

    @property
    def weighted(self) -> bool:
        """Whether it has weights of its own."""
        return any(op.weighted for op in self.ops)


class Layer(_Table):
    """Alternatives at one place; of a layer with one block alone it is always there."""

    name: Name = ""
    blocks: Annotated[tuple[Block, ...], Field(min_length=1, max_length=12, strict=False)]


class Template(_Table):
    """Layers in a row. input: shape of one input."""

    kind: Literal["template"] = "template"
    name: Name = ""
    input: InputShape
    layers: Annotated[tuple[Layer, ...], Field(min_length=1, max_length=100, strict=False)]

    @model_validator(mode="after")
    def _named(self) -> Self:
        """Every layer and every block has a name, different from those beside it."""
        layers = [
            Layer(name=name, blocks=tuple(_with_names(layer.blocks, "block", f"blocks of layer {name}")))
            for layer, name in zip(self.layers, _names(self.layers, "layer", "layers"), strict=True)
        ]
        if layers != list(self.layers):
            return self.model_copy(update={"layers": tuple(layers)})
        return self


def _with_names(blocks: tuple[Block, ...], word: str, what: str) -> list[Block]:
    return [Block(name=name, ops=b.ops) for b, name in zip(blocks, _names(blocks, word, what), strict=True)]


def _names(items: Iterable[Block | Layer], word: str, what: str) -> list[str]:
    names = [item.name or f"{word}{k}" for k, item in enumerate(items, start=1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"the name {twice[0]} comes twice among the {what}; names are different")
    return names


def read_template(source: str | Path | Mapping[str, Any] | Template, label: str = "template") -> Template:
    """A template from a TOML or JSON file, or an equal dict. Raises BadSetting, UnknownName, which name layer, block
    and field; whether its shapes fit says `infer`. label: how messages call a dict.
    """
    if isinstance(source, Template):
        return source
    given, label = (dict(source), label) if isinstance(source, Mapping) else _file(Path(source))
    try:
        return Template.model_validate(given)
    except ValidationError as error:
        first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
        raise _named_error(given, label, first) from error


def write_template(template: Template, path: str | Path) -> None:
    """As JSON, which `read_template` and ``--template`` open; the whole file, or nothing."""
    target = Path(path)
    part = target.with_name(target.name + ".part")
    part.write_text(json.dumps(as_dict(template), indent=1) + "\n", encoding="utf-8")
    part.replace(target)


def as_dict(template: Template) -> dict[str, Any]:
    """As it stands in a file: settings that are not the usual ones."""
    return {"kind": template.kind, **template.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)}


def _file(path: Path) -> tuple[dict[str, Any], str]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8")
        given = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        if not isinstance(given, dict):
            raise ValueError("no table")
    except (OSError, ValueError, RecursionError) as error:
        raise BadSetting("file of a template", str(path), f"a readable TOML or JSON file ({error})") from error
    return {"name": path.stem if path.stem.isidentifier() else "template", **given}, path.name


def _named_error(given: Mapping[str, Any], label: str, error: Any) -> BadSetting | UnknownName:
    """What pydantic says, in the words of the file."""
    where, context = list(error["loc"]), error.get("ctx", {})
    place = ": ".join([label, *_places(given, where)])
    if error["type"] == "union_tag_invalid":
        known = [name.strip("' ") for name in str(context["expected_tags"]).split(",")]
        return UnknownName(f"operation in {place}", str(context["tag"]), known)
    if error["type"] == "extra_forbidden":
        return BadSetting(place, error["input"], f"no such key here: {where[-1]}")
    if error["type"] in ("missing", "union_tag_not_found"):
        return BadSetting(place, None, "this key is needed" if error["type"] == "missing" else 'op = "..." is needed')
    given_there = error["input"] if isinstance(error["input"], int | float | str) else type(error["input"]).__name__
    return BadSetting(place, given_there, error["msg"].removeprefix("Value error, ").replace("Tuple", "A list"))


def _places(given: Any, where: list[Any]) -> list[str]:
    """``layer2/conv3``, ``op 1 (conv)``, ``kernel``: where in the file."""
    found: list[str] = []
    names = {"layers": "layer", "blocks": "block"}
    path, key = "", ""
    for number, part in enumerate(where):
        given = given[part] if isinstance(given, list) and isinstance(part, int) and part < len(given) else (
            given.get(part) if isinstance(given, dict) else None
        )  # fmt: skip
        if isinstance(part, int) and key in names:
            own = (given or {}).get("name") if isinstance(given, dict) else None
            path += ("/" if path else "") + str(own or f"{names[key]}{part + 1}")
        elif isinstance(part, int):
            found.append(f"op {part + 1}" if key == "ops" else f"number {part + 1}")
        elif part not in ("layers", "blocks", "ops") or number == len(where) - 1:
            found.append(str(part))
        key = str(part)
    return [*([path] if path else []), *found]


# ---- shapes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LinkError:
    """What does not fit, and what would. layer, block: by number, from 0. op: the operation at fault, from 0; None
    where the block as a whole gives another shape than the others of its layer.
    """

    layer: int
    block: int
    op: int | None
    message: str
    fits: str = ""


@dataclass(frozen=True)
class Inference:
    """Shapes on every link. entering: of each layer; leaving: of each block of each layer, None where it does not fit;
    output: of the last layer. inner: what enters each operation of each block.
    """

    entering: list[Shape]
    leaving: list[list[Shape | None]]
    output: Shape
    inner: list[list[list[Shape]]] = field(repr=False)
    errors: list[LinkError]


def infer(template: Template) -> Inference:
    """Shapes of all links. Behind an error goes on what most blocks of the layer give, else what has entered it."""
    shape: Shape = tuple(template.input)
    entering, leaving, inner, errors = list[Shape](), list[list[Shape | None]](), list[list[list[Shape]]](), []
    for k, layer in enumerate(template.layers):
        walks = [_walked(block, shape) for block in layer.blocks]
        given = [walk.output for walk in walks]
        known = Counter(output for output in given if output is not None)
        wanted = known.most_common(1)[0][0] if known else shape
        for b, (block, walk) in enumerate(zip(layer.blocks, walks, strict=True)):
            if walk.error is not None:
                errors.append(LinkError(k, b, len(walk.shapes) - 1, walk.error))
            elif walk.output != wanted:
                errors.append(_unlike(template, (k, b), block, shape, walk.output, wanted))
        entering.append(shape)
        leaving.append(given)
        inner.append([walk.shapes for walk in walks])
        shape = wanted
    return Inference(entering, leaving, shape, inner, errors)


@dataclass(frozen=True)
class _Walk:
    """Shapes that enter the operations of a block, as far as they fit, and what leaves it."""

    shapes: list[Shape]
    output: Shape | None
    error: str | None = None


def _walked(block: Block, entering: Shape) -> _Walk:
    shapes = [entering]
    for op in block.ops:
        try:
            leaving = op.output(shapes[-1], entering)
            if math.prod(leaving) > MOST_NUMBERS or max(op.cost(shapes[-1])) > MOST_COST:
                raise Misfit(f"{op.op} gives {shown(leaving)}: it is too large for any machine; make it smaller")
            shapes.append(leaving)
        except Misfit as error:
            return _Walk(shapes, None, str(error))
    return _Walk(shapes[:-1], shapes[-1])


def _unlike(
    template: Template, place: tuple[int, int], block: Block, entering: Shape, output: Shape | None, wanted: Shape
) -> LinkError:
    layer = template.layers[place[0]]
    mates = [mate.name for mate in layer.blocks if _walked(mate, entering).output == wanted]
    others = f"{', '.join(mates)} of {layer.name} gives {shown(wanted)}"
    message = f"{block.name} gives {shown(output or ())}, where {others}"
    return LinkError(*place, None, message, _repair(block, entering, wanted))


def _repair(block: Block, entering: Shape, wanted: Shape) -> str:
    """One setting that would make it fit, "" where there is none."""
    tried: dict[str, list[Any]] = {
        "filters": [wanted[0]], "units": [wanted[0]], "padding": ["same", 0, 1, 2, 3],
        "stride": [1, 2, 3, 4], "kernel": [1, 2, 3, 5, 7], "factor": [2, 3, 4],
    }  # fmt: skip
    for name, values in tried.items():
        for k in reversed(range(len(block.ops))):
            own: Operation = block.ops[k]
            if name not in type(own).model_fields:
                continue
            for value in values:
                changed = own.model_copy(update={name: value})
                ops = (*block.ops[:k], changed, *block.ops[k + 1 :])
                if _walked(block.model_copy(update={"ops": ops}), entering).output == wanted:
                    return f"{name} = {json.dumps(value)} in op {k + 1} ({own.op})"
    return ""


def checked(template: Template) -> Inference:
    """The shapes of a template that fits together. Raises BadSetting for the first link that does not, naming it."""
    found = infer(template)
    for error in found.errors:
        layer = template.layers[error.layer]
        block = layer.blocks[error.block]
        at = "" if error.op is None else f", op {error.op + 1} ({block.ops[error.op].op})"
        place = f"{template.name or 'template'}: {layer.name}/{block.name}{at}"
        allowed = error.message + (f"; {error.fits} would fit" if error.fits else "")
        raise BadSetting(place, shown(found.entering[error.layer]), allowed)
    return found
