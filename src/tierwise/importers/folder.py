"""The user's data folder: one folder for each converted benchmark, with ``table.parquet`` and ``card.json``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tierwise.errors import BadTable, MissingExtra, UnknownName

TABLE = "table.parquet"
CARD = "card.json"


@dataclass(frozen=True)
class Card:
    """What is known of a converted benchmark.

    source, bytes, sha256: name, size and checksum of the file it was made of. official: whether that checksum is the
    published one; None where none is known. rows: architectures of the space, one row each. columns: names in the
    table. made: UTC time, ISO 8601.
    """

    name: str
    space: str
    source: str
    bytes: int
    sha256: str
    official: bool | None
    licence: str
    rows: int
    columns: tuple[str, ...]
    tierwise: str
    made: str


def benchmarks_folder() -> Path:
    """``benchmarks`` in the folder that TIERWISE_HOME names, else in the user's data folder. Raises MissingExtra."""
    home = os.environ.get("TIERWISE_HOME")
    if home:
        return Path(home) / "benchmarks"
    try:
        from platformdirs import user_data_path
    except ImportError as error:
        raise MissingExtra("the user's data folder", "platformdirs", "benchmarks") from error
    return user_data_path("tierwise", appauthor=False) / "benchmarks"


def write_card(folder: Path, card: Card) -> None:
    """``card.json`` in `folder`, on disk when this returns."""
    with (folder / CARD).open("w", encoding="utf-8") as file:
        file.write(json.dumps(asdict(card), indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_card(folder: Path) -> Card:
    """The card of the converted benchmark in `folder`. Raises BadTable."""
    path = folder / CARD
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        content["columns"] = tuple(content["columns"])
        return Card(**content)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadTable(path, f"not a readable card ({error}); remove the folder and add the benchmark anew") from error


def cards(folder: Path | None = None) -> list[Card]:
    """Every converted benchmark of the data folder (or of `folder`), by name."""
    root = folder or benchmarks_folder()
    found = sorted(root.iterdir()) if root.is_dir() else []
    return [read_card(path) for path in found if not path.name.startswith(".") and (path / CARD).is_file()]


def converted(name: str, folder: Path | None = None) -> tuple[Path, Card]:
    """The Parquet table and the card of a converted benchmark. Raises UnknownName, BadTable."""
    root = folder or benchmarks_folder()
    known = {card.name: card for card in cards(root)}
    if name not in known:
        raise UnknownName("converted benchmark (tierwise bench add FILE makes one)", name, known)
    return root / name / TABLE, known[name]
