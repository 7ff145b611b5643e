"""Routes by which a person has a say: steering rows, undo and redo, and the batch that they decide about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tierwise.errors import Conflict, Outdated
from tierwise.navigator import Navigator
from tierwise.navigator.batch import Batch
from tierwise.navigator.log import ConflictFacts, PreviewFacts, SteeringFacts
from tierwise.server.answers import WRONG, Problem, answer, refused
from tierwise.server.server import Server

LONGEST_NAME = 80
Who = Annotated[str, Field(max_length=LONGEST_NAME)]
Base = Annotated[int, Field(ge=0, lt=2**31)]


class Edit(BaseModel):
    """A steering row to be: its kind, and the fields of this kind."""

    model_config = ConfigDict(extra="allow")
    kind: Annotated[str, Field(max_length=40)]


class Wanted(BaseModel):
    """base: the steering rows that `who` has seen."""

    base: Base
    who: Who = ""
    edit: Edit


class Step(BaseModel):
    """For undo and redo."""

    base: Base
    who: Who = ""


class Refusal(Problem):
    """An edit that can not be obeyed."""

    conflict: ConflictFacts | None = None


class Newer(BaseModel):
    """Somebody was faster."""

    rev: int
    steering: SteeringFacts


WRITTEN: dict[int | str, dict[str, Any]] = {
    409: {"model": Newer, "description": "somebody was faster"},
    422: {"model": Refusal, "description": "it can not be obeyed"},
}


def router(server: Server) -> APIRouter:
    """POST /steering, /steering/preview, /steering/undo, /steering/redo; GET /batch."""
    routes = APIRouter(responses=WRONG)

    @routes.post("/steering/preview", response_model=PreviewFacts)
    def preview(edit: Edit) -> Response:
        return answer(server.navigator.preview(edit.kind, edit.model_extra or {}))

    @routes.post("/steering", status_code=201, response_model=SteeringFacts, responses=WRITTEN)
    def steer(wanted: Wanted) -> Response:
        fields: dict[str, Any] = wanted.edit.model_extra or {}
        return _written(server, lambda navigator: navigator.steer(wanted.edit.kind, wanted.who, wanted.base, fields))

    @routes.post("/steering/undo", status_code=201, response_model=SteeringFacts, responses=WRITTEN)
    def undo(step: Step) -> Response:
        return _written(server, lambda navigator: navigator.undo(step.who, step.base))

    @routes.post("/steering/redo", status_code=201, response_model=SteeringFacts, responses=WRITTEN)
    def redo(step: Step) -> Response:
        return _written(server, lambda navigator: navigator.redo(step.who, step.base))

    @routes.get("/batch", response_model=Batch)
    def batch() -> Response:
        return answer(server.navigator.batch())

    return routes


def _written(server: Server, write: Callable[[Navigator], SteeringFacts]) -> Response:
    """The steering with the new row, or why there is none."""
    navigator = server.writable()
    try:
        return answer(write(navigator), 201)
    except Outdated:
        steering = navigator.steering()
        return answer({"rev": steering.rev, "steering": steering}, 409)
    except Conflict as error:
        facts = {"message": str(error), "rows": [row.id for row in error.rows]}
        return refused(error, conflict=facts)
