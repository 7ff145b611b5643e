"""What a study is a study of: settings that its file keeps, and must agree with when it is opened again."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting, NotAStudy, TierwiseError, WrongStudy
from tierwise.history import Limit, Prior
from tierwise.space import LARGEST_LIST, Space
from tierwise.store import Store

_SAMPLE = 1_000
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # in the text of an object without its own: another one in every process


def describe(
    space: Space,
    objective: str,
    limits: Mapping[str, Limit],
    seed: int,
    strategy: object,
    notes: Mapping[str, Any],
    against: Sequence[str] = (),
    prior: Prior | None = None,
) -> dict[str, Any]:
    """The settings by name, as JSON."""
    settings = {
        "space": space.name,
        "choices": {choice.path: choice.options for choice in space.choices},
        "allowed": ["".join(map(str, row.astype(int))) for row in space.allowed],
        **({} if space.free else {"members": _digest(space)}),
        "objective": objective,
        "limits": {k: [None if math.isinf(x) else x for x in v] for k, v in limits.items()},
        "seed": seed,
        "strategy": _ADDRESS.sub("", repr(strategy)),
        "notes": dict(notes),
        "against": list(against),
        **({} if prior is None else {"prior": _as_json(prior)}),
    }
    try:
        return json.loads(json.dumps(settings))
    except (TypeError, ValueError) as error:
        raise BadSetting("notes", notes, f"what JSON can hold ({error})") from error


def _digest(space: Space) -> str:
    """Number and checksum of the members of a space that lists them: a part of a space is not the whole.

    Of a space too large for a list, the number and the checksum of a sample.
    """
    whole = space.size <= LARGEST_LIST
    members = space.enumerate() if whole else space.sample(_SAMPLE, np.random.default_rng(0))
    return f"{space.size} of checksum {zlib.crc32(members.genes.tobytes()):08x}"


def _as_json(prior: Prior) -> dict[str, Any]:
    return {"source": prior.source, "genes": [a.gene_text for a in prior.archs], "y": prior.y.tolist()}


def stored_prior(settings: Mapping[str, Any], space: Space, path: Path | None) -> Prior | None:
    """What a study was begun with. Raises NotAStudy."""
    stored = settings.get("prior")
    if stored is None:
        return None
    try:
        archs = Architectures.of([Architecture.parse(f"{space.name}/{text}") for text in stored["genes"]], space)
        space.check(archs)
        return Prior(archs, stored["y"], stored["source"])
    except (KeyError, TypeError, ValueError, TierwiseError) as error:
        raise NotAStudy(path or "study in memory", f"its prior labels are damaged ({error}); restore a copy") from error


def agree(store: Store, mine: dict[str, Any]) -> dict[str, Any]:
    """A new file takes these settings; an old one must have the same; those that hold. Raises WrongStudy."""
    stored = {"against": []} | store.settle(mine)
    for key, value in mine.items():
        if stored.get(key) != value:
            raise WrongStudy(
                store.path or "study in memory",
                f"is a study with {key} {_short(stored.get(key))}, not {_short(value)}; "
                f"give the same {key} to go on, or another path for a new study",
            )
    return stored


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else text[:57] + "..."


def as_limit(name: str, value: float | Sequence[float]) -> Limit:
    """(least, most) of a limit given as such, or as the most alone. Raises BadSetting."""
    pair = value if isinstance(value, tuple | list) else (-math.inf, value)
    numbers = [float(x) for x in pair if isinstance(x, int | float | np.number)]
    least, most = numbers if len(numbers) == len(pair) == 2 else (math.nan, math.nan)
    if not least <= most:
        raise BadSetting(f"limit {name}", value, "a number (at most), or (least, most)")
    return least, most


def cost(name: str, space: Space, evaluator: object) -> Callable[[Architectures], NDArray[Any]]:
    """The column behind a limit: the evaluator's own cost, or a one-column encoding. Raises UnknownName."""
    one = space.sample(1, np.random.default_rng(0))
    known = getattr(evaluator, "known", None)
    if known is not None and known(name, one) is not None:
        return lambda archs: known(name, archs)
    encoding = registry.make("encoding", name)

    def column(archs: Architectures) -> NDArray[Any]:
        values = np.asarray(encoding.fit(archs).transform(archs))
        if values.ndim != 2 or values.shape[1] != 1:
            raise BadSetting("limit", name, "a cost of one column, such as params or flops")
        return values[:, 0]

    column(one)  # a space without cost formulas says so now, not in the middle of a run
    return column


def known_costs(space: Space, evaluator: object) -> dict[str, Callable[[Architectures], NDArray[Any]]]:
    """FLOPs and parameters, where they are known: names that may stand in a rule without being limited."""
    found: dict[str, Callable[[Architectures], NDArray[Any]]] = {}
    for name in ("flops", "params"):
        try:
            found[name] = cost(name, space, evaluator)
        except TierwiseError:
            continue
    return found
