"""Results that are computed once: each is a line of a file, and what was stopped goes on when it is run again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Rows:
    """Values by key. file: JSON lines of key, value and the CPU seconds that it took."""

    def __init__(self, file: Path):
        self.file, self.known = file, dict[str, Any]()
        for line in file.read_text().splitlines() if file.exists() else ():
            row = json.loads(line)
            self.known[row["key"]] = row

    def of(self, *key: object, make: Callable[[], Any]) -> Any:
        """The value of this key, computed if it is not there."""
        name = json.dumps(key)
        if name not in self.known:
            started = time.process_time()
            row = {"key": name, "value": make()}
            row["cpu_seconds"] = round(time.process_time() - started, 2)
            with self.file.open("a") as file:
                file.write(json.dumps(row) + "\n")
            self.known[name] = row
            print(f"{row['cpu_seconds']:8.1f} s  {name}", flush=True)
        return self.known[name]["value"]

    def timed(self, *key: object, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The same, with the CPU seconds that it took among its values."""
        value = self.of(*key, make=make)
        return {"cpu_seconds": self.known[json.dumps(key)].get("cpu_seconds"), **value}
