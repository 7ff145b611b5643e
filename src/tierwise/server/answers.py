"""Answers as JSON, errors as the page reads them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tierwise.errors import BadArchitecture, BadSetting, StudyError, TierwiseError, UnknownName


class Problem(BaseModel):
    """What is wrong, where, what is allowed and what to do."""

    error: str
    field: str | None = None


WRONG: dict[int | str, dict[str, Any]] = {  # what every route may answer
    400: {"model": Problem, "description": "no JSON"},
    401: {"model": Problem, "description": "no token"},
    403: {"model": Problem, "description": "another page, or a study that is only shown"},
    404: {"model": Problem, "description": "no study is open, or no such thing"},
    413: {"model": Problem, "description": "a body that is too large"},
    422: {"model": Problem, "description": "what can not be"},
    503: {"model": Problem, "description": "the study file can not be used"},
}


class NoStudy(TierwiseError):
    """Nothing is open yet."""


class ReadOnly(TierwiseError):
    """The server was started with --read-only."""


def as_json(value: Any) -> str:
    """Dataclasses, lists and numbers as JSON; what is no number is null."""
    return to_json(value, inf_nan_mode="null").decode()


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer that nothing may keep."""
    return Response(
        to_json(value, inf_nan_mode="null"),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def refused(error: TierwiseError, **more: Any) -> Response:
    """A deliberate error as an answer."""
    status, field = 503 if isinstance(error, StudyError) else 422, None
    if isinstance(error, NoStudy | ReadOnly):
        status = 404 if isinstance(error, NoStudy) else 403
    if isinstance(error, BadSetting):
        field = error.setting
    elif isinstance(error, UnknownName):
        field = error.kind
    elif isinstance(error, BadArchitecture):
        field = "architecture"
    return answer({"error": str(error), "field": field, **more}, status)


def add_handlers(app: FastAPI) -> None:
    """Every error has the same form."""

    @app.exception_handler(TierwiseError)
    def deliberate(_: Request, error: TierwiseError) -> Response:
        return refused(error)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        said = first["type"] != "json_invalid"
        field = ".".join(str(part) for part in first["loc"][1:]) if said else ""
        return answer({"error": f"{field or 'body'}: {first['msg']}", "field": field or None}, 422)

    @app.exception_handler(HTTPException)
    def unknown(_: Request, error: HTTPException) -> Response:
        return answer({"error": str(error.detail), "field": None}, error.status_code)
