"""Small claims about real data, as a user would write them."""

from __future__ import annotations

import subprocess
from pathlib import Path

SHA256 = "044522569e4a3fa60f26351e4913487d04b150cd6baa21994a4910a60473425f"
DATA = f"""
[data]
benchmark = "nasbench201"
datasets = ["cifar10"]
file = "nb201.npz"
sha256 = "{SHA256}"
"""
RANKING = f"""
title = "A small ranking"
kind = "ranking"
labels = [60, 120]
seeds = 3
{DATA}
[methods.flops]

[[claim]]
method = "flops"
dataset = "cifar10"
at = 60
figure = "tau"
value = 0.578
tolerance = 0.001
"""
SEARCH = f"""
title = "A small search"
kind = "search"
trials = 40
checkpoints = [20, 40]
seeds = 2
{DATA}
[methods.evolution]
strategy = "evolution"
"""
SECONDS = SEARCH.replace("trials = 40\ncheckpoints = [20, 40]", "seconds = [20000, 50000]")
PUBLISHED = f"""
title = "A small look at the released search"
kind = "published"
labels = [200]
k = [1, 5]
bounds = [true, false]
iterations = 10
seeds = 2
{DATA}
[methods.perfect]
"""


def written(folder: Path, text: str, name: str = "a_claim") -> Path:
    """The claim as a file in a repository of its own, with one commit."""
    bench = folder / "bench"
    bench.mkdir(parents=True, exist_ok=True)
    path = bench / f"{name}.toml"
    path.write_text(text)
    if not (folder / ".git").exists():
        author = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        for command in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "claims"]):
            subprocess.run(["git", *command], cwd=folder, check=True)
    return path
