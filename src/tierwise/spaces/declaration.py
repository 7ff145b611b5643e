"""What may stand in the TOML file of a declared space; needs pydantic."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

Count = Annotated[int, Field(ge=1)]
Formula = str | int | float
Option = str | int | float
Options = Annotated[list[Option], Field(min_length=1)]
InputShape = Annotated[list[Count], Field(min_length=1, max_length=3)]
Name = Annotated[str, Field(pattern=r"^$|^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class CostFormulas(_Table):
    """FLOPs and parameters as formulas."""

    flops: Formula = 0
    params: Formula = 0


class CellStage(_Table):
    """A run of equal cells."""

    cells: Count = 1
    channels: Count = 1
    size: Count = 1


class CellNetwork(_Table):
    """The network around a cell."""

    stages: list[CellStage] = []
    extra: CostFormulas | None = None
    shape: InputShape | None = None


class ChainNetwork(_Table):
    """The network around a chain."""

    inputs: Count | None = None
    extra: CostFormulas | None = None
    shape: InputShape | None = None


class _Declared(_Table):
    name: Name = ""
    kind: str


class Cell(_Declared):
    """What both kinds of cells have."""

    nodes: Annotated[int, Field(ge=1, le=60)]
    ops: Annotated[list[str], Field(min_length=1)]
    zero: str = ""
    identity: str = ""
    shared: list[str] = []
    network: CellNetwork | None = None
    cost: dict[str, CostFormulas] = {}


def _as_list(given: Any) -> Any:
    return [given] if isinstance(given, int) else given


class Edges(Cell):
    """Operations on edges."""

    edges: list[Annotated[list[int], Field(min_length=2, max_length=2)]] | None = None


class Nodes(Cell):
    """Operations on nodes."""

    inputs: Annotated[list[Count], Field(min_length=1), BeforeValidator(_as_list)] = [1, 2]
    output: Literal["ends", "all", "last"] = "ends"
    concat: bool = False


class _Layered(_Declared):
    network: ChainNetwork | None = None
    cost: dict[str, CostFormulas | Formula] = {}

    @field_validator("cost")
    @classmethod
    def _formulas_or_tables(cls, cost: dict[str, CostFormulas | Formula]) -> dict[str, CostFormulas | Formula]:
        wrong = [key for key, given in cost.items() if not isinstance(given, CostFormulas)]
        wrong = [key for key in wrong if key not in ("flops", "params")]
        if wrong:
            raise ValueError(f"flops, params, or one table [cost.OPERATION] each; {', '.join(wrong)} is neither")
        return cost

    def costs(self) -> dict[str, CostFormulas]:
        """Operation -> formulas; "" for what stands in the table itself."""
        own = {key: given for key, given in self.cost.items() if not isinstance(given, CostFormulas)}
        each = {key: given for key, given in self.cost.items() if isinstance(given, CostFormulas)}
        return each | ({"": CostFormulas(**own)} if own else {})


class LayerTable(BaseModel):
    """A layer of a chain: every list is a choice."""

    model_config = ConfigDict(extra="allow", strict=True)
    __pydantic_extra__: dict[str, Options]  # pyright: ignore[reportIncompatibleVariableOverride]

    name: Name = ""
    channels: Count | Options = 1
    size: Count = 1
    repeat: Annotated[int, Field(ge=1, le=1000)] = 1

    def choices(self) -> dict[str, list[Option]]:
        """The lists, as they stand in the file."""
        chosen = {"channels": self.channels} if isinstance(self.channels, list) else {}
        return {**(self.model_extra or {}), **chosen}

    def fixed_channels(self) -> int:
        """Channels where they are no choice, 0 where nothing is said."""
        return self.channels if isinstance(self.channels, int) and "channels" in self.model_fields_set else 0


class Chain(_Layered):
    """Layer after layer."""

    layers: Annotated[list[LayerTable], Field(min_length=1)]
    depths: list[Annotated[int, Field(ge=0)]] = []
    identity: str = ""


class SizesStage(_Table):
    """A run of layers that differ in width only."""

    widths: Annotated[list[Count], Field(min_length=1)]
    depths: Annotated[list[Annotated[int, Field(ge=0, le=1000)]], Field(min_length=1)] = [1]
    own_widths: bool = True
    size: Count = 1
    name: Name = ""


class Sizes(_Layered):
    """Widths and depths of stages."""

    stages: Annotated[list[SizesStage], Field(min_length=1)]


class StagesStage(_Table):
    """What may stand in one stage."""

    channels: Count
    widths: list[Count] = []
    ops: Annotated[list[str], Field(min_length=1)] = ["conv3x3"]
    activations: Annotated[list[str], Field(min_length=1)] = ["relu"]
    stride: Count = 1
    repeat: Annotated[int, Field(ge=1, le=100)] = 1


class Stages(_Declared):
    """Stages of DAGs."""

    vertices: Annotated[int, Field(ge=1, le=6)]
    stages: Annotated[list[StagesStage], Field(min_length=1)]
    normed: bool = True
    shape: InputShape | None = None


class Grammar(_Declared):
    """Productions of terms."""

    start: Annotated[str, Field(min_length=1)]
    productions: Annotated[dict[str, str | list[str]], Field(min_length=1)]
    shared: list[str] = []
    depth: Annotated[int, Field(ge=1, le=30)] | None = None
    connected: bool = False
    topologies: dict[str, list[Annotated[list[int], Field(min_length=2, max_length=2)]]] = {}
    channels: Count = 16
    halving: list[str] = ["res_block"]
    shape: InputShape | None = None


class Part(_Table):
    """A part of another space."""

    kind: str
    base: Annotated[str, Field(min_length=1)]
    allowed: dict[str, Annotated[list[str], Field(min_length=1)]] = {}
    choices: str | None = None
    members: str | None = None


KINDS: dict[str, type[_Table]] = {
    "edges": Edges, "nodes": Nodes, "chain": Chain, "sizes": Sizes, "stages": Stages, "grammar": Grammar, "part": Part,
}  # fmt: skip


def keys_at(model: type[BaseModel], where: list[str]) -> list[str]:
    """The keys that a table has, by the way to it through the file: names of keys, numbers of items."""
    for part in where:
        if part in model.model_fields:
            inner = _models(model.model_fields[part].annotation)
            model = inner[0] if inner else model
    return list(model.model_fields)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The tables inside a type such as ``list[CellStage] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
