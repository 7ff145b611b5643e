"""What the template editor is told: operations to choose from, data, and how a template that is being drawn fits."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from tierwise.errors import BadSetting, TierwiseError
from tierwise.spaces.template import TemplateSpace
from tierwise.spaces.template_ops import Op
from tierwise.spaces.template_presets import PRESETS
from tierwise.spaces.template_shapes import Inference, Template, infer, read_template

SMALL = {"digits": ((1, 8, 8), 10, 1_797), "mnist5k": ((1, 14, 14), 10, 5_000), "mnist1d": ((1, 40), 10, 5_000)}
MOST_FILES = 50  # data files that are listed
LONGEST = 1_500  # characters of a message
SHOWN = 300  # masks that are drawn before any is evaluated


class FieldFacts(BaseModel):
    """One setting of an operation. kind: number, fraction, flag or padding ("same" or a number)."""

    name: str
    kind: str
    default: int | float | bool | str | None
    needed: bool
    least: float | None
    most: float | None


class OperationFacts(BaseModel):
    """One operation of the palette."""

    op: str
    group: str
    fields: list[FieldFacts]


class DataFacts(BaseModel):
    """A data set by name: shape of an input, classes (None: not known before it is read), inputs."""

    name: str
    shape: list[int]
    classes: int | None
    inputs: int


class ErrorFacts(BaseModel):
    """What does not fit; layer, block and op by number, None where the file as a whole is meant."""

    layer: int | None
    block: int | None
    op: int | None
    message: str
    fits: str


class BlockFacts(BaseModel):
    """leaving: the shape that a block gives, None where it does not fit. flops, params: of this block."""

    leaving: list[int] | None
    flops: int | None
    params: int | None


class LayerFacts(BaseModel):
    """entering: the shape on every link into the layer."""

    entering: list[int]
    blocks: list[BlockFacts]


class TemplateFacts(BaseModel):
    """How a template fits. size: masks, in decimal digits, "" with errors. flops, params: least and most."""

    layers: list[LayerFacts]
    output: list[int]
    errors: list[ErrorFacts]
    size: str
    flops: list[int]
    params: list[int]


class SampleFacts(BaseModel):
    """Masks drawn at random, as (choices,) zeros and ones, and where they lie (two principal components)."""

    masks: list[list[int]]
    x: list[float]
    y: list[float]
    params: list[int]


def palette() -> list[OperationFacts]:
    """Every operation with its settings, read from what checks a file."""
    found: list[OperationFacts] = []
    for model in get_args(get_args(Op)[0]):
        fields = [_field(name, spec) for name, spec in _properties(model)]
        found += [
            OperationFacts(op=op, group=model.group, fields=fields)
            for op in get_args(model.model_fields["op"].annotation)
        ]
    return found


def _properties(model: type[BaseModel]) -> Iterator[tuple[str, dict[str, Any]]]:
    schema = model.model_json_schema()
    for name, spec in schema["properties"].items():
        if name != "op":
            yield name, {**spec, "needed": name in schema.get("required", [])}


def _field(name: str, spec: dict[str, Any]) -> FieldFacts:
    parts = spec.get("anyOf", [spec])
    number = next((part for part in parts if part.get("type") in ("integer", "number")), {})
    kind = {"integer": "number", "number": "fraction"}.get(number.get("type", ""), "flag")
    return FieldFacts(
        name=name,
        kind="padding" if any(part.get("const") == "same" for part in parts) else kind,
        default=spec.get("default"),
        needed=spec["needed"],
        least=number.get("minimum", number.get("exclusiveMinimum")),
        most=number.get("maximum", number.get("exclusiveMaximum")),
    )


def presets() -> dict[str, str]:
    """What each preset is called."""
    return {name: label for name, (label, _) in PRESETS.items()}


def data_sets(folder: Path) -> list[DataFacts]:
    """Small ones by name, and the .npz files with x and y of a folder."""
    found = [
        DataFacts(name=name, shape=list(shape), classes=classes, inputs=inputs)
        for name, (shape, classes, inputs) in SMALL.items()
    ]
    for path in sorted(folder.glob("*.npz"))[:MOST_FILES]:
        if (shape := _shape_in(path)) is not None:
            inner = [1, *shape[1:]] if len(shape) == 3 else list(shape[1:])
            found.append(DataFacts(name=path.name, shape=inner, classes=None, inputs=shape[0]))
    return found


def _shape_in(path: Path) -> tuple[int, ...] | None:
    """Of the array x, from its head alone; None for any other file."""
    try:
        with zipfile.ZipFile(path) as file:
            if "y.npy" not in file.namelist():
                return None
            with file.open("x.npy") as array:
                version = np.lib.format.read_magic(array)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape = read(array)[0]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return shape if 2 <= len(shape) <= 4 and shape[0] else None


def data_named(folder: Path, name: str) -> str:
    """What `tasks.load` takes for a data set of `data_sets`. Raises BadSetting."""
    known = [each.name for each in data_sets(folder)]
    if name not in known:
        raise BadSetting("data", name[:100], ", ".join(known))
    return name if name in SMALL else str((folder / name).resolve())


def checked(given: dict[str, Any]) -> TemplateFacts:
    """Shapes and errors of a template that may be half drawn; what is wrong is an answer, not an error."""
    try:
        template = read_template(given)
    except TierwiseError as error:
        wrong = ErrorFacts(layer=None, block=None, op=None, message=str(error)[:LONGEST], fits="")
        return TemplateFacts(layers=[], output=[], errors=[wrong], size="", flops=[], params=[])
    found = infer(template)
    layers = [
        LayerFacts(
            entering=list(found.entering[k]), blocks=[_block(template, found, k, b) for b in range(len(layer.blocks))]
        )
        for k, layer in enumerate(template.layers)
    ]
    errors = [ErrorFacts(layer=e.layer, block=e.block, op=e.op, message=e.message, fits=e.fits) for e in found.errors]
    size, flops, params = "", list[int](), list[int]()
    if not errors:
        try:
            space = TemplateSpace(template)
        except TierwiseError as error:
            errors = [ErrorFacts(layer=None, block=None, op=None, message=str(error), fits="")]
        else:
            size, (flops, params) = str(space.size), _extremes(layers, space)
    return TemplateFacts(layers=layers, output=list(found.output), errors=errors, size=size, flops=flops, params=params)


def _block(template: Template, found: Inference, layer: int, block: int) -> BlockFacts:
    ops = template.layers[layer].blocks[block].ops
    leaving = found.leaving[layer][block]
    if leaving is None:
        return BlockFacts(leaving=None, flops=None, params=None)
    flops, params = zip(
        *(op.cost(shape) for op, shape in zip(ops, found.inner[layer][block], strict=True)), strict=True
    )
    return BlockFacts(leaving=list(leaving), flops=sum(flops), params=sum(params))


def _extremes(layers: list[LayerFacts], space: TemplateSpace) -> tuple[list[int], list[int]]:
    """The least (the cheapest block of each layer) and the most (all blocks) of FLOPs and parameters."""
    leaving, found = space.shapes.output[0], list[list[int]]()
    for name, end in (("flops", leaving * 10), ("params", leaving * 10 + 10)):
        each = [[getattr(block, name) or 0 for block in layer.blocks] for layer in layers]
        found.append([end + sum(map(min, each)), end + sum(map(sum, each))])
    return found[0], found[1]


def sampled(given: dict[str, Any], count: int, seed: int) -> SampleFacts:
    """The search space before any evaluation. Raises BadSetting, UnknownName."""
    space = TemplateSpace(read_template(given))
    archs = space.sample(count, np.random.default_rng(seed)).unique()
    place = _principal(archs.genes.astype(np.float64))
    return SampleFacts(
        masks=archs.genes.tolist(),
        x=place[:, 0].tolist(),
        y=place[:, 1].tolist(),
        params=space.totals(archs)[:, 1].tolist(),
    )


def _principal(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) the first two principal components."""
    centred = rows - rows.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    place = np.zeros((len(rows), 2))
    kept = min(2, len(s))
    place[:, :kept] = u[:, :kept] * s[:kept]
    return place
