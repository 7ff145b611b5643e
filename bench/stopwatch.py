"""What the speed scripts share: one thread, results with the machine's description, a section of the results page."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tierwise.harness.report import put_section
from tierwise.harness.run import environment
from tierwise.harness.tables import table as markdown  # noqa: F401  scripts take it from here

HERE = Path(__file__).parent
DATA = Path(os.environ.get("TIERWISE_DATA", HERE.parent.parent / "shared" / "data"))
DOCS = HERE.parent / "docs"


def one_thread() -> None:
    """Fastest on few cores, and its CPU time is honest."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    try:
        import torch

        torch.set_num_threads(1)
    except ImportError:
        pass


def publish(name: str, content: dict[str, Any], text: str, page: str = "results.md") -> None:
    """Figures and environment to ``results/NAME.json``, the section to a page of the docs, and to the screen."""
    path = HERE / "results" / f"{name}.json"
    path.write_text(json.dumps({"benchmark": name, "environment": environment(HERE), **content}, indent=1) + "\n")
    target = DOCS / page
    target.write_text(put_section(target.read_text(), name, text))
    print(text)
