"""What one field of a claim alone cannot tell: names that must be installed, fields that exclude each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tierwise.errors import BadSetting, UnknownName
from tierwise.registry import Kind, installed

if TYPE_CHECKING:
    from tierwise.harness.protocol import Claim, Data, Method


def known(what: str, name: str | None, names: Any) -> None:
    """Raises UnknownName for a name that is given and not among the `names`."""
    if name is not None and name not in names:
        raise UnknownName(what, name, names)


def check_data(where: str, data: Data) -> None:
    """The data of a claim. Raises BadSetting, UnknownName."""
    if (data.benchmark is None) == (data.space is None):
        raise BadSetting(f"{where}: data.benchmark", data.benchmark, "either benchmark or space, a registered name")
    known(f"{where}: data.benchmark", data.benchmark, installed("benchmark"))
    known(f"{where}: data.space", data.space, installed("space"))
    if data.space and not data.file:
        raise BadSetting(f"{where}: data.file", None, "the npz file with the labels of the space")
    if data.file and not data.sha256:
        raise BadSetting(f"{where}: data.sha256", None, "the SHA-256 of data.file, 64 hexadecimal digits")


def check_method(file: str, name: str, claim: Claim) -> None:
    """One method of a claim. Raises BadSetting, UnknownName."""
    method, where = claim.methods[name], f"{file}: methods.{name}"
    kinds: tuple[Kind, ...] = ("predictor", "strategy")
    for kind in kinds:
        known(f"{where}.{kind}", getattr(method, kind), installed(kind))
    for encoding in [method.encoding] if isinstance(method.encoding, str) else method.encoding or []:
        name_alone = encoding.partition(":")[0] if method.predictor else encoding  # "columns:PATH"
        known(f"{where}.encoding", name_alone, installed("encoding"))
    for dataset in method.datasets or []:
        known(f"{where}.datasets", dataset, claim.data.datasets)
    _check_inputs(where, claim, method)
    wrong = "strategy" if claim.kind != "search" else "predictor"
    if getattr(method, wrong):
        allowed = f"{'strategy' if claim.kind == 'search' else 'predictor'}; kind {claim.kind} takes no {wrong}"
        raise BadSetting(f"{where}.{wrong}", getattr(method, wrong), allowed)


def _check_inputs(where: str, claim: Claim, method: Method) -> None:
    for dataset in method.inputs if isinstance(method.inputs, dict) else ():
        known(f"{where}.inputs", dataset, claim.data.datasets)
    given = [field for field in ("inputs", "source") if getattr(method, field)]
    if given and (claim.kind != "ranking" or not method.predictor):
        raise BadSetting(f"{where}.{given[0]}", getattr(method, given[0]), "a predictor in a claim of kind ranking")
    if 0 in (method.labels or ()) and not method.source:
        raise BadSetting(f"{where}.labels", 0, "1 or more; 0 with a source")
