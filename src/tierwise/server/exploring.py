"""Routes that work something out: parts of the map, single architectures, tables and files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from tierwise.navigator.architectures import Arch, Explanation, Neighbours, arch_facts, explanation, neighbours
from tierwise.navigator.comparing import Compared, compared_archs
from tierwise.navigator.components import Effects
from tierwise.navigator.facts import SelectionFacts
from tierwise.navigator.selection import Selection
from tierwise.navigator.table import LARGEST_PAGE, TablePage
from tierwise.navigator.tiers import TierFacts
from tierwise.server.answers import WRONG, answer
from tierwise.server.server import Server

Row = Annotated[int | None, Query(ge=0, le=2**31)]
Text = Annotated[str | None, Query(max_length=20_000)]


@dataclass
class TiersAsked:
    """edges: least score of each tier but the last, the best first; those of the predictor where they are not given."""

    selection: Selection = field(default_factory=Selection)
    edges: list[float] | None = None


@dataclass
class EffectsAsked:
    """of: by results or by predictions."""

    selection: Selection = field(default_factory=Selection)
    of: Literal["result", "predicted"] = "result"


@dataclass
class RowsAsked:
    """A page of the table, sorted by a column; evaluated: only what has a result."""

    columns: list[str]
    selection: Selection = field(default_factory=Selection)
    evaluated: bool = False
    sort: str = ""
    descending: bool = False
    offset: int = 0
    limit: int = LARGEST_PAGE


@dataclass
class RowsCompared:
    """The first is what the others are compared with."""

    rows: list[int]


def router(server: Server) -> APIRouter:
    """POST /select, /tiers, /effects, /rows, /compare; GET /archs, /archs/neighbours, /archs/explain."""
    routes = APIRouter(responses=WRONG)

    @routes.post("/select", response_model=SelectionFacts)
    def select(selection: Selection) -> Response:
        return answer(server.navigator.select(selection))

    @routes.post("/tiers", response_model=TierFacts)
    def tiers(asked: TiersAsked) -> Response:
        return answer(server.navigator.tiers(asked.selection, asked.edges))

    @routes.post("/effects", response_model=Effects)
    def effects(asked: EffectsAsked) -> Response:
        return answer(server.navigator.effects(asked.selection, asked.of))

    @routes.post("/rows", response_model=TablePage)
    def rows(asked: RowsAsked) -> Response:
        order: dict[str, Any] = {"sort": asked.sort, "descending": asked.descending}
        order |= {"offset": asked.offset, "limit": asked.limit}
        return answer(server.navigator.table(asked.selection, asked.evaluated, asked.columns, **order))

    @routes.post("/compare", response_model=Compared)
    def compare(asked: RowsCompared) -> Response:
        return answer(compared_archs(server.navigator, asked.rows))

    @routes.get("/archs", response_model=Arch)
    def arch(row: Row = None, text: Text = None) -> Response:
        return answer(arch_facts(server.navigator, server.navigator.arch(row, text)))

    @routes.get("/archs/neighbours", response_model=Neighbours)
    def near(row: Row = None, text: Text = None) -> Response:
        return answer(neighbours(server.navigator, server.navigator.arch(row, text)))

    @routes.get("/archs/explain", response_model=Explanation)
    def explain(row: Row = None, text: Text = None) -> Response:
        return answer(explanation(server.navigator, server.navigator.arch(row, text)))

    return routes
